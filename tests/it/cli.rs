//! What the command line says, to whom, and with which exit code.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::support::sample::{Sample, Wanted};
use super::support::world::{Said, edit, run};

const INIT: [&str; 6] =
    ["config", "init", "--homeserver-url", "http://127.0.0.1:9", "--server-name", "tchap.test"];

/// Every command there is, with its subcommands.
const COMMANDS: [&[&str]; 25] = [
    &[],
    &["run"],
    &["archive"],
    &["archive", "inspect"],
    &["archive", "chats"],
    &["archive", "messages"],
    &["archive", "merge"],
    &["keys"],
    &["keys", "resend"],
    &["import"],
    &["import", "plan"],
    &["import", "start"],
    &["import", "status"],
    &["import", "pause"],
    &["import", "resume"],
    &["import", "cancel"],
    &["import", "verify"],
    &["import", "report"],
    &["registration"],
    &["registration", "generate"],
    &["registration", "check"],
    &["config"],
    &["config", "check"],
    &["config", "init"],
    &["doctor"],
];

#[tokio::test]
async fn help_is_what_it_was_and_names_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let mut whole = String::new();
    for command in COMMANDS {
        let asked = [command, &["--help"]].concat();
        let said = run(dir.path(), &[], &asked).await.done();
        assert_eq!(said.err, "");
        whole.extend([
            "$ passerelle ",
            &asked.join(" "),
            "
",
            &said.out,
            "
",
        ]);
        // What a command lists has a page here.
        let listed = said.out.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in listed.take_while(|line| !line.is_empty()) {
            let name = line.split_whitespace().next().unwrap();
            let page = [command, &[name]].concat();
            assert!(name == "help" || COMMANDS.contains(&page.as_slice()), "{page:?}");
        }
    }
    insta::assert_snapshot!("help", whole);
}

#[tokio::test]
async fn misuse_is_two_and_says_how_it_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    for misuse in [
        &["import", "frobnicate"][..],
        &["import", "plan", "x.zip", "--admin", "not a user id"],
        &["import", "status", "--wait"],
        &["config", "init"],
        &["--frobnicate"],
        &["import"],
    ] {
        let said = run(dir.path(), &[], misuse).await;
        assert_eq!(said.code, 2, "{misuse:?}: {said:#?}");
        assert!(said.out.is_empty() && said.err.contains("--help"), "{misuse:?}: {said:#?}");
    }
    let said = run(dir.path(), &[], &["--version"]).await.done();
    assert_eq!(said.out.trim(), concat!("passerelle ", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_configuration_is_made_once_and_checked_without_telling_its_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let here = async |environment: &[(&str, &str)], arguments: &[&str]| {
        let environment: Vec<_> =
            environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        run(dir.path(), &environment, arguments).await
    };
    let config = dir.path().join("passerelle.toml");

    // Nothing is there yet.
    let said = here(&[], &["import", "status"]).await.failed();
    assert!(
        said.err.contains("passerelle.toml") && said.hint().contains("config init"),
        "{said:#?}"
    );
    assert_eq!(here(&[], &["config", "check"]).await.code, 10);

    here(&[], &INIT).await.done();
    assert_eq!(mode(&config), 0o600);
    let written = std::fs::read_to_string(&config).unwrap();
    assert!(written.contains("homeserver_url = \"http://127.0.0.1:9\""), "{written}");
    let said = here(&[], &INIT).await;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.err.contains("not overwritten"), "{said:#?}");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), written);
    let said = here(&[], &["config", "check"]).await;
    assert_eq!(said.code, 11, "{said:#?}");
    assert!(said.err.contains("is usable") && said.err.contains("witness.token is not set"));

    // Unset, wrong and unknown keys, each named with where it stands; 10 because it is a check.
    for (key, value, expected) in [
        ("PASSERELLE__MATRIX__PATIENCE_S", "soon", "matrix.patience_s"),
        ("PASSERELLE__ROOMS__PROFILE", "olvid", "rooms.profile"),
        ("PASSERELLE__MATRIX__HOMESERVER", "x", "did you mean `matrix.homeserver_url`"),
    ] {
        let said = here(&[(key, value)], &["config", "check"]).await;
        assert_eq!(said.code, 10, "{said:#?}");
        assert!(said.err.contains(key) && said.err.contains(expected), "{said:#?}");
        let said = here(&[(key, value)], &["run"]).await.failed();
        assert!(said.err.contains(key), "{said:#?}");
    }
    // A secret given twice is refused without being shown.
    let secret = "syt_hush_hush";
    edit(&config, |text| {
        text.replace(
            "token = \"\"\ntoken_file = \"\"",
            "token = \"syt_hush_hush\"\ntoken_file = \"w\"",
        )
    });
    let said = here(&[], &["config", "check"]).await;
    assert_eq!(said.code, 10, "{said:#?}");
    assert!(said.err.contains("witness.token") && !said.err.contains(secret), "{said:#?}");
}

#[tokio::test]
async fn a_registration_is_private_and_never_replaced_silently() {
    let dir = tempfile::tempdir().unwrap();
    let here = async |arguments: &[&str]| run(dir.path(), &[], arguments).await;
    here(&INIT).await.done();
    let file = dir.path().join("registration.yaml");
    let said = here(&["registration", "generate"]).await.done();
    let tokens: Vec<_> = ["as_token", "hs_token"]
        .iter()
        .map(|name| dir.path().join("secrets").join(name))
        .map(|path| {
            assert_eq!(mode(&path), 0o600);
            std::fs::read_to_string(path).unwrap().trim().to_owned()
        })
        .collect();
    assert_ne!(tokens[0], tokens[1]);
    let silent = |said: &Said| {
        for token in &tokens {
            assert!(token.len() >= 43, "a token of 32 random bytes at least");
            assert!(!said.out.contains(token) && !said.err.contains(token), "{said:#?}");
        }
    };
    silent(&said);
    assert_eq!((mode(&file), mode(&dir.path().join("secrets"))), (0o600, 0o700));
    let first = std::fs::read_to_string(&file).unwrap();
    assert!(tokens.iter().all(|token| first.contains(token)));

    let said = here(&["registration", "generate"]).await.failed();
    assert!(said.hint().contains("--force"), "{said:#?}");
    silent(&said);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    let said = here(&["registration", "generate", "--force"]).await.done();
    silent(&said);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first, "the tokens stay as they are");
    assert_eq!(mode(&file), 0o600);

    // A check that cannot reach the homeserver is a failed check, and says what each part saw.
    edit(&file, |text| text.replace(&tokens[1], "elsewhere"));
    let said = here(&["registration", "check", "--file", "registration.yaml"]).await;
    assert_eq!(said.code, 10, "{said:#?}");
    for part in ["error  file", "hs_token", "error  token", "error  ping"] {
        assert!(said.err.contains(part), "{part}: {said:#?}");
    }
    silent(&said);
    // Without a daemon, and with one that cannot start.
    let said = here(&["import", "status"]).await.failed();
    assert!(said.err.contains("does not answer") && said.hint().contains("passerelle run"));
}

#[tokio::test]
async fn messages_are_one_json_a_line_and_nothing_else_is_on_stdout() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::make(&Wanted::new(41, 120, 6));
    sample.write_to(dir.path());
    let command = ["archive", "messages", &sample.file_name, "--hash"];
    let said = run(dir.path(), &[], &command).await.done();
    assert_eq!(said.err, "");
    let lines: Vec<Value> = said.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), sample.truth.len());
    let text = said.out.as_str();
    for file in sample.truth.iter().filter_map(|truth| truth.file.as_ref()) {
        assert!(text.contains(&file.sha256), "{}", file.name);
    }
    for (line, truth) in lines.iter().zip(&sample.truth) {
        assert_eq!(line["sent_at"]["at"], truth.utc_millis, "{line:#}");
        assert_eq!(line["sender"].is_null(), truth.sender.is_none(), "{line:#}");
    }
    let ids: std::collections::BTreeSet<_> =
        lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len(), "every message has its own id");
    let said = run(dir.path(), &[], &["archive", "inspect", &sample.file_name, "--json"]).await;
    let survey: Value = serde_json::from_str(&said.done().out).unwrap();
    assert_eq!(survey["chats"][0]["messages"], sample.truth.len());
    let said = run(dir.path(), &[], &["archive", "messages", "absent.zip"]).await.failed();
    assert!(said.err.contains("absent.zip"), "{said:#?}");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn one_chat_is_taken_out_of_an_encrypted_export() {
    let dir = tempfile::tempdir().unwrap();
    let here = async |arguments: &[&str]| run(dir.path(), &[], arguments).await;
    let case = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/archives/olvid/valid/encrypted-ae2");
    let export = case.join("input.zip").display().to_string();
    let password = case.join("password.txt").display().to_string();
    let wrong = dir.path().join("wrong");
    std::fs::write(&wrong, "ABcdEF\n").unwrap();

    let said = here(&["archive", "chats", &export]).await.failed();
    assert!(said.hint().contains("--password-file"), "{said:#?}");
    let said = here(&["archive", "inspect", &export, "--password-file", "wrong"]).await.failed();
    assert!(said.err.contains("does not open") && !said.err.contains("ABcdEF"), "{said:#?}");
    let said = here(&["archive", "chats", &export, "--password-file", &password]).await.done();
    let chats: Vec<Vec<&str>> = said.out.lines().map(|line| line.split('\t').collect()).collect();
    let chat = chats.iter().find(|chat| chat[1] != "0").unwrap();

    let take = ["archive", "merge", &export, "--chat", chat[0], "-o", "taken"];
    here(&take).await.failed();
    here(&[&take[..], &["--password-file", "wrong"]].concat()).await.failed();
    assert!(!dir.path().join("taken").exists());
    let keys = ["--password-file", "wrong", "--password-file", &password];
    let said = here(&[&take[..], &keys].concat()).await.done();
    assert!(said.out.contains(&format!("{} written", chat[1])), "{said:#?}");
    let mode = mode(&dir.path().join("taken/chats/1.jsonl"));
    assert_eq!(mode, 0o600);
    let said = here(&["archive", "chats", "taken"]).await.done();
    assert_eq!(said.out.trim_end(), chat.join("\t"));
    let said = here(&["archive", "inspect", "taken", "--language", "fr"]).await.done();
    assert!(said.out.contains("enregistrements"), "{said:#?}");
    let said = here(&["archive", "messages", "taken"]).await.done();
    assert_eq!(said.out.lines().count().to_string(), chat[1]);

    // A later export without what is known already: nothing is left of the same one.
    std::fs::write(dir.path().join("known"), &said.out).unwrap();
    for (name, known) in [("by-id", ["--known-ids", "known"]), ("by-export", ["--since", "taken"])]
    {
        let again = ["archive", "merge", "taken", "--chat", chat[0], "-o", name];
        let said = here(&[&again[..], &known].concat()).await.done();
        assert!(said.out.contains("  0 written"), "{said:#?}");
    }
    let said = here(&[&take[..], &keys].concat()).await.failed();
    assert!(said.err.contains("taken exists"), "{said:#?}");
}
