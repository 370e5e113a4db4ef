//! History: an archive becomes a plan, the approved plan a job, the job a verified room.
//!
//! A plan only reads. Execution and verification are two passes over the same archive: the
//! first fills the room through `portal`'s one door, the second reads the room back as an
//! ordinary member and compares it with the archive, message by message.

mod again;
mod canary;
mod difference;
mod error;
mod execute;
mod forecast;
mod job;
mod objection;
mod opening;
mod places;
mod plan;
mod plan_text;
mod planning;
mod reader;
mod records;
mod report;
mod report_text;
mod room_plan;
mod runner;
mod settings;
mod source;
mod standing;
mod undo;
mod upload;
mod verify;
mod warning;
mod worker;

pub use again::Patience;
pub use difference::{Difference, What};
pub use error::ImportError;
pub use execute::{Outcome, Stop, execute};
pub use forecast::Effort;
pub use job::{Job, JobError};
pub use objection::{EXPORTER_UNKNOWN, Objection, PlanError};
pub use places::Places;
pub use plan::{ParticipantPlan, Plan, PlanFacts};
pub use planning::{Wishes, plan};
pub use records::RecordsFile;
pub use report::{Disposition, NotInvited, RecordLine, Report, ReportHead, Sums};
pub use room_plan::RoomPlan;
pub use runner::{CancelError, Hands, Runner};
pub use settings::{Settings, Witness};
pub use source::open_archive;
pub use standing::Standing;
pub use undo::{Undone, undo};
pub use verify::verify;
pub use warning::Warning;
