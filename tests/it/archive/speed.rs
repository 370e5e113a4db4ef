//! A stopwatch, run by hand: `PASSERELLE_EXPORT=chat.txt cargo test --release --test it speed --
//! --ignored --nocapture`.

use std::time::Instant;

use passerelle::archive::{Archive, Flow, Limits, Options, Record};

#[test]
#[ignore = "measures; needs a large export named by PASSERELLE_EXPORT"]
fn speed_of_survey_and_reading() {
    let Some(path) = std::env::var_os("PASSERELLE_EXPORT") else { return };
    for _ in 0..3 {
        let start = Instant::now();
        let archive = Archive::open(path.as_ref(), Limits::default(), Options::default()).unwrap();
        let survey = archive.survey().unwrap();
        let surveyed = start.elapsed();
        let start = Instant::now();
        let mut messages = 0_u64;
        for chat in &survey.chats {
            let mut count = |record| {
                messages += u64::from(matches!(record, Record::Message(_)));
                Flow::Continue
            };
            archive.read(&chat.id, &mut count).unwrap();
        }
        println!("survey {surveyed:?}, reading {:?}, {messages} messages", start.elapsed());
    }
}
