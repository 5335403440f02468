//! A mailbox per ticket: commands that wait in this process are decided one after another and committed together.
//!
//! Invariants: a ticket has at most one worker in this process; a mailbox exists only while something waits in it or
//! is being decided; their number and length are bounded. The worker runs in a task of its own, so a client that goes
//! away takes back only what has not been decided yet.

use super::execute::turn::{Envelope, Turns};
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Tickets that may have waiting commands at the same time.
const MAILBOXES: usize = 10_000;
/// Commands that may wait for one ticket.
const LENGTH: usize = 1_024;
/// Commands that are committed by one write.
const BATCH: usize = 64;

/// The mailboxes of this process; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Mailboxes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    turns: Turns,
    tracker: TaskTracker,
    waiting: Mutex<HashMap<TicketId, VecDeque<Envelope>>>,
}

impl Mailboxes {
    /// Mailboxes whose commands `turns` decides and commits.
    pub(super) fn new(turns: Turns, tracker: TaskTracker) -> Self {
        Self(Arc::new(Inner {
            turns,
            tracker,
            waiting: Mutex::new(HashMap::new()),
        }))
    }

    /// Puts a command into its ticket's mailbox.
    ///
    /// # Errors
    /// 503: there are too many mailboxes, or this one is full.
    pub(super) fn post(&self, ticket_id: &TicketId, envelope: Envelope) -> Result<(), ServiceError> {
        let mut waiting = self.0.lock();
        if let Some(mailbox) = waiting.get_mut(ticket_id) {
            if mailbox.len() >= LENGTH {
                return Err(busy());
            }
            mailbox.push_back(envelope);
            return Ok(());
        }
        if waiting.len() >= MAILBOXES {
            return Err(busy());
        }
        waiting.insert(ticket_id.clone(), VecDeque::from([envelope]));
        drop(waiting);
        let worker = Worker {
            mailboxes: Arc::clone(&self.0),
            ticket_id: ticket_id.clone(),
        };
        self.0.tracker.spawn(worker.run());
        Ok(())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<TicketId, VecDeque<Envelope>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next commands of a ticket; `None` removes the mailbox, under the same lock, so that none is forgotten.
    fn take(&self, ticket_id: &TicketId) -> Option<Vec<Envelope>> {
        let mut waiting = self.lock();
        let mailbox = waiting.get_mut(ticket_id)?;
        let batch: Vec<Envelope> = mailbox.drain(..mailbox.len().min(BATCH)).collect();
        if batch.is_empty() {
            waiting.remove(ticket_id);
            return None;
        }
        Some(batch)
    }
}

/// Works through one mailbox until it is empty.
struct Worker {
    mailboxes: Arc<Inner>,
    ticket_id: TicketId,
}

impl Worker {
    async fn run(self) {
        let mut held = None;
        while let Some(batch) = self.mailboxes.take(&self.ticket_id) {
            self.mailboxes.turns.run(&self.ticket_id, &mut held, batch).await;
        }
    }
}

impl Drop for Worker {
    /// After a panic the mailbox goes with its worker: whoever waits in it is told, and the next command starts anew.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.mailboxes.lock().remove(&self.ticket_id);
        }
    }
}

fn busy() -> ServiceError {
    metrics::counter!("workflow_mailbox_refused_total").increment(1);
    ServiceError::Unavailable {
        retry_after: Duration::from_secs(1),
        source: None,
    }
}
