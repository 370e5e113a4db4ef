//! The plan: what an import will do, made from the archive and edited by a person.
//!
//! Its *facts* come from the archive and are sealed with a digest; its *decisions* are the
//! administrator's. Nothing is sent before every decision that is due has been taken.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::objection::{EXPORTER_UNKNOWN, FORM, Objection, PlanError};
use super::room_plan::RoomPlan;
use crate::archive::Options;
use crate::config::RoomsSection;
use crate::convert::{Attribution, SystemLines};
use crate::model::finding::FindingKind;
use crate::model::ids::{ChatId, Network, ParticipantId, Sha256};
use crate::portal::Refusals;

/// A whole plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this form.
    pub form: u32,
    /// SHA-256 over the facts; a plan whose facts were edited is refused.
    pub seal: Sha256,
    /// Who answers for it.
    pub approval: Approval,
    /// Facts about the archive.
    pub archive: PlanFacts,
    /// How the archive is to be read.
    pub reading: Reading,
    /// The room.
    pub room: RoomPlan,
    /// How messages look.
    pub messages: MessagesPlan,
    /// Everybody, with the decisions about them.
    #[serde(rename = "participant", default)]
    pub participants: Vec<ParticipantPlan>,
}

/// Who answers for a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The person's name and office; stands in the report.
    pub by: String,
}

/// What was found in the archive. Sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFacts {
    /// The file's or folder's name, without its path.
    pub file: String,
    /// Its digest.
    pub sha256: Sha256,
    /// The messenger.
    pub network: Network,
    /// The kind of export.
    pub format: String,
    /// The chat that is imported.
    pub chat: ChatId,
    /// Its title in the export.
    pub title: String,
    /// Messages in it.
    pub messages: u64,
    /// Records in it: messages, and what the reader could not read as one.
    pub records: u64,
    /// Who made the export, where the export itself says so; empty elsewhere.
    #[serde(default)]
    pub stated_exporter: String,
    /// The oldest message, RFC 3339.
    pub first: String,
    /// The oldest message, milliseconds since 1970.
    pub first_ms: i64,
    /// The newest message, RFC 3339.
    pub last: String,
    /// Files the archive holds for it.
    pub files: u64,
    /// Their bytes.
    pub files_bytes: u64,
    /// Files that are larger than the homeserver allows; named in the room, not uploaded.
    pub files_too_large: u64,
    /// Files that messages name and the archive does not hold.
    pub files_absent: u64,
    /// What the reader could not read, or had to assume; how often.
    #[serde(default)]
    pub findings: BTreeMap<FindingKind, u64>,
}

/// How the archive is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The IANA zone of the phone's wall clock.
    pub time_zone: String,
    /// The participant id of the person who made the export; `?` when nobody knows; empty until
    /// somebody has answered.
    pub exporter: String,
}

/// How messages look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagesPlan {
    /// Who appears to speak.
    pub attribution: Attribution,
    /// What becomes of the messenger's own lines.
    pub system_lines: SystemLines,
    /// What becomes of the import when the homeserver refuses an event for good.
    #[serde(default)]
    pub refusals: Refusals,
}

/// One person of the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParticipantPlan {
    /// The participant's id. Sealed.
    pub id: ParticipantId,
    /// The name in the export. Sealed.
    pub exported_name: String,
    /// Messages they wrote. Sealed.
    pub messages: u64,
    /// What the ghost is called.
    pub name: String,
    /// Their own Tchap account, if they have one. Mentioned, never spoken for.
    #[serde(default)]
    pub account: String,
    /// Whether a person has looked at this entry.
    pub reviewed: bool,
}

pub(super) fn seal(facts: &PlanFacts, participants: &[ParticipantPlan]) -> Sha256 {
    let people: Vec<_> = participants
        .iter()
        .map(|person| (&person.id, &person.exported_name, person.messages))
        .collect();
    let sealed = serde_json::to_vec(&(facts, people)).expect("facts are plain values");
    Sha256::from_bytes(sha2::Sha256::digest(sealed).into())
}

impl Plan {
    /// Reads a plan's file.
    ///
    /// # Errors
    /// When it is not TOML, not a plan, or of another version.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        #[derive(Deserialize)]
        struct Head {
            form: u32,
        }
        let unreadable = |error: toml::de::Error| PlanError::Unreadable {
            reason: error.to_string().trim_end().to_owned(),
        };
        let head: Head = toml::from_str(text).map_err(unreadable)?;
        if head.form != FORM {
            return Err(PlanError::Form { found: head.form });
        }
        toml::from_str(text).map_err(unreadable)
    }

    /// Everything that keeps this plan from being started in this installation; empty when it
    /// can be.
    pub fn objections(&self, rooms: &RoomsSection) -> Vec<Objection> {
        let mut list = Vec::new();
        if seal(&self.archive, &self.participants) != self.seal {
            list.push(Objection::SealBroken);
        }
        if self.approval.by.trim().is_empty() {
            list.push(Objection::NotApproved);
        }
        if self.reading.exporter.is_empty() {
            list.push(Objection::ExporterUnknown);
        } else if self.reading.exporter != EXPORTER_UNKNOWN
            && self.reading.exporter != self.archive.stated_exporter
            && !self.participants.iter().any(|one| one.id.as_str() == self.reading.exporter)
        {
            list.push(Objection::ExporterNotThere);
        }
        if TimeZone::get(&self.reading.time_zone).is_err() {
            list.push(Objection::TimeZone { found: self.reading.time_zone.clone() });
        }
        list.extend(self.room.objections(rooms));
        let mut names = BTreeSet::new();
        for (index, person) in self.participants.iter().enumerate() {
            let number = index + 1;
            let name = person.name.trim().to_owned();
            if !person.reviewed {
                list.push(Objection::NotReviewed { number, name: name.clone() });
            }
            if name.is_empty() {
                list.push(Objection::NoName { number });
            } else if !names.insert(name.to_lowercase()) {
                list.push(Objection::SameName { name });
            }
            if !person.account.is_empty() && person.account().is_none() {
                list.push(Objection::BadAccount { number, found: person.account.clone() });
            }
        }
        list
    }

    /// How the archive is to be read; `None` when the zone is not one.
    pub fn options(&self) -> Option<Options> {
        let time_zone = TimeZone::get(&self.reading.time_zone).ok()?;
        let named = self.reading.exporter != EXPORTER_UNKNOWN;
        Some(Options {
            time_zone,
            only_chat: Some(self.archive.chat.clone()),
            exporter: named.then(|| ParticipantId::new(&self.reading.exporter)),
            ..Options::default()
        })
    }
}

impl ParticipantPlan {
    /// Their own account, if one is given and is a user id.
    pub fn account(&self) -> Option<OwnedUserId> {
        OwnedUserId::try_from(self.account.as_str()).ok()
    }
}
