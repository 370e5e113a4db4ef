//! One worker carries one job from the archive to the verified room.

use std::sync::Arc;

use ruma::RoomId;

use super::error::ImportError;
use super::execute::{Outcome, Stop, execute};
use super::job::{Job, store_error};
use super::places::Places;
use super::records::{RecordsFile, write_report};
use super::report::{NotInvited, Report};
use super::settings::Settings;
use super::source::open_archive;
use super::verify::verify;
use super::warning::Warning;
use crate::archive::Archive;
use crate::matrix::{MatrixError, Refusal};
use crate::portal::{Listed, Portals};
use crate::wording::Wording;

const MILLISECONDS_A_DAY: u64 = 24 * 60 * 60 * 1000;

/// What is needed to work on one job. Its calls to the homeserver are made for that job alone.
pub(super) struct Worker {
    pub(super) portals: Portals,
    pub(super) settings: Settings,
    pub(super) places: Arc<Places>,
    /// The wish that it come to a stop: the daemon's end, or a pause of this job.
    pub(super) halt: Stop,
}

impl Worker {
    /// Carries a job as far as it goes. `Stopped` is a stop that was wished for.
    pub(super) async fn carry(&self, job: &mut Job) -> Result<Outcome, ImportError> {
        match self.carry_on(job).await {
            // The call that was not made any more.
            Err(error) if error.is_halt() => Ok(Outcome::Stopped),
            other => other,
        }
    }

    async fn carry_on(&self, job: &mut Job) -> Result<Outcome, ImportError> {
        let path = self.places.spool.join(&job.record().spool);
        let archive = open_archive(&path, job.plan()).await?;
        job.run().map_err(store_error)?;
        if execute(job, &archive, &self.portals, &self.settings, &self.halt).await?
            == Outcome::Stopped
        {
            return Ok(Outcome::Stopped);
        }
        job.verify().map_err(store_error)?;
        let report = self.read_back(job, &archive).await?;
        if !report.is_verified() {
            let fault = format!(
                "the room differs from the archive in {} place(s), and {} of {} records are accounted for",
                report.differences_total,
                report.sums.disposed(),
                report.head.archive.records
            );
            job.fail_verification(fault).map_err(store_error)?;
            return Ok(Outcome::Sent);
        }
        if self.halt.is_cancelled() || job.pause_wanted().map_err(store_error)? {
            // Whoever asked for a pause does not want the room opened behind their back.
            return Ok(Outcome::Stopped);
        }
        let mut report = report;
        report.not_invited = self.open_to_people(job).await?;
        report.warnings.extend(self.open_to_space(job).await?);
        self.keep_report(job, &report)?;
        job.finish(&report.not_invited).map_err(store_error)?;
        drop(archive);
        self.places.purge(self.portals.store(), job).await?;
        Ok(Outcome::Sent)
    }

    /// Invites the people of the plan, and lets the witness go. Returns whom the homeserver does
    /// not let in, with its reason: one such person must not keep the others out.
    async fn open_to_people(&self, job: &Job) -> Result<Vec<NotInvited>, ImportError> {
        let store = self.portals.store();
        let record = store.portal(&job.record().portal)?;
        let room = record.and_then(|record| record.room_id).ok_or(ImportError::NoRoom)?;
        let bot = self.portals.bot();
        if store.room_mark(&room)?.is_none()
            && let Some(newest) = bot.page_back(&room, None).await?.events.first()
        {
            // From here on people may speak: reading-up begins at this event.
            store.put_room_mark(&room, newest.event_id.as_str())?;
            store.flush().await?;
        }
        let mut refused = Vec::new();
        for person in job.plan().room.admins.iter().chain(&job.plan().room.invite) {
            match bot.invite(&room, person).await {
                Ok(()) => {}
                Err(MatrixError::Refused { errcode, message, .. }) => {
                    let reason = format!("{errcode} {message}");
                    let refusal = Refusal::of(&errcode, &message);
                    refused.push(NotInvited { user: person.clone(), reason, refusal });
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.dismiss_witness(job, &room).await?;
        Ok(refused)
    }

    /// Lets the members of the plan's space in, if it names one.
    async fn open_to_space(&self, job: &Job) -> Result<Option<Warning>, ImportError> {
        let Some(space) = job.plan().room.space() else { return Ok(None) };
        let record = self.portals.store().portal(&job.record().portal)?;
        let room = record.and_then(|record| record.room_id).ok_or(ImportError::NoRoom)?;
        Ok(match self.portals.place_in_space(&room, &space).await? {
            Listed::Yes => None,
            Listed::No { reason } => Some(Warning::NotInSpace { space, reason }),
            Listed::Public => Some(Warning::SpaceIsPublic { space }),
        })
    }

    /// The witness leaves, unless the plan wants it there as a person.
    pub(super) async fn dismiss_witness(
        &self,
        job: &Job,
        room: &RoomId,
    ) -> Result<(), ImportError> {
        let witness = self.settings.witness().await?;
        let plan = &job.plan().room;
        if plan.invite.contains(&witness.user) || plan.admins.contains(&witness.user) {
            return Ok(());
        }
        Ok(witness.account.leave(room).await?)
    }

    /// Verifies, and keeps the report.
    pub(super) async fn read_back(
        &self,
        job: &Job,
        archive: &Arc<Archive>,
    ) -> Result<Report, ImportError> {
        let folder = self.places.report_folder(job.id());
        let mut lines = RecordsFile::create(&folder)?;
        let mut report = verify(job, archive, &self.portals, &self.settings, &mut lines).await?;
        report.warnings = self.warnings(job, &report.head.room_id).await?;
        self.keep_report(job, &report)?;
        Ok(report)
    }

    /// What is to be known of a room beside its messages.
    async fn warnings(&self, job: &Job, room: &RoomId) -> Result<Vec<Warning>, ImportError> {
        let (rooms, namer) = (&self.settings.rooms, self.portals.namer());
        let mut list = job.plan().warnings(rooms, namer, job.now());
        let retention = self.portals.bot().state(room, "m.room.retention", "").await?;
        let lifetime = retention.as_ref().and_then(|content| content.get("max_lifetime"));
        if let Some(lifetime_ms) = lifetime.and_then(serde_json::Value::as_u64) {
            list.push(Warning::RoomForgets { days: lifetime_ms / MILLISECONDS_A_DAY });
        }
        Ok(list)
    }

    fn keep_report(&self, job: &Job, report: &Report) -> Result<(), ImportError> {
        write_report(
            &self.places.report_folder(job.id()),
            report,
            Wording::new(self.settings.language),
        )
    }
}
