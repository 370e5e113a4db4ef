//! History: an archive becomes a plan, the approved plan a job, the job a verified room.
//!
//! A plan only reads. Execution and verification are two passes over the same archive: the
//! first fills the room through `portal`'s one door, the second reads the room back as an
//! ordinary member and compares it with the archive, message by message.

mod canary;
mod difference;
mod error;
mod execute;
mod job;
mod objection;
mod opening;
mod plan;
mod plan_text;
mod planning;
mod records;
mod report;
mod report_text;
mod room_plan;
mod runner;
mod settings;
mod source;
mod undo;
mod upload;
mod verify;
mod warning;

pub use difference::{Difference, What};
pub use error::ImportError;
pub use execute::{Outcome, Stop, execute};
pub use job::{Job, JobError};
pub use objection::{EXPORTER_UNKNOWN, Objection, PlanError};
pub use plan::{ParticipantPlan, Plan, PlanFacts};
pub use planning::{Wishes, plan};
pub use records::RecordsFile;
pub use report::{Disposition, NotInvited, RecordLine, Report, ReportHead, Sums};
pub use room_plan::RoomPlan;
pub use runner::{CancelError, Places, Runner};
pub use settings::{Settings, Witness};
pub use source::open_archive;
pub use undo::{Undone, undo};
pub use verify::verify;
pub use warning::Warning;
