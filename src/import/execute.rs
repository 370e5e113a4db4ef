//! Fills the room: read, upload, deliver, in one pass that can be interrupted anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use ruma::{OwnedUserId, RoomVersionId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::canary;
use super::error::ImportError;
use super::job::{Job, JobError};
use super::plan::Plan;
use super::source;
use crate::archive::{Archive, Record};
use crate::config::RoomProfile;
use crate::convert::{Person, Policy};
use crate::matrix::{Account, Lookup, MatrixError, RoomWish};
use crate::model::ids::Network;
use crate::model::media::{Attachment, AttachmentState};
use crate::model::message::{Body, Message};
use crate::model::time::UnixMillis;
use crate::portal::{Delivery, Portal, PortalError, Portals, Provenance, Roster, Uploaded};
use crate::store::{PortalRecord, PortalState};
use crate::wording::Language;

/// How imports run in this installation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose room rules apply.
    pub profile: RoomProfile,
    /// The room version.
    pub version: RoomVersionId,
    /// `m.federate`.
    pub federate: bool,
    /// Uploads at once.
    pub uploads_in_flight: usize,
    /// Messages intended with one flush.
    pub batch_messages: usize,
    /// Files over this stay out; 0 leaves it to the homeserver.
    pub max_file_bytes: u64,
    /// Looks at the homeserver.
    pub lookup: Lookup,
    /// Appended to ghosts' names; `{network}` stands for the messenger.
    pub ghost_suffix: String,
    /// What people read.
    pub language: Language,
    /// The name of the canary's throw-away room.
    pub canary_room_name: String,
    /// What the canary says.
    pub canary_text: String,
    /// The account that reads rooms back.
    pub witness: Option<Account>,
}

/// The account that sees rooms as a member does.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Its client.
    pub account: Account,
    /// Its user id.
    pub user: OwnedUserId,
}

/// The wish that a run come to a stop at the next good moment.
pub type Stop = CancellationToken;

/// How a run ended without a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every message was dealt with.
    Sent,
    /// It was asked to stop.
    Stopped,
}

impl Settings {
    /// The witness, asked who it is.
    ///
    /// # Errors
    /// When none is configured or its token is not accepted.
    pub async fn witness(&self) -> Result<Witness, ImportError> {
        let account = self.witness.clone().ok_or(ImportError::NoWitness)?;
        match account.whoami().await {
            Ok(user) => Ok(Witness { account, user }),
            Err(MatrixError::TokenRejected { message, .. }) => {
                Err(ImportError::WitnessRejected { message })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The largest file that is uploaded, in bytes.
    async fn file_limit_bytes(&self) -> Result<u64, ImportError> {
        let limit = self.lookup.upload_limit_bytes().await?;
        Ok(if self.max_file_bytes == 0 { limit } else { limit.min(self.max_file_bytes) })
    }

    /// A private room of this installation's making, without a name yet.
    pub(super) fn room_wish(&self, portals: &Portals, admins: Vec<OwnedUserId>) -> RoomWish {
        RoomWish {
            name: String::new(),
            kind: crate::matrix::RoomKind::PrivateUnencrypted,
            profile: self.profile,
            version: self.version.clone(),
            federate: self.federate,
            portal: String::new(),
            creator: portals.bot().user_id().to_owned(),
            admins,
        }
    }

    /// A ghost's display name.
    fn ghost_name(&self, name: &str, network: Network) -> String {
        format!("{name}{}", self.ghost_suffix.replace("{network}", network.title()))
    }
}

/// Sends everything of a job's archive that is not in the room yet.
///
/// # Errors
/// When something stops it: see [`ImportError::is_transient`]. It can be called again.
pub async fn execute(
    job: &mut Job,
    archive: &Arc<Archive>,
    portals: &Portals,
    settings: &Settings,
    stop: &Stop,
) -> Result<Outcome, ImportError> {
    let portal = Arc::new(open_portal(job, portals, settings).await?);
    let settled = portal.settle_doubts().await?;
    tracing::info!(
        job.id = job.id(),
        doubts.found = settled.found,
        doubts.open = settled.open,
        "the ledger agrees with the room"
    );
    let mut deliveries = prepare_ahead(&portal, archive, job.plan(), settings).await?;
    let mut batch = Vec::with_capacity(settings.batch_messages);
    let mut done = 0;
    loop {
        if stop.is_cancelled() || job.pause_wanted().map_err(store_error)? {
            return Ok(Outcome::Stopped);
        }
        batch.clear();
        if deliveries.recv_many(&mut batch, settings.batch_messages).await == 0 {
            break;
        }
        let mut due = Vec::with_capacity(batch.len());
        for step in batch.drain(..) {
            match step? {
                Step::Deliver(delivery) => due.push(*delivery),
                Step::Done => {}
                Step::Remark => continue,
            }
            done += 1;
        }
        portal.deliver(due).await?;
        job.progress(done).map_err(store_error)?;
    }
    portals.store().flush().await?;
    Ok(Outcome::Sent)
}

/// The job's portal with its room made, its people in it, and the canary heard.
pub(super) async fn open_portal(
    job: &Job,
    portals: &Portals,
    settings: &Settings,
) -> Result<Portal, ImportError> {
    let plan = job.plan();
    let mut record = portals.store().portal(&job.record().portal)?.unwrap_or(PortalRecord {
        id: job.record().portal.clone(),
        network: plan.archive.network,
        chat: plan.archive.chat.clone(),
        room_id: None,
        state: PortalState::Creating,
    });
    portals.ensure_bot().await?;
    let roster = roster(plan, &record, portals);
    let mut ghosts = Vec::with_capacity(plan.participants.len());
    for person in roster.people() {
        let name = settings.ghost_name(&person.name, plan.archive.network);
        ghosts.push((person.ghost.clone(), name));
    }
    if record.state != PortalState::Ready {
        let witness = settings.witness().await?;
        if let Some((ghost, name)) = ghosts.first() {
            let oldest = UnixMillis(plan.archive.first_ms);
            canary::sing(portals, settings, &witness, &record, (ghost, name), oldest).await?;
        }
    }
    let wish = RoomWish {
        name: plan.room.name.clone(),
        kind: plan.room.kind,
        portal: record.id.clone(),
        ..settings.room_wish(portals, plan.room.admins.clone())
    };
    let room = portals.ensure_room(&mut record, &wish).await?;
    let joined = portals.bot().joined_members(&room).await?;
    let absent: Vec<_> = ghosts.into_iter().filter(|(ghost, _)| !joined.contains(ghost)).collect();
    let mut admissions = futures_util::stream::iter(absent)
        .map(|(ghost, name)| {
            let (portals, room) = (portals.clone(), room.clone());
            async move { portals.admit(&room, &ghost, &name).await }
        })
        .buffer_unordered(settings.uploads_in_flight);
    while let Some(admitted) = admissions.next().await {
        admitted?;
    }
    drop(admissions);
    let policy = Policy {
        language: settings.language,
        attribution: plan.messages.attribution,
        system_lines: plan.messages.system_lines,
        zone: archive_zone(plan),
        ..Policy::default()
    };
    let provenance = Provenance { job: job.id().to_owned(), archive: plan.archive.sha256 };
    Ok(Portal::new(portals.clone(), record.id, room, roster, policy, provenance))
}

fn archive_zone(plan: &Plan) -> jiff::tz::TimeZone {
    plan.options().map_or(jiff::tz::TimeZone::UTC, |options| options.time_zone)
}

fn roster(plan: &Plan, record: &PortalRecord, portals: &Portals) -> Roster {
    let network = plan.archive.network;
    // A WhatsApp export knows people by the names in one telephone's address book.
    let scope = match network {
        Network::Whatsapp => record.id.as_str(),
        Network::Telegram | Network::Olvid => "",
    };
    Roster::new(plan.participants.iter().map(|one| {
        let ghost = portals.namer().ghost(network, scope, &one.id);
        let person = Person { ghost, name: one.name.clone(), account: one.account() };
        (one.id.clone(), person)
    }))
}

/// One record of the archive, ready for the door.
enum Step {
    Deliver(Box<Delivery>),
    /// Delivered before, or a finding in the place of a message.
    Done,
    /// A finding beside the messages.
    Remark,
}

/// Reads ahead and uploads ahead, on a task of its own, so that the door never waits for a file
/// while there is something else to send. Order is kept.
async fn prepare_ahead(
    portal: &Arc<Portal>,
    archive: &Arc<Archive>,
    plan: &Plan,
    settings: &Settings,
) -> Result<mpsc::Receiver<Result<Step, ImportError>>, ImportError> {
    let (sender, receiver) = mpsc::channel(settings.batch_messages * 2);
    let records = ReceiverStream::new(source::stream(archive, plan));
    let portal = Arc::clone(portal);
    let archive = Arc::clone(archive);
    let limit = settings.file_limit_bytes().await?;
    let mut steps = Box::pin(
        records
            .map(move |record| {
                let portal = Arc::clone(&portal);
                let archive = Arc::clone(&archive);
                async move { step(&portal, &archive, record?, limit).await }
            })
            .buffered(settings.uploads_in_flight),
    );
    tokio::spawn(async move {
        while let Some(step) = steps.next().await {
            if sender.send(step).await.is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

async fn step(
    portal: &Portal,
    archive: &Arc<Archive>,
    (ordinal, record): (u64, Record),
    limit_bytes: u64,
) -> Result<Step, ImportError> {
    let message = match record {
        Record::Message(message) => message,
        Record::Finding(finding) if finding.kind.replaces_message() => return Ok(Step::Done),
        Record::Finding(_) => return Ok(Step::Remark),
    };
    if portal.is_delivered(&message.id)? {
        return Ok(Step::Done);
    }
    let mut message = *message;
    let mut uploads = BTreeMap::new();
    for attachment in present_files(&mut message) {
        let Some(entry) = attachment.entry.clone() else { continue };
        let uploaded = match source::blob(archive, attachment) {
            Some(blob) => {
                portal.portals().upload(portal.id(), &entry, attachment, blob, limit_bytes).await?
            }
            None => Uploaded::Unreadable { reason: "it is not in the archive".to_owned() },
        };
        take_over(attachment, entry, uploaded, &mut uploads);
    }
    Ok(Step::Deliver(Box::new(Delivery { ordinal, message, uploads })))
}

/// The delivery of a message whose files were dealt with before, for verification.
pub(super) fn delivery_again(
    portal: &Portal,
    ordinal: u64,
    mut message: Message,
) -> Result<Delivery, PortalError> {
    let mut uploads = BTreeMap::new();
    for attachment in present_files(&mut message) {
        let Some(entry) = attachment.entry.clone() else { continue };
        let known = portal.portals().known_upload(portal.id(), &entry)?;
        let uploaded = known.unwrap_or(Uploaded::Unreadable { reason: String::new() });
        take_over(attachment, entry, uploaded, &mut uploads);
    }
    Ok(Delivery { ordinal, message, uploads })
}

/// What became of a file changes what the message can say about it.
fn take_over(
    attachment: &mut Attachment,
    entry: String,
    uploaded: Uploaded,
    uploads: &mut BTreeMap<String, crate::convert::Upload>,
) {
    match uploaded {
        Uploaded::Done(upload) => {
            uploads.insert(entry, *upload);
        }
        Uploaded::TooLarge => {
            attachment.state = AttachmentState::TooLarge;
            attachment.entry = None;
        }
        Uploaded::Unreadable { .. } => {
            attachment.state = AttachmentState::Missing;
            attachment.entry = None;
        }
    }
}

fn present_files(message: &mut Message) -> Vec<&mut Attachment> {
    let files: Vec<&mut Attachment> = match &mut message.body {
        Body::Media { attachments, .. } => attachments.iter_mut().collect(),
        Body::Sticker { attachment } => vec![attachment],
        Body::Contact { cards } => {
            cards.iter_mut().filter_map(|card| card.vcard.as_mut()).collect()
        }
        Body::Text(_)
        | Body::Location(_)
        | Body::Poll(_)
        | Body::Call(_)
        | Body::System(_)
        | Body::Deleted { .. }
        | Body::Unknown { .. } => Vec::new(),
    };
    files.into_iter().filter(|file| file.state == AttachmentState::Present).collect()
}

pub(super) fn store_error(error: JobError) -> ImportError {
    match error {
        JobError::Store(error) => error.into(),
        other @ (JobError::Unknown { .. }
        | JobError::WrongState { .. }
        | JobError::Busy { .. }
        | JobError::Repeated { .. }
        | JobError::Plan(_)) => ImportError::Task { reason: other.to_string() },
    }
}
