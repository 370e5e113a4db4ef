//! Polls and their votes.

use super::*;

fn option(text: &str, count: Option<u32>, people: &[&str]) -> PollOption {
    let voters = people.iter().map(|id| Vote { by: author(id), at: Some(at(NOON + 5_000)) });
    PollOption { text: text.to_owned(), votes: count, voters: voters.collect() }
}

fn poll(options: Vec<PollOption>) -> Poll {
    Poll {
        question: "Quand ?".to_owned(),
        options,
        multiple: Some(false),
        closed: Some(true),
        total_voters: None,
    }
}

#[test]
fn polls_are_polls_with_their_votes() {
    let options =
        vec![option("Lundi", Some(1), &["alice"]), option("Mardi", None, &["bob", "alice"])];
    let (parts, later, _) = convert(&message(Body::Poll(poll(options))), &Policy::default());
    assert_eq!(parts.len(), 1);
    let start: UnstablePollStartEventContent =
        serde_json::from_value(Value::Object(parts[0].content.clone())).expect("a poll");
    // Alice chose twice, so two must be allowed.
    assert_eq!(u64::from(start.poll_start().max_selections), 2);
    assert_eq!(later.len(), 3);
    assert_eq!(later[0].speaker, Speaker::Ghost(ParticipantId::new("alice")));
    assert_eq!(
        later[0].content["org.matrix.msc3381.poll.response"],
        json!({ "answers": ["1", "2"] })
    );
    assert_eq!(later[0].content["m.relates_to"]["event_id"], "$own0");
    assert_eq!(later[2].event_type, "org.matrix.msc3381.poll.end");
    assert!(later[2].at >= later[1].at);
}

#[test]
fn counts_are_said_and_impossible_polls_are_text() {
    let counted = vec![option("Lundi", Some(3), &[]), option("Mardi", Some(1), &["inconnu"])];
    let (parts, later, _) = convert(&message(Body::Poll(poll(counted))), &Policy::default());
    assert_eq!(
        body(&parts[1]),
        "📊 Résultats du sondage «\u{a0}Quand ?\u{a0}»\nLundi\u{a0}: 3 voix\n\
         Mardi\u{a0}: 1 voix (carnet inconnu)\nSondage terminé"
    );
    assert_eq!(later.len(), 1);
    let many = (0..25).map(|i| option(&format!("réponse {i}"), None, &[])).collect();
    let (parts, later, made) = convert(&message(Body::Poll(poll(many))), &Policy::default());
    assert_eq!(msgtype(&parts[0]), "m.notice");
    assert!(body(&parts[0]).contains("réponse 24"));
    assert!(later.is_empty() && !made.losses.is_empty());
}
