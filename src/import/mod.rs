//! History: an archive becomes a plan, the approved plan a job, the job a verified room.
//!
//! A plan only reads. Execution and verification are two passes over the same archive: the
//! first fills the room through `portal`'s one door, the second reads the room back as an
//! ordinary member and compares it with the archive, message by message.

mod canary;
mod error;
mod execute;
mod job;
mod plan;
mod plan_text;
mod report;
mod report_text;
mod runner;
mod source;
mod undo;
mod verify;

pub use error::ImportError;
pub use execute::{Outcome, Settings, Stop, Witness, execute};
pub use job::{Job, JobError};
pub use plan::{
    Objection, PARTICIPANT_EXPORTER_UNKNOWN, ParticipantPlan, Plan, PlanError, PlanFacts, Wishes,
    plan,
};
pub use report::{Disposition, Report, ReportHead, Sums};
pub use runner::{CancelError, Places, Runner};
pub use source::open_archive;
pub use undo::undo;
pub use verify::{Difference, Verified, What, verify};
