//! What is to be said of a message beside the message: gathered while it is converted, told
//! after it.

use super::fields::truncate;
use super::media::Remarks;
use super::repair::Repairs;
use super::value::{Name, Str};
use crate::model::finding::FindingKind;
use crate::model::message::Forwarded;

/// How much of a key's name is repeated.
const LONGEST_NAME: usize = 200;

/// The findings of one message.
#[derive(Debug, Default)]
pub(super) struct Told(pub(super) Vec<(FindingKind, String)>);

impl Told {
    /// Adds a finding.
    pub(super) fn tell(&mut self, kind: FindingKind, detail: impl Into<String>) {
        self.0.push((kind, detail.into()));
    }

    /// What had to be mended before the record could be parsed.
    pub(super) fn repairs(&mut self, repairs: Repairs, misshapen: &[String]) {
        let Repairs { escapes, unquoted, not_text } = repairs;
        if escapes {
            self.tell(FindingKind::Repaired, "control characters written in an invalid way");
        }
        if unquoted {
            self.tell(FindingKind::Repaired, "the path of an emoji without quotes");
        }
        if not_text {
            self.tell(FindingKind::InvalidText, "bytes that are not UTF-8");
        }
        if !misshapen.is_empty() {
            let mut names = misshapen.join(", ");
            truncate(&mut names, LONGEST_NAME);
            self.tell(FindingKind::UnknownField, format!("unexpected form: {names}"));
        }
    }

    /// What was remarked on the files of the message.
    pub(super) fn remarks(&mut self, remarks: Remarks) {
        let Remarks { lost, not_carried, unknown_type } = remarks;
        for path in lost {
            self.tell(FindingKind::AttachmentMissing, path);
        }
        for what in not_carried {
            self.tell(FindingKind::NotCarried, what);
        }
        if let Some(mut unknown) = unknown_type {
            truncate(&mut unknown, 64);
            self.tell(FindingKind::UnknownKind, format!("an unknown kind of file: {unknown}"));
        }
    }

    /// The fields nobody took.
    pub(super) fn left(&mut self, left: &[&str]) {
        if !left.is_empty() {
            let mut names = left.join(", ");
            truncate(&mut names, LONGEST_NAME);
            self.tell(FindingKind::UnknownField, names);
        }
    }

    /// What the neutral model has no place for.
    pub(super) fn uncarried(
        &mut self,
        saved_from: &Name<'_>,
        forwarded: Option<&Forwarded>,
        signature: Option<&Str<'_>>,
        via_bot: Option<&Str<'_>>,
    ) {
        let original = forwarded.and_then(|forwarded| forwarded.from.as_ref());
        let original = original.map(|author| author.name.as_str());
        if saved_from.known().is_some_and(|saved| original != Some(saved)) {
            self.tell(FindingKind::NotCarried, "the chat a saved message came from");
        }
        if signature.is_some_and(|signature| !signature.0.is_empty()) {
            self.tell(FindingKind::NotCarried, "the signature of a post");
        }
        if via_bot.is_some() {
            self.tell(FindingKind::NotCarried, "the bot by way of which a message was made");
        }
    }
}
