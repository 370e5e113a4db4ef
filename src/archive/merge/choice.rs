//! Which chats of which exports are merged.

use super::error::MergeError;
use crate::archive::reader::{ChatSurvey, IdScope, Survey};
use crate::model::ids::ChatId;

/// One chat of the merged archive: where it lies in each export that holds it.
#[derive(Debug)]
pub(super) struct Choice<'s> {
    /// The id it gets: the first export's.
    pub(super) id: ChatId,
    /// The export's number and the chat there; in the order of the exports.
    pub(super) held: Vec<(usize, &'s ChatSurvey)>,
}

/// What the caller asks for.
pub(super) struct Wanted<'w> {
    /// These chats; where empty, those that more than one export holds.
    pub(super) chats: &'w [ChatId],
    /// Each export holds one chat, and all of them are the same.
    pub(super) one_chat: bool,
}

/// Chooses, and refuses what cannot be compared.
pub(super) fn choose<'s>(
    surveys: &'s [Survey],
    wanted: &Wanted<'_>,
) -> Result<Vec<Choice<'s>>, MergeError> {
    if let [first, others @ ..] = surveys
        && let Some(other) = others.iter().find(|other| other.network != first.network)
    {
        let (first, other) = (first.network.to_string(), other.network.to_string());
        return Err(MergeError::Networks { first, other });
    }
    let choices = if wanted.one_chat { vec![the_one(surveys)?] } else { by_id(surveys, wanted)? };
    for choice in &choices {
        comparable(choice)?;
    }
    Ok(choices)
}

fn the_one(surveys: &[Survey]) -> Result<Choice<'_>, MergeError> {
    let mut held = Vec::new();
    for (source, survey) in surveys.iter().enumerate() {
        let [chat] = survey.chats.as_slice() else {
            return Err(MergeError::SeveralChats { chats: survey.chats.len() });
        };
        held.push((source, chat));
    }
    let id = held.first().map(|(_, chat)| chat.id.clone()).ok_or(MergeError::NothingInCommon)?;
    Ok(Choice { id, held })
}

fn by_id<'s>(surveys: &'s [Survey], wanted: &Wanted<'_>) -> Result<Vec<Choice<'s>>, MergeError> {
    let mut choices: Vec<Choice<'_>> = Vec::new();
    for (source, survey) in surveys.iter().enumerate() {
        for chat in &survey.chats {
            match choices.iter_mut().find(|choice| choice.id == chat.id) {
                Some(choice) => choice.held.push((source, chat)),
                None => {
                    choices.push(Choice { id: chat.id.clone(), held: vec![(source, chat)] });
                }
            }
        }
    }
    let missing = wanted.chats.iter().find(|id| !choices.iter().any(|choice| choice.id == **id));
    if let Some(chat) = missing {
        return Err(MergeError::NoSuchChat { chat: chat.clone() });
    }
    if wanted.chats.is_empty() {
        // A member's other conversations are nobody's business.
        choices.retain(|choice| choice.held.len() > 1);
    } else {
        choices.retain(|choice| wanted.chats.contains(&choice.id));
    }
    if choices.is_empty() { Err(MergeError::NothingInCommon) } else { Ok(choices) }
}

/// Ids that each account gives by itself mean something only among exports of one person.
fn comparable(choice: &Choice<'_>) -> Result<(), MergeError> {
    let Some((_, first)) = choice.held.first() else { return Ok(()) };
    let by_account = choice.held.iter().any(|(_, chat)| chat.id_scope == IdScope::OneExporter);
    let one_person = first.exporter.is_some()
        && choice.held.iter().all(|(_, chat)| chat.exporter == first.exporter);
    if by_account && choice.held.len() > 1 && !one_person {
        return Err(MergeError::NotComparable { chat: choice.id.clone() });
    }
    Ok(())
}
