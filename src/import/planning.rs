//! Makes a plan: reads the archive and, through a handle that cannot write, the homeserver.

use std::collections::BTreeMap;
use std::sync::Arc;

use ruma::{OwnedRoomId, OwnedUserId};

use super::error::ImportError;
use super::objection::{FORM, PlanError};
use super::plan::{Approval, MessagesPlan, ParticipantPlan, Plan, PlanFacts, Reading, seal};
use super::room_plan::RoomPlan;
use crate::archive::{
    Archive, ArchiveError, ChatSurvey, Flow, NameKind, Options, ParticipantSurvey, Record, Survey,
};
use crate::convert::{Attribution, SystemLines};
use crate::matrix::{Lookup, RoomKind};
use crate::model::finding::FindingKind;
use crate::model::ids::ChatId;
use crate::model::media::AttachmentState;
use crate::portal::Refusals;

/// What the administrator says when asking for a plan.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The chat, where the archive holds several.
    pub chat: Option<ChatId>,
    /// The room's name; the chat's title when absent.
    pub room_name: Option<String>,
    /// The room's kind; private and not encrypted when absent.
    pub kind: Option<RoomKind>,
    /// The space it belongs to.
    pub space: Option<OwnedRoomId>,
    /// The room's owners.
    pub admins: Vec<OwnedUserId>,
    /// The people to be invited.
    pub invite: Vec<OwnedUserId>,
    /// Files over this size stay out; 0 leaves it to the homeserver.
    pub max_file_bytes: u64,
}

/// Makes a plan. Reads the archive and, through a handle that cannot write, the homeserver.
///
/// # Errors
/// When the archive cannot be read, holds several chats and none was chosen, or the homeserver
/// cannot be asked for its limit.
pub async fn plan(
    archive: Arc<Archive>,
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
            Flow::Continue
        })?;
        let sha256 = archive.container().digest().map_err(ArchiveError::from)?;
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
            stated_exporter: chat.exporter.as_ref().map(ToString::to_string).unwrap_or_default(),
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
    read.await?
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
    // A chat with one unsaved person is titled by their number, which is no name for a room.
    let number = |one: &ParticipantSurvey| {
        one.name_kind == NameKind::Number && one.name.trim() == facts.title.trim()
    };
    let titled_by_number = chat.participants.iter().any(number)
        || facts.title.chars().filter(char::is_ascii_digit).count() >= 8;
    let title = if titled_by_number { String::new() } else { facts.title.clone() };
    let name = wishes.room_name.unwrap_or(title);
    Plan {
        form: FORM,
        seal,
        approval: Approval::default(),
        reading: Reading { time_zone: zone, exporter: facts.stated_exporter.clone() },
        room: RoomPlan {
            name,
            kind: wishes.kind.unwrap_or(RoomKind::PrivateUnencrypted),
            externals_confirmed: false,
            space: wishes.space.map(String::from).unwrap_or_default(),
            admins: wishes.admins,
            invite: wishes.invite,
        },
        messages: MessagesPlan {
            attribution: Attribution::Ghosts,
            system_lines: SystemLines::Notices,
            refusals: Refusals::Stop,
        },
        participants,
        archive: facts,
    }
}

/// A name for each person: the exported one where it is a name, « Participant 3 » where it is a
/// number or nothing, with namesakes told apart. Numbers are never proposed.
pub(super) fn propose_names(people: &[ParticipantSurvey]) -> Vec<ParticipantPlan> {
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{AccessRules, RoomProfile, RoomsSection};
    use crate::import::objection::Objection;
    use crate::import::warning::Warning;
    use crate::model::ids::{Network, ParticipantId, Sha256};

    pub(in crate::import) fn rooms(profile: RoomProfile) -> RoomsSection {
        RoomsSection {
            profile,
            version: ruma::RoomVersionId::V11,
            federate: true,
            access_rules: AccessRules::Auto,
            external_prefixes: vec!["agent.externe.".to_owned(), "e.".to_owned()],
        }
    }

    fn person(name: &str, name_kind: NameKind) -> ParticipantSurvey {
        ParticipantSurvey {
            id: ParticipantId::new(format!("id:{name}:{name_kind:?}")),
            name: name.to_owned(),
            name_kind,
            messages: 1,
        }
    }

    pub(in crate::import) fn plan_of(people: &[ParticipantSurvey]) -> Plan {
        let facts = PlanFacts {
            file: "chat.zip".to_owned(),
            sha256: Sha256::from_bytes([7; 32]),
            network: Network::Whatsapp,
            format: "text export, Android, French".to_owned(),
            chat: ChatId::new("chat"),
            title: "Cabinet".to_owned(),
            messages: 3,
            records: 3,
            stated_exporter: String::new(),
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
                externals_confirmed: false,
                space: String::new(),
                admins: vec![ruma::owned_user_id!("@a:tchap.test")],
                invite: Vec::new(),
            },
            messages: MessagesPlan {
                attribution: Attribution::Ghosts,
                system_lines: SystemLines::Notices,
                refusals: Refusals::Stop,
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
        assert_eq!(plan.objections(&rooms(RoomProfile::Tchap)).len(), 2);
        for one in &mut plan.participants {
            one.reviewed = true;
        }
        assert_eq!(plan.objections(&rooms(RoomProfile::Tchap)), []);
        plan.participants[1].name = "a".to_owned();
        assert_eq!(
            plan.objections(&rooms(RoomProfile::Tchap)),
            [Objection::SameName { name: "a".to_owned() }]
        );
    }

    #[test]
    fn edited_facts_break_the_seal() {
        let mut plan = plan_of(&[]);
        assert_eq!(plan.objections(&rooms(RoomProfile::Tchap)), []);
        plan.archive.sha256 = Sha256::from_bytes([8; 32]);
        assert_eq!(plan.objections(&rooms(RoomProfile::Tchap)), [Objection::SealBroken]);
    }

    #[test]
    fn the_written_plan_reads_back_the_same() {
        let warnings = [Warning::NoExternal, Warning::RoomForgets { days: 90 }];
        let plan = plan_of(&[person("L'« éclaireur » \"\\\n", NameKind::Name)]);
        assert_eq!(Plan::parse(&plan.to_text(&warnings)).unwrap(), plan);
    }
}
