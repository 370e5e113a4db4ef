//! The report of an import: what became of each record of the source, and the sums.

use std::collections::BTreeMap;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::difference::Difference;
use super::job::Job;
use super::plan::{Approval, PlanFacts};
use super::warning::Warning;
use crate::matrix::{Refusal, RoomKind};
use crate::model::finding::{Finding, FindingKind, Place};
use crate::model::ids::{MessageId, Sha256};
use crate::model::time::UnixMillis;
use crate::portal::Refusals;

/// How many findings of one kind the report spells out; the rest is in the records' file.
const EXAMPLES: usize = 5;
/// How many differences the report spells out.
const DIFFERENCES: usize = 200;

/// A whole report. Its JSON form is this; its readable form is [`Report::to_text`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What was imported, whereto, by whom.
    pub head: ReportHead,
    /// The sums over all records.
    pub sums: Sums,
    /// Findings by kind.
    pub findings: BTreeMap<FindingKind, u64>,
    /// The first few findings of each kind.
    pub examples: Vec<Finding>,
    /// How often the room is not what the archive says; 0 when it is verified.
    pub differences_total: u64,
    /// The first of these differences; all of them are in the records' file.
    pub differences: Vec<Difference>,
    /// Files whose bytes were compared.
    pub files_compared: u64,
    /// Messages in the room that are not ours.
    pub room_events_of_others: u64,
    /// People of the plan whom the homeserver did not let in.
    #[serde(default)]
    pub not_invited: Vec<NotInvited>,
    /// What else is to be known.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// Somebody who could not be invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotInvited {
    /// Who.
    pub user: OwnedUserId,
    /// What the homeserver said.
    pub reason: String,
    /// What that means, where it is known.
    #[serde(default)]
    pub refusal: Option<Refusal>,
}

/// What was imported, whereto, by whom.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportHead {
    /// The job.
    pub job: String,
    /// The version of passerelle.
    pub software: String,
    /// When the job was taken in.
    pub started_at: UnixMillis,
    /// When the room was read back.
    pub verified_at: UnixMillis,
    /// Who approved the plan.
    pub approved_by: String,
    /// Digest of the approved plan's file.
    pub plan_sha256: Sha256,
    /// The archive.
    pub archive: PlanFacts,
    /// The time zone in which it was read.
    pub time_zone: String,
    /// The room.
    pub room_id: OwnedRoomId,
    /// Its name.
    pub room_name: String,
    /// Its kind.
    #[serde(default)]
    pub room_kind: Option<RoomKind>,
    /// Its owners.
    pub admins: Vec<OwnedUserId>,
    /// The people who are invited once it is verified.
    pub invite: Vec<OwnedUserId>,
    /// What the plan says of refused events.
    #[serde(default)]
    pub refusals: Refusals,
    /// Who is who: the name shown, and the account if there is one.
    pub people: Vec<ReportPerson>,
}

/// One person of the chat, as shown in the room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportPerson {
    /// The name shown.
    pub name: String,
    /// The person's own account, if the plan names one.
    pub account: String,
    /// Messages they wrote.
    pub messages: u64,
}

/// The sums: every record has exactly one disposition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Messages met while reading.
    pub messages: u64,
    /// Carried over whole.
    pub carried: u64,
    /// Carried over with something lost on the way.
    pub carried_with_loss: u64,
    /// Left out because the plan says so.
    pub left_out: u64,
    /// Refused by the homeserver.
    pub refused: u64,
    /// Not, or not as it should be, in the room.
    pub differs: u64,
    /// Records no message could be made of, by the reader's count; findings say where.
    pub findings_only: u64,
    /// Events in the room.
    pub events: u64,
    /// Messages by kind.
    pub by_kind: BTreeMap<String, u64>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "disposition", rename_all = "snake_case")]
pub enum Disposition {
    /// In the room, whole.
    Carried,
    /// In the room; its findings say what is not.
    CarriedWithLoss,
    /// The plan leaves it out.
    LeftOut,
    /// The homeserver refused it.
    Refused {
        /// Its reason.
        reason: String,
    },
    /// The room is not what the archive says.
    Differs,
}

/// One message of the source and its fate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordLine {
    /// Its number in reading order, from 0.
    pub number: u64,
    /// The message.
    pub message: MessageId,
    /// Where it stands in the archive.
    pub place: Place,
    /// What kind.
    pub kind: String,
    /// What became of it.
    #[serde(flatten)]
    pub disposition: Disposition,
    /// Its events in the room.
    pub events: Vec<OwnedEventId>,
    /// What was lost.
    pub findings: Vec<Finding>,
    /// How the room differs.
    pub differences: Vec<Difference>,
}

impl Report {
    /// An empty report with its head filled in.
    pub(super) fn of(job: &Job, room_id: OwnedRoomId) -> Self {
        let plan = job.plan();
        let Approval { by } = plan.approval.clone();
        let people = plan
            .participants
            .iter()
            .map(|one| ReportPerson {
                name: one.name.clone(),
                account: one.account.clone(),
                messages: one.messages,
            })
            .collect();
        let head = ReportHead {
            job: job.id().to_owned(),
            software: concat!("passerelle ", env!("CARGO_PKG_VERSION")).to_owned(),
            started_at: job.record().created_at,
            verified_at: job.now(),
            approved_by: by,
            plan_sha256: job.record().plan_sha256,
            archive: plan.archive.clone(),
            time_zone: plan.reading.time_zone.clone(),
            room_id,
            room_name: plan.room.name.clone(),
            room_kind: Some(plan.room.kind),
            admins: plan.room.admins.clone(),
            invite: plan.room.invite.clone(),
            refusals: plan.messages.refusals,
            people,
        };
        Self {
            head,
            sums: Sums {
                findings_only: plan.archive.records.saturating_sub(plan.archive.messages),
                ..Sums::default()
            },
            findings: BTreeMap::new(),
            examples: Vec::new(),
            differences_total: 0,
            differences: Vec::new(),
            files_compared: 0,
            room_events_of_others: 0,
            not_invited: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether the room is what the archive says, nothing was refused that the plan does not let
    /// be refused, and every record of the
    /// archive, by the count made for the plan, has its disposition.
    pub fn is_verified(&self) -> bool {
        self.differences_total == 0
            && self.sums.differs == 0
            && (self.sums.refused == 0 || self.head.refusals == Refusals::Report)
            && self.sums.disposed() == self.head.archive.records
    }

    /// Counts a finding.
    pub(super) fn remark(&mut self, finding: &Finding) {
        let count = self.findings.entry(finding.kind).or_default();
        *count += 1;
        if usize::try_from(*count).is_ok_and(|count| count <= EXAMPLES) {
            self.examples.push(finding.clone());
        }
    }

    /// Notes a difference.
    pub(super) fn differ(&mut self, difference: Difference) {
        self.differences_total += 1;
        if self.differences.len() < DIFFERENCES {
            self.differences.push(difference);
        }
    }

    /// Counts a record.
    pub(super) fn add(&mut self, line: &RecordLine) {
        let sums = &mut self.sums;
        sums.messages += 1;
        sums.events += line.events.len() as u64;
        match &line.disposition {
            Disposition::Carried => sums.carried += 1,
            Disposition::CarriedWithLoss => sums.carried_with_loss += 1,
            Disposition::LeftOut => sums.left_out += 1,
            Disposition::Refused { .. } => sums.refused += 1,
            Disposition::Differs => sums.differs += 1,
        }
        *sums.by_kind.entry(line.kind.clone()).or_default() += 1;
        for finding in &line.findings {
            self.remark(finding);
        }
        for difference in &line.differences {
            self.differ(difference.clone());
        }
    }
}

impl Sums {
    /// The dispositions, added up; equal to the archive's records when each has exactly one.
    pub fn disposed(&self) -> u64 {
        self.carried
            + self.carried_with_loss
            + self.left_out
            + self.refused
            + self.differs
            + self.findings_only
    }
}
