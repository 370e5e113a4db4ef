//! Fills the room: read, upload, deliver, in one pass that can be interrupted anywhere.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::error::ImportError;
use super::job::{Job, store_error};
use super::opening::open_portal;
use super::plan::Plan;
use super::settings::Settings;
use super::{source, upload};
use crate::archive::{Archive, Record};
use crate::portal::{Delivery, Portal, Portals};

/// How often progress is written down at most: the record holds the whole plan.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

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
    if stop.is_cancelled() || job.pause_wanted().map_err(store_error)? {
        return Ok(Outcome::Stopped);
    }
    let started = Instant::now();
    let steps = prepare_ahead(&portal, archive, job.plan(), settings).await?;
    let passed = AtomicU64::new(0);
    let deliveries = ReceiverStream::new(steps).filter_map(|step| {
        let delivery = match step {
            Ok(Step::Deliver(delivery)) => Some(Ok(*delivery)),
            Ok(Step::Done) => {
                passed.fetch_add(1, Ordering::Relaxed);
                None
            }
            Ok(Step::Remark) => None,
            Err(error) => Some(Err(error)),
        };
        std::future::ready(delivery)
    });
    let mut sent = 0;
    let mut noted = started;
    let delivered = || {
        sent += 1;
        if noted.elapsed() >= PROGRESS_EVERY {
            noted = Instant::now();
            job.progress(passed.load(Ordering::Relaxed) + sent).map_err(store_error)?;
        }
        let is_over = stop.is_cancelled() || job.pause_wanted().map_err(store_error)?;
        Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let ended = portal.deliver(deliveries, settings.batch_messages, delivered).await;
    let passed = passed.into_inner();
    job.progress(passed + sent).map_err(store_error)?;
    if ended?.is_break() {
        return Ok(Outcome::Stopped);
    }
    portals.store().flush().await?;
    tracing::info!(
        job.id = job.id(),
        messages.sent = sent,
        messages.sent_before = passed,
        duration_ms = started.elapsed().as_millis(),
        "every message is in the room"
    );
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
    let steps = records.map(move |record| {
        let portal = Arc::clone(&portal);
        let archive = Arc::clone(&archive);
        async move { step(&portal, &archive, record?, limit).await }
    });
    let mut steps = Box::pin(side_by_side(steps, settings.uploads_in_flight));
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

/// Carries `work` out, so much of it at once, and yields what comes of it in order.
///
/// Each piece has a task of its own, because nobody looks at this stream while the door has
/// enough to send: an upload that stood still meanwhile would keep its place in the budget, and
/// with every place kept in this way nothing could be sent any more.
fn side_by_side<T: Send + 'static>(
    work: impl Stream<Item = impl Future<Output = Result<T, ImportError>> + Send + 'static>,
    at_once: usize,
) -> impl Stream<Item = Result<T, ImportError>> {
    work.map(|piece| AbortOnDropHandle::new(tokio::spawn(piece)))
        .buffered(at_once)
        .map(|ended| ended.unwrap_or_else(|error| Err(error.into())))
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

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_gives_its_place_back_while_nobody_looks() {
        let places = Arc::new(Semaphore::new(1));
        let pieces: Vec<u32> = (0..4).collect();
        let work = stream::iter(pieces).map(|piece| {
            let places = Arc::clone(&places);
            async move {
                // The first is done at once; the others hold the only place for a while.
                if piece > 0 {
                    let _place = places.acquire().await;
                    tokio::task::yield_now().await;
                }
                Ok(piece)
            }
        });
        let mut done = Box::pin(side_by_side(work, 4));
        assert_eq!(done.next().await.unwrap().unwrap(), 0);
        // The door, which does not look at the stream while it sends.
        for _ in 0..8 {
            let place = tokio::time::timeout(Duration::from_mins(1), places.acquire()).await;
            drop(place.expect("a place is free").unwrap());
        }
        let rest: Vec<u32> = done.map(Result::unwrap).collect().await;
        assert_eq!(rest, [1, 2, 3]);
    }

    #[tokio::test]
    async fn what_was_begun_ends_with_whoever_wanted_it() {
        let alive = Arc::new(());
        let work = stream::iter(0..4).map(|piece| {
            let alive = Arc::clone(&alive);
            async move {
                if piece > 0 {
                    std::future::pending::<()>().await;
                }
                drop(alive);
                Ok(piece)
            }
        });
        let mut done = Box::pin(side_by_side(work, 4));
        assert_eq!(done.next().await.unwrap().unwrap(), 0);
        drop(done);
        while Arc::strong_count(&alive) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
