//! Service messages: what the messenger itself said.
//!
//! JSON has a keyword and fields, no sentence. What the neutral model has a kind for is given by
//! kind, actor and targets; for the rest, and for details that no kind holds, an English sentence
//! is made here. An action that is not in the list (new ones appear every two months) keeps its
//! keyword and fields as words, and is reported.

use super::fields::Fields;
use super::ids;
use super::sentences::{sentence, who};
use crate::model::author::Author;
use crate::model::message::Call;
use crate::model::system::SystemKind;

/// What a service message says.
#[derive(Debug)]
pub(super) enum Act {
    /// A line of the messenger.
    System { kind: SystemKind, targets: Vec<Author>, text: String },
    /// A call.
    Call(Call),
}

/// What was read, and what else is known of it.
#[derive(Debug)]
pub(super) struct Acted {
    pub(super) act: Act,
    /// The message it points at: the pinned one.
    pub(super) points_at: Option<i64>,
    /// Whether the action is one we know.
    pub(super) known: bool,
}

/// What surrounds the action's own fields.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// The actor, as the message names them.
    pub(super) actor: Option<&'a Author>,
    /// `from` of the few actions that have it.
    pub(super) from: Option<&'a str>,
    /// `duration_seconds`.
    pub(super) duration_s: Option<u64>,
    /// The words of a message that has some: the button of `send_webview_data`.
    pub(super) words: &'a str,
    /// What a photo of the chat is called, or why it is not there.
    pub(super) photo: Option<&'a str>,
}

/// A person of whom the export gives the name alone.
pub(super) fn by_name(name: Option<&str>) -> Author {
    match name {
        Some(name) => Author { id: ids::named(name), name: name.to_owned() },
        None => Author { id: ids::nobody(), name: String::new() },
    }
}

/// Reads a service message's action and takes its fields.
pub(super) fn read(action: Option<&str>, fields: &mut Fields, scene: &Scene<'_>) -> Acted {
    let mut points_at = None;
    let mut known = true;
    let act = if let Some(action) = action {
        let act = chat_life(action, fields, scene, &mut points_at)
            .or_else(|| calls(action, fields, scene))
            .or_else(|| sentence(action, fields, scene).map(|text| other(&text)));
        known = act.is_some();
        act.unwrap_or_else(|| {
            let mut text = format!("unknown action {action}");
            let described = fields.describe();
            if !described.is_empty() {
                text.push('\n');
                text.push_str(&described);
            }
            other(&text)
        })
    } else if let Some(text) = fields.words("information_text") {
        // A custom action has no keyword, only the server's own words.
        other(&text)
    } else {
        known = false;
        other(&fields.describe())
    };
    Acted { act, points_at, known }
}

fn other(text: &str) -> Act {
    system(SystemKind::Other, Vec::new(), text.to_owned())
}

fn system(kind: SystemKind, targets: Vec<Author>, text: String) -> Act {
    Act::System { kind, targets, text }
}

fn people(names: &[Option<String>]) -> Vec<Author> {
    names.iter().map(|name| by_name(name.as_deref())).collect()
}

/// Whether the only member named is the actor: a join or leave by one's own will.
fn alone(names: &[Option<String>], scene: &Scene<'_>) -> bool {
    match (names, scene.actor) {
        ([Some(name)], Some(actor)) => *name == actor.name,
        ([None], Some(actor)) => actor.name.is_empty(),
        (_, Some(_) | None) => false,
    }
}

/// What happened to the chat and its members: what the model has kinds for.
fn chat_life(
    action: &str,
    fields: &mut Fields,
    scene: &Scene<'_>,
    points_at: &mut Option<i64>,
) -> Option<Act> {
    let none = String::new;
    Some(match action {
        "create_group" => {
            let members = people(&fields.names("members"));
            system(SystemKind::Created { title: fields.words("title") }, members, none())
        }
        "create_channel" => {
            system(SystemKind::Created { title: fields.words("title") }, Vec::new(), none())
        }
        "edit_group_title" => {
            system(SystemKind::Renamed { title: fields.words("title") }, Vec::new(), none())
        }
        "edit_group_photo" => {
            let text = scene.photo.map(|photo| format!("new photo: {photo}")).unwrap_or_default();
            system(SystemKind::PhotoChanged, Vec::new(), text)
        }
        "delete_group_photo" => {
            system(SystemKind::PhotoChanged, Vec::new(), "the photo was removed".to_owned())
        }
        "invite_members" => {
            let members = fields.names("members");
            if alone(&members, scene) {
                system(SystemKind::Joined, Vec::new(), none())
            } else {
                system(SystemKind::Added, people(&members), none())
            }
        }
        "remove_members" => {
            let members = fields.names("members");
            if alone(&members, scene) {
                system(SystemKind::Left, Vec::new(), none())
            } else {
                system(SystemKind::Removed, people(&members), none())
            }
        }
        "join_group_by_link" => {
            let text = fields
                .words("inviter")
                .map(|inviter| format!("joined by the invitation link of {inviter}"))
                .unwrap_or_default();
            system(SystemKind::Joined, Vec::new(), text)
        }
        "join_group_by_request" => {
            system(SystemKind::Joined, Vec::new(), "joined after a request".to_owned())
        }
        "join_group_via_community" => {
            let community = fields.words("community_id").unwrap_or_default();
            let text = format!("joined by way of the community {community}");
            system(SystemKind::Joined, Vec::new(), text)
        }
        "pin_message" => {
            *points_at = fields.number("message_id");
            system(SystemKind::Pinned, Vec::new(), none())
        }
        "set_messages_ttl" => {
            let text = match fields.number("period") {
                Some(0) | None => "messages are no longer deleted automatically".to_owned(),
                Some(period) => {
                    format!("messages are deleted automatically after {period} seconds")
                }
            };
            system(SystemKind::Ephemeral, Vec::new(), text)
        }
        "new_creator_pending" | "change_creator" => {
            let creator = fields.words("new_creator");
            let text = if action == "change_creator" { "new owner" } else { "next owner" };
            system(SystemKind::AdminChanged, vec![by_name(creator.as_deref())], text.to_owned())
        }
        "invite_to_group_call" => {
            let members = people(&fields.names("members"));
            system(
                SystemKind::Other,
                members,
                format!("{} to the voice chat", who(scene, "invited")),
            )
        }
        _ => return None,
    })
}

fn calls(action: &str, fields: &mut Fields, scene: &Scene<'_>) -> Option<Act> {
    let call = |missed, duration_s, text: &str| {
        Act::Call(Call { video: false, missed, duration_s, text: text.to_owned() })
    };
    Some(match action {
        "phone_call" => {
            let reason = fields.words("discard_reason").unwrap_or_default();
            let missed = scene.duration_s.is_none() && matches!(reason.as_str(), "missed" | "busy");
            call(missed, scene.duration_s, &reason)
        }
        "conference_call" => {
            let active = fields.flag("is_active");
            let missed = fields.flag("is_missed");
            let text = if active { "conference call, still going on" } else { "conference call" };
            call(missed, scene.duration_s, text)
        }
        "group_call" => {
            let seconds = fields.number("duration").and_then(|s| u64::try_from(s).ok());
            call(false, seconds, "voice chat")
        }
        _ => return None,
    })
}
