//! The one door. While one message is on its way, the next ones are made ready.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::pin;

use futures_util::{Stream, StreamExt};
use tokio::sync::{mpsc, watch};

use super::deliver::{Delivery, Portal, Prepared};
use super::error::PortalError;
use crate::model::ids::MessageId;
use crate::model::message::Message;

impl Portal {
    /// Puts deliveries into the room, in the order they come. What became of each stands in the
    /// ledger; `delivered` is told after each and says whether to go on.
    ///
    /// Two hands work at once: while one sends what is on disk as intended, the other converts
    /// what comes next, up to `batch` deliveries with one flush. A delivery that answers one
    /// before it waits until that one's event id is known. Deliveries that are done, or half
    /// done, are finished, not repeated.
    ///
    /// # Errors
    /// When the homeserver cannot be reached, our records fail, or `deliveries` yields an error,
    /// which is handed up once everything before it is sent. What was sent until then is
    /// recorded, and the call can be repeated.
    pub async fn deliver<E: From<PortalError>>(
        &self,
        deliveries: impl Stream<Item = Result<Delivery, E>>,
        batch: usize,
        delivered: impl FnMut() -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let (outbox, intended) = mpsc::channel(batch.max(1));
        let (sent, told) = watch::channel(0);
        let ahead = Ahead { portal: self, outbox, told, run: Vec::new(), open: VecDeque::new() };
        let mut intending = pin!(ahead.intend(deliveries, batch.max(1)));
        let mut sending = pin!(self.send_each(intended, sent, delivered));
        tokio::select! {
            // It failed or was told to stop: what comes next is not wanted.
            ended = &mut sending => ended,
            ended = &mut intending => {
                let flow = sending.await?;
                ended.map(|()| flow)
            }
        }
    }

    /// Sends what is intended, one message after the other, and tells how many it has sent.
    async fn send_each<E: From<PortalError>>(
        &self,
        mut intended: mpsc::Receiver<Prepared>,
        sent: watch::Sender<u64>,
        mut delivered: impl FnMut() -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        while let Some(prepared) = intended.recv().await {
            self.send(prepared).await?;
            sent.send_modify(|count| *count += 1);
            if delivered()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The hand that works ahead of the sends.
struct Ahead<'a> {
    portal: &'a Portal,
    /// To the hand that sends.
    outbox: mpsc::Sender<Prepared>,
    /// How many messages that hand has sent.
    told: watch::Receiver<u64>,
    /// Converted and written, not flushed yet.
    run: Vec<Prepared>,
    /// Messages whose event ids are not known yet, by their number among all of this call, from 1.
    open: VecDeque<(u64, MessageId)>,
}

impl Ahead<'_> {
    async fn intend<E: From<PortalError>>(
        mut self,
        deliveries: impl Stream<Item = Result<Delivery, E>>,
        batch: usize,
    ) -> Result<(), E> {
        let mut number = 0;
        let mut batches = pin!(deliveries.ready_chunks(batch));
        while let Some(batch) = batches.next().await {
            for delivery in batch {
                let delivery = match delivery {
                    Ok(delivery) => delivery,
                    Err(error) => {
                        self.hand_over().await?;
                        return Err(error);
                    }
                };
                if let Some(answered) = self.answered(&delivery.message) {
                    self.hand_over().await?;
                    if self.told.wait_for(|sent| *sent >= answered).await.is_err() {
                        return Ok(());
                    }
                }
                number += 1;
                self.open.push_back((number, delivery.message.id.clone()));
                self.run.push(self.portal.prepare(delivery).await?);
                // An answer of the homeserver may have come meanwhile.
                tokio::task::yield_now().await;
            }
            self.hand_over().await?;
        }
        Ok(())
    }

    /// The number of the open message that `message` answers: what it replies to, or the root of
    /// its topic, whose id is spelled like that of the message that opened it.
    fn answered(&mut self, message: &Message) -> Option<u64> {
        let sent = *self.told.borrow();
        while self.open.front().is_some_and(|(number, _)| *number <= sent) {
            self.open.pop_front();
        }
        let answered = message.reply_to.as_ref().and_then(|reply| reply.id.as_ref());
        let topic = message.topic.as_ref();
        let is_answered = |earlier: &MessageId| {
            answered == Some(earlier) || topic.is_some_and(|id| id.as_str() == earlier.as_str())
        };
        self.open.iter().rev().find(|(_, id)| is_answered(id)).map(|(number, _)| *number)
    }

    /// One flush, and the run may be sent.
    async fn hand_over(&mut self) -> Result<(), PortalError> {
        if self.run.is_empty() {
            return Ok(());
        }
        self.portal.portals().store().flush().await?;
        for prepared in self.run.drain(..) {
            if self.outbox.send(prepared).await.is_err() {
                // The hand that sends has ended, and with it this call.
                break;
            }
        }
        Ok(())
    }
}
