//! Which findings of the exports still hold for what was made of them.

use std::collections::BTreeSet;

use super::choice::Choice;
use crate::model::finding::{Finding, FindingKind, Place};

/// What is looked at anew in the merged chat, or no longer true of it.
pub(super) fn is_settled(kind: FindingKind) -> bool {
    match kind {
        FindingKind::AttachmentMissing
        | FindingKind::ReplyTargetMissing
        | FindingKind::NameIsNumber
        | FindingKind::OtherChatsPresent
        | FindingKind::OrphanFiles => true,
        FindingKind::Unreadable
        | FindingKind::UnknownKind
        | FindingKind::UnknownField
        | FindingKind::InvalidText
        | FindingKind::Truncated
        | FindingKind::Repaired
        | FindingKind::UnsafeEntry
        | FindingKind::DateOrderUncertain
        | FindingKind::ImpossibleTime
        | FindingKind::AmbiguousTime
        | FindingKind::ProbablyCut
        | FindingKind::BeginningMissing
        | FindingKind::NamesakesPossible
        | FindingKind::AttachmentMismatch
        | FindingKind::Expired
        | FindingKind::Conflict
        | FindingKind::OwnMessagesOnly
        | FindingKind::NotInFormat
        | FindingKind::NotCarried => false,
    }
}

/// A cut is one only where every export is cut.
pub(super) fn is_mended(kind: FindingKind, choice: &Choice<'_>) -> bool {
    matches!(kind, FindingKind::ProbablyCut | FindingKind::BeginningMissing)
        && choice.held.iter().any(|(_, chat)| !chat.finding_counts.contains_key(&kind))
}

/// What a survey says of the whole chat and reading it does not.
pub(super) fn of_the_chat<'c>(
    choice: &'c Choice<'_>,
    source: usize,
    met: &'c BTreeSet<FindingKind>,
) -> impl Iterator<Item = Finding> + 'c {
    let chat = choice.held.iter().filter(move |(held, _)| *held == source);
    chat.flat_map(|(_, chat)| &chat.findings)
        .filter(|finding| finding.message.is_none() && !met.contains(&finding.kind))
        .cloned()
}

/// Says which export a place is in.
pub(super) fn placed(place: &mut Place, source: usize) {
    place.entry = format!("source-{}/{}", source + 1, place.entry);
}
