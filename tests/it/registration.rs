//! What is committed as an example is what the program reads and writes.

use std::path::Path;

use passerelle::config;
use passerelle::matrix::{Registration, RegistrationError};

fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_example_registration_is_what_the_generator_would_write() {
    let path = repository("registration/example.yaml");
    let example = Registration::read(&path).unwrap();
    let environment = [
        ("PASSERELLE__APPSERVICE__AS_TOKEN", "0".repeat(64)),
        ("PASSERELLE__APPSERVICE__HS_TOKEN", "1".repeat(64)),
        ("PASSERELLE__APPSERVICE__URL", "http://127.0.0.1:29318".to_owned()),
    ];
    let environment =
        environment.into_iter().map(|(name, value)| (name.to_owned(), value)).chain([
            ("PASSERELLE__APPSERVICE__AS_TOKEN_FILE".to_owned(), String::new()),
            ("PASSERELLE__APPSERVICE__HS_TOKEN_FILE".to_owned(), String::new()),
        ]);
    let config = config::load(Some(&repository("config/example.toml")), environment).unwrap();
    let wanted = Registration::from_config(&config.matrix, &config.appservice).unwrap();
    example.same_as(&wanted, &path).unwrap();
    assert!(wanted.to_yaml().unwrap().contains("io.element.msc4190: true"));
}

#[test]
fn a_registration_that_differs_is_named_by_field_and_never_by_value() {
    let path = repository("registration/example.yaml");
    let example = Registration::read(&path).unwrap();
    let mut other = example.clone();
    other.hs_token = "elsewhere".to_owned();
    other.rate_limited = true;
    let error = example.same_as(&other, &path).unwrap_err();
    let RegistrationError::Differs { fields, .. } = &error else { panic!("{error}") };
    assert_eq!(fields, "hs_token, rate_limited");
    assert!(!error.to_string().contains("1111") && !error.to_string().contains("elsewhere"));
}

#[test]
fn every_committed_configuration_loads() {
    for entry in std::fs::read_dir(repository("config")).unwrap() {
        let path = entry.unwrap().path();
        config::load(Some(&path), []).unwrap();
    }
}
