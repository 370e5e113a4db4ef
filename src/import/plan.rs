//! The plan: what an import will do, made from the archive and edited by a person.
//!
//! Its *facts* come from the archive and are sealed with a digest; its *decisions* are the
//! administrator's. Nothing is sent before every decision that is due has been taken.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};
use sha2::Digest;
use thiserror::Error;

use super::error::ImportError;
use crate::archive::{Archive, ChatSurvey, NameKind, Options, ParticipantSurvey, Record, Survey};
use crate::convert::{Attribution, SystemLines};
use crate::matrix::{Lookup, RoomKind};
use crate::model::finding::FindingKind;
use crate::model::ids::{ChatId, Network, ParticipantId, Sha256};
use crate::model::media::AttachmentState;

/// What the plan's file says for an exporter nobody knows.
pub const PARTICIPANT_EXPORTER_UNKNOWN: &str = "?";

/// The version of the plan's form.
const FORM: u32 = 1;

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

/// The room to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomPlan {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: RoomKind,
    /// The people who own it; at least one, at power level 100 from the start.
    pub admins: Vec<OwnedUserId>,
    /// The people invited once the room is verified.
    pub invite: Vec<OwnedUserId>,
}

/// How messages look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagesPlan {
    /// Who appears to speak.
    pub attribution: Attribution,
    /// What becomes of the messenger's own lines.
    pub system_lines: SystemLines,
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

/// What the administrator says when asking for a plan.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The chat, where the archive holds several.
    pub chat: Option<ChatId>,
    /// The room's name; the chat's title when absent.
    pub room_name: Option<String>,
    /// The room's owners.
    pub admins: Vec<OwnedUserId>,
    /// The people to be invited.
    pub invite: Vec<OwnedUserId>,
    /// Files over this size stay out; 0 leaves it to the homeserver.
    pub max_file_bytes: u64,
}

/// Why a plan cannot be made or used.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The file is not a plan.
    #[error("this is not a plan: {reason}")]
    Unreadable {
        /// What is wrong, with its place.
        reason: String,
    },
    /// Another version of the form.
    #[error("the plan has form {found}, this version reads form {FORM}")]
    Form {
        /// The form found.
        found: u32,
    },
    /// The archive holds several chats and none was chosen.
    #[error("the archive holds {} chats, choose one with --chat", chats.len())]
    ChatWanted {
        /// Their ids and titles.
        chats: Vec<(ChatId, String)>,
    },
    /// There is nothing to import.
    #[error("the chat holds no message")]
    NoMessage,
    /// Decisions that are due, or facts that were edited.
    #[error("the plan cannot be started yet")]
    Objections(Vec<Objection>),
}

/// One thing that keeps a plan from being started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "objection", rename_all = "snake_case")]
pub enum Objection {
    /// The facts are not those the seal covers.
    SealBroken,
    /// Nobody answers for it.
    NotApproved,
    /// Nobody said who made the export.
    ExporterUnknown,
    /// The exporter is not one of the participants.
    ExporterNotThere,
    /// The zone is not an IANA zone.
    TimeZone {
        /// What is written.
        found: String,
    },
    /// The room has no human owner.
    NoAdmin,
    /// The room has no name.
    NoRoomName,
    /// A person nobody has looked at.
    NotReviewed {
        /// The participant's number in the plan, from 1.
        number: usize,
        /// The name that is proposed.
        name: String,
    },
    /// A person without a name.
    NoName {
        /// The participant's number in the plan, from 1.
        number: usize,
    },
    /// Two people who would look the same.
    SameName {
        /// The name they share.
        name: String,
    },
    /// Not a Matrix user id.
    BadAccount {
        /// The participant's number in the plan, from 1.
        number: usize,
        /// What is written.
        found: String,
    },
}

impl std::fmt::Display for Objection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SealBroken => f.write_str(
                "facts of the plan were edited (archive, id, exported_name or messages); make the plan anew",
            ),
            Self::NotApproved => f.write_str("approval.by is empty: who answers for this import?"),
            Self::ExporterUnknown => write!(
                f,
                "reading.exporter is empty: put the id of the participant who made the export, or \"{PARTICIPANT_EXPORTER_UNKNOWN}\""
            ),
            Self::ExporterNotThere => f.write_str("reading.exporter is no participant's id"),
            Self::TimeZone { found } => {
                write!(f, "reading.time_zone is `{found}`, expected an IANA zone such as Europe/Paris")
            }
            Self::NoAdmin => f.write_str("room.admins is empty: who owns the room?"),
            Self::NoRoomName => f.write_str("room.name is empty"),
            Self::NotReviewed { number, name } => {
                write!(f, "participant {number} (`{name}`) is not reviewed")
            }
            Self::NoName { number } => write!(f, "participant {number} has no name"),
            Self::SameName { name } => {
                write!(f, "several participants are named `{name}`: tell them apart")
            }
            Self::BadAccount { number, found } => {
                write!(f, "the account of participant {number} is `{found}`, expected @name:server")
            }
        }
    }
}

/// Makes a plan. Reads the archive and, through a handle that cannot write, the homeserver.
///
/// # Errors
/// When the archive cannot be read, holds several chats and none was chosen, or the homeserver
/// cannot be asked for its limit.
pub async fn plan(
    archive: std::sync::Arc<Archive>,
    lookup: Option<&Lookup>,
    wishes: Wishes,
) -> Result<Plan, ImportError> {
    let server_limit = match lookup {
        Some(lookup) => lookup.upload_limit_bytes().await?,
        None => u64::MAX,
    };
    let limit = match wishes.max_file_bytes {
        0 => server_limit,
        wanted => wanted.min(server_limit),
    };
    let read = tokio::task::spawn_blocking(move || {
        let survey = archive.survey()?;
        let chat = choose(&survey, wishes.chat.as_ref())?.clone();
        if chat.messages == 0 {
            return Err(PlanError::NoMessage.into());
        }
        let mut too_large = 0;
        archive.read(&chat.id, &mut |record| {
            if let Record::Message(message) = record {
                let large = message.body.attachments().into_iter().filter(|file| {
                    file.state == AttachmentState::Present
                        && file.size_bytes.is_some_and(|size| size > limit)
                });
                too_large += large.count() as u64;
            }
            crate::archive::Flow::Continue
        })?;
        let sha256 = archive.container().digest().map_err(crate::archive::ArchiveError::from)?;
        let file = archive.container().path().file_name().unwrap_or_default();
        let facts = PlanFacts {
            file: file.to_string_lossy().into_owned(),
            sha256,
            network: survey.network,
            format: survey.format.clone(),
            chat: chat.id.clone(),
            title: chat.title.clone(),
            messages: chat.messages,
            records: chat.records,
            first: chat.first.as_ref().map(|at| at.at.to_string()).unwrap_or_default(),
            first_ms: chat.first.as_ref().map_or(0, |at| at.at.0),
            last: chat.last.as_ref().map(|at| at.at.to_string()).unwrap_or_default(),
            files: chat.files.present,
            files_bytes: chat.files.present_bytes,
            files_too_large: too_large,
            files_absent: chat.files.missing + chat.files.omitted,
            findings: findings(&survey, &chat),
        };
        Ok::<_, ImportError>(compose(facts, &chat, archive.options(), wishes))
    });
    read.await.map_err(|error| ImportError::Task { reason: error.to_string() })?
}

/// The chat's findings and those of the whole export.
fn findings(survey: &Survey, chat: &ChatSurvey) -> BTreeMap<FindingKind, u64> {
    let mut counts = chat.finding_counts.clone();
    for finding in &survey.findings {
        *counts.entry(finding.kind).or_default() += 1;
    }
    counts
}

fn choose<'a>(survey: &'a Survey, wanted: Option<&ChatId>) -> Result<&'a ChatSurvey, PlanError> {
    let list = || survey.chats.iter().map(|chat| (chat.id.clone(), chat.title.clone())).collect();
    match (wanted, survey.chats.as_slice()) {
        (Some(id), chats) => chats
            .iter()
            .find(|chat| chat.id == *id)
            .ok_or_else(|| PlanError::ChatWanted { chats: list() }),
        (None, [only]) => Ok(only),
        (None, []) => Err(PlanError::NoMessage),
        (None, _) => Err(PlanError::ChatWanted { chats: list() }),
    }
}

fn compose(facts: PlanFacts, chat: &ChatSurvey, options: &Options, wishes: Wishes) -> Plan {
    let participants = propose_names(&chat.participants);
    let seal = seal(&facts, &participants);
    let zone = options.time_zone.iana_name().unwrap_or("UTC").to_owned();
    let name = wishes.room_name.unwrap_or_else(|| facts.title.clone());
    Plan {
        form: FORM,
        seal,
        approval: Approval::default(),
        reading: Reading {
            time_zone: zone,
            exporter: chat.exporter.as_ref().map(ToString::to_string).unwrap_or_default(),
        },
        room: RoomPlan {
            name,
            kind: RoomKind::PrivateUnencrypted,
            admins: wishes.admins,
            invite: wishes.invite,
        },
        messages: MessagesPlan {
            attribution: Attribution::Ghosts,
            system_lines: SystemLines::Notices,
        },
        participants,
        archive: facts,
    }
}

/// A name for each person: the exported one where it is a name, « Participant 3 » where it is a
/// number or nothing, with namesakes told apart. Numbers are never proposed.
fn propose_names(people: &[ParticipantSurvey]) -> Vec<ParticipantPlan> {
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    people
        .iter()
        .enumerate()
        .map(|(index, person)| {
            let wanted = match person.name_kind {
                NameKind::Name | NameKind::PushName if !person.name.trim().is_empty() => {
                    person.name.trim().to_owned()
                }
                NameKind::Name | NameKind::PushName | NameKind::Number | NameKind::Missing => {
                    format!("Participant {}", index + 1)
                }
            };
            let times = taken.entry(wanted.to_lowercase()).or_insert(0);
            *times += 1;
            let name = if *times == 1 { wanted } else { format!("{wanted} ({times})") };
            ParticipantPlan {
                id: person.id.clone(),
                exported_name: person.name.clone(),
                messages: person.messages,
                name,
                account: String::new(),
                reviewed: false,
            }
        })
        .collect()
}

fn seal(facts: &PlanFacts, participants: &[ParticipantPlan]) -> Sha256 {
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

    /// Everything that keeps this plan from being started; empty when it can be.
    pub fn objections(&self) -> Vec<Objection> {
        let mut list = Vec::new();
        if seal(&self.archive, &self.participants) != self.seal {
            list.push(Objection::SealBroken);
        }
        if self.approval.by.trim().is_empty() {
            list.push(Objection::NotApproved);
        }
        if self.reading.exporter.is_empty() {
            list.push(Objection::ExporterUnknown);
        } else if self.reading.exporter != PARTICIPANT_EXPORTER_UNKNOWN
            && !self.participants.iter().any(|one| one.id.as_str() == self.reading.exporter)
        {
            list.push(Objection::ExporterNotThere);
        }
        if TimeZone::get(&self.reading.time_zone).is_err() {
            list.push(Objection::TimeZone { found: self.reading.time_zone.clone() });
        }
        if self.room.admins.is_empty() {
            list.push(Objection::NoAdmin);
        }
        if self.room.name.trim().is_empty() {
            list.push(Objection::NoRoomName);
        }
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
        let named = self.reading.exporter != PARTICIPANT_EXPORTER_UNKNOWN;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, name_kind: NameKind) -> ParticipantSurvey {
        ParticipantSurvey {
            id: ParticipantId::new(format!("id:{name}:{name_kind:?}")),
            name: name.to_owned(),
            name_kind,
            messages: 1,
        }
    }

    fn plan_of(people: &[ParticipantSurvey]) -> Plan {
        let facts = PlanFacts {
            file: "chat.zip".to_owned(),
            sha256: Sha256::from_bytes([7; 32]),
            network: Network::Whatsapp,
            format: "text export, Android, French".to_owned(),
            chat: ChatId::new("chat"),
            title: "Cabinet".to_owned(),
            messages: 3,
            records: 3,
            first: String::new(),
            first_ms: 0,
            last: String::new(),
            files: 0,
            files_bytes: 0,
            files_too_large: 0,
            files_absent: 0,
            findings: BTreeMap::from([(FindingKind::NameIsNumber, 2)]),
        };
        let participants = propose_names(people);
        Plan {
            form: FORM,
            seal: seal(&facts, &participants),
            approval: Approval { by: "A. Durand".to_owned() },
            archive: facts,
            reading: Reading { time_zone: "Europe/Paris".to_owned(), exporter: "?".to_owned() },
            room: RoomPlan {
                name: "Cabinet".to_owned(),
                kind: RoomKind::PrivateUnencrypted,
                admins: vec![ruma::owned_user_id!("@a:tchap.test")],
                invite: Vec::new(),
            },
            messages: MessagesPlan {
                attribution: Attribution::Ghosts,
                system_lines: SystemLines::Notices,
            },
            participants,
        }
    }

    #[test]
    fn numbers_are_not_proposed_and_namesakes_are_told_apart() {
        let names: Vec<String> = propose_names(&[
            person("Claire Martin", NameKind::Name),
            person("+33 6 39 98 00 01", NameKind::Number),
            person("claire martin", NameKind::PushName),
            person("", NameKind::Missing),
        ])
        .into_iter()
        .map(|one| one.name)
        .collect();
        assert_eq!(names, ["Claire Martin", "Participant 2", "claire martin (2)", "Participant 4"]);
    }

    #[test]
    fn nothing_starts_before_everybody_was_looked_at() {
        let mut plan = plan_of(&[person("A", NameKind::Name), person("B", NameKind::Name)]);
        assert_eq!(plan.objections().len(), 2);
        for one in &mut plan.participants {
            one.reviewed = true;
        }
        assert_eq!(plan.objections(), []);
        plan.participants[1].name = "a".to_owned();
        assert_eq!(plan.objections(), [Objection::SameName { name: "a".to_owned() }]);
    }

    #[test]
    fn edited_facts_break_the_seal() {
        let mut plan = plan_of(&[]);
        assert_eq!(plan.objections(), []);
        plan.archive.sha256 = Sha256::from_bytes([8; 32]);
        assert_eq!(plan.objections(), [Objection::SealBroken]);
    }

    #[test]
    fn the_written_plan_reads_back_the_same() {
        let plan = plan_of(&[person("L'« éclaireur » \"\\\n", NameKind::Name)]);
        assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
    }
}
