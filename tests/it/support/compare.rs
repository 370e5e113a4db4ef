//! Is the room what the sample says? Compared with the sample's own truth, by what an ordinary
//! member sees, never by what passerelle thinks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::member::Member;
use super::sample::{Sample, Truth};
use super::world::World;

/// The bot of the default configuration.
pub const BOT: &str = "@_passerelle_bot:tchap.test";
const GHOSTS: &str = "@_passerelle_whatsapp_";
const MARK: &str = "fr.passerelle.import";

/// Reads the room as the invited member and compares everything with the sample: count, order,
/// time, author as shown, text, each file's bytes and type, and the mark on each event.
pub async fn assert_room_is(world: &World, job: &str, sample: &Sample, plan: &str) {
    let room = world.room(job).await;
    let member = world.eyes(&world.member);
    member.join(&room).await;
    let messages = member.messages(&room, 200).await;
    let found: Vec<_> = messages.iter().map(|event| event["content"]["body"].clone()).collect();
    assert_eq!(messages.len(), sample.truth.len(), "{found:#?}");
    let shown = shown_names(sample, plan);
    let members = member.joined_members(&room).await;
    let mut marks = BTreeSet::new();
    let mut files = 0;
    for (number, (event, truth)) in messages.iter().zip(&sample.truth).enumerate() {
        let at = || format!("record {number}, {truth:?}:\n{event:#}");
        assert_eq!(event["type"], "m.room.message", "{}", at());
        assert_eq!(event["origin_server_ts"], truth.utc_millis, "{}", at());
        let sender = event["sender"].as_str().unwrap();
        match &truth.sender {
            None => assert_eq!(sender, BOT, "{}", at()),
            Some(name) => {
                assert!(sender.starts_with(GHOSTS), "{}", at());
                assert_eq!(members[sender], format!("{} [WhatsApp]", shown[name]), "{}", at());
            }
        }
        let content = &event["content"];
        match (&truth.sender, &truth.file) {
            (None, _) => assert_notice(content, truth, &at),
            (Some(_), None) => assert_text(content, truth, &at),
            (Some(_), Some(_)) => {
                assert_file(&member, content, truth, &at).await;
                files += 1;
            }
        }
        let mark = &content[MARK];
        assert_eq!(mark["job"], job, "{}", at());
        assert_eq!(mark["archive"], hex::encode(Sha256::digest(&sample.bytes)), "{}", at());
        let key = (mark["message"].as_str().unwrap().to_owned(), mark["part"].as_u64().unwrap());
        assert!(marks.insert(key), "two events carry one mark; {}", at());
    }
    assert_eq!(files, sample.truth.iter().filter(|truth| truth.file.is_some()).count());
}

fn assert_notice(content: &Value, truth: &Truth, at: &dyn Fn() -> String) {
    assert_eq!(content["msgtype"], "m.notice", "{}", at());
    let body = content["body"].as_str().unwrap();
    // The bot words joins and titles itself; what they are about must be there.
    let about = match truth.text.split_once(['“', '”']) {
        Some((_, title)) => title.trim_end_matches('”'),
        None => truth.text.strip_prefix("Vous avez ajouté ").unwrap_or(&truth.text),
    };
    assert!(body.contains(about), "{}", at());
}

fn assert_text(content: &Value, truth: &Truth, at: &dyn Fn() -> String) {
    assert_eq!(content["msgtype"], "m.text", "{}", at());
    let bold = truth.text.strip_prefix('*').and_then(|text| text.strip_suffix('*'));
    assert_eq!(content["body"], bold.unwrap_or(&truth.text), "{}", at());
    if let Some(bold) = bold {
        assert_eq!(content["formatted_body"], format!("<strong>{bold}</strong>"), "{}", at());
    }
}

async fn assert_file(member: &Member, content: &Value, truth: &Truth, at: &dyn Fn() -> String) {
    let file = truth.file.as_ref().unwrap();
    assert!(["m.image", "m.file"].contains(&content["msgtype"].as_str().unwrap()), "{}", at());
    assert_eq!(content["filename"], file.name, "{}", at());
    let body = if truth.text.is_empty() { &file.name } else { &truth.text };
    assert_eq!(content["body"], *body, "{}", at());
    assert_eq!(content["info"]["mimetype"], file.mime_type, "{}", at());
    assert_eq!(content["info"]["size"], file.size_bytes, "{}", at());
    let download = member.download(content["url"].as_str().unwrap()).await;
    assert_eq!(hex::encode(Sha256::digest(&download.bytes)), file.sha256, "{}", at());
    assert_eq!(download.content_type, file.mime_type, "{}", at());
}

/// Each sender of the sample and the name the approved plan gives them. People of one name are
/// told apart by how much they wrote.
fn shown_names<'a>(sample: &'a Sample, plan: &str) -> BTreeMap<&'a String, String> {
    let plan: toml::Table = plan.parse().unwrap();
    let people = plan["participant"].as_array().unwrap();
    let mut counts: BTreeMap<&String, i64> = BTreeMap::new();
    for sender in sample.truth.iter().filter_map(|truth| truth.sender.as_ref()) {
        *counts.entry(sender).or_default() += 1;
    }
    // Somebody who was only added by another has written nothing.
    let wrote = people.iter().filter(|person| person["messages"].as_integer() != Some(0));
    assert_eq!(wrote.count(), counts.len(), "{people:#?}");
    let shown = counts.into_iter().map(|(sender, count)| {
        let matching: Vec<_> = people
            .iter()
            .filter(|person| {
                plain(person["exported_name"].as_str().unwrap()) == plain(sender)
                    && person["messages"].as_integer() == Some(count)
            })
            .collect();
        assert_eq!(matching.len(), 1, "{sender} wrote {count}: {people:#?}");
        (sender, matching[0]["name"].as_str().unwrap().to_owned())
    });
    let shown: BTreeMap<_, _> = shown.collect();
    assert_eq!(shown.values().collect::<BTreeSet<_>>().len(), shown.len(), "{shown:?}");
    shown
}

/// Without direction marks and the sign of an unsaved contact, with plain spaces.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '\u{200e}' | '\u{202a}'..='\u{202e}' | '~'));
    let spaced = kept.map(|c| if c.is_whitespace() { ' ' } else { c });
    spaced.collect::<String>().trim().to_owned()
}

/// No message, name, number, file name or token of this world may be in the daemon's log.
pub fn assert_log_is_discreet(world: &World, sample: &Sample) {
    let log = world.log();
    assert!(log.contains("passerelle is running"), "this is not the log: {log}");
    let mut secrets: BTreeSet<String> = BTreeSet::new();
    for truth in &sample.truth {
        secrets.extend(truth.text.lines().filter(|line| line.len() > 8).map(str::to_owned));
        secrets.extend(truth.file.iter().map(|file| file.name.clone()));
        if let Some(sender) = &truth.sender {
            secrets.extend(plain(sender).split(' ').filter(|w| w.len() > 4).map(str::to_owned));
            let digits: String = sender.chars().filter(char::is_ascii_digit).collect();
            secrets.extend((!digits.is_empty()).then_some(digits));
        }
    }
    secrets.extend(["39 98", "39\u{a0}98", "Cellule", "Discussion WhatsApp"].map(str::to_owned));
    for account in [&world.admin, &world.member, &world.witness] {
        secrets.insert(account.token.clone());
        secrets.insert(account.user_id.clone());
    }
    for file in ["secrets/as_token", "secrets/hs_token"] {
        secrets.insert(std::fs::read_to_string(world.path(file)).unwrap().trim().to_owned());
    }
    assert!(secrets.len() > 15);
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "the log tells `{secret}`: {line:?}");
    }
}
