//! Fills the room: read, upload, deliver, in one pass that can be interrupted anywhere.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::error::ImportError;
use super::job::{Job, store_error};
use super::opening::open_portal;
use super::plan::Plan;
use super::settings::Settings;
use super::{source, upload};
use crate::archive::{Archive, Record};
use crate::portal::{Delivery, Portal, Portals};

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

/// One record of the archive, ready for the door.
enum Step {
    Deliver(Box<Delivery>),
    /// Delivered before.
    Done,
    /// A finding.
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
        // When the door stops taking, uploads under way stop with it: a later run must not meet
        // the leftovers of this one.
        loop {
            let step = tokio::select! {
                step = steps.next() => step,
                () = sender.closed() => break,
            };
            let Some(step) = step else { break };
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
        Record::Finding(_) => return Ok(Step::Remark),
    };
    if portal.is_delivered(&message.id)? {
        return Ok(Step::Done);
    }
    let delivery = upload::delivery(portal, archive, ordinal, *message, limit_bytes).await?;
    Ok(Step::Deliver(Box::new(delivery)))
}
