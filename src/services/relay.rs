//! The relay: carries what commands caused from the tails of tickets to its collections, then takes it out of the tails.
//!
//! Invariant: it may stop between any two writes, run twice, late and in several processes at once; every write is a
//! harmless repeat, and an entry leaves its tail only after all its targets have it. The process that committed hands
//! the entries over in memory; the sweep finds what a crash or a full queue left behind.

mod pass;

pub use pass::StepLimit;

use crate::app::Tasks;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::tail::{StableKey, TailEntry};
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::relay::RelayTargets;
use crate::repositories::ticket_repo::TicketRepo;
use crate::repositories::ticket_tails::StoredTail;
use pass::Stop;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many commands' entries may wait in memory; what does not fit is found by the sweep.
const QUEUE: usize = 4_096;
/// How many commands' entries are carried on together.
const BATCH: usize = 256;
/// How many tickets one look of the sweep takes.
const SWEEP: i64 = 200;
/// Younger entries are left to the process that committed them.
const FRESH_MILLIS: i64 = 3_000;
/// How long the relay rests after the database failed.
const REST: Duration = Duration::from_millis(500);

/// How long what has come waits for the entries of other commands: rows that are written together cost the server less.
const MOMENT: Duration = Duration::from_millis(15);
/// How long the relay waits for last entries once the process ends.
const LAST_CALL: Duration = Duration::from_millis(500);

/// How the relay is doing, for health answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayHealth {
    /// Commands whose entries wait in memory.
    pub queued: usize,
    /// Entries that were set aside.
    pub parked: u64,
    /// Tickets with entries in their tails, counted up to 1 000.
    pub open: u64,
}

/// The relay; cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tickets: TicketRepo,
    targets: RelayTargets,
    clock: Clock,
    queue: mpsc::Sender<Vec<TailEntry>>,
    tries: Mutex<HashMap<String, u32>>,
}

impl Relay {
    /// A relay whose worker runs until the process ends.
    pub fn start(tickets: TicketRepo, targets: RelayTargets, clock: Clock, tasks: &Tasks) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let relay = Self(Arc::new(Inner {
            tickets,
            targets,
            clock,
            queue,
            tries: Mutex::new(HashMap::new()),
        }));
        tasks
            .tracker
            .spawn(relay.clone().work(entries, tasks.stopping.clone()));
        relay
    }

    /// Hands over what a commit added to a tail; when the queue is full the sweep will find it.
    pub fn hand_over(&self, entries: Vec<TailEntry>) {
        if self.0.queue.try_send(entries).is_err() {
            metrics::counter!("workflow_relay_overflow_total").increment(1);
        }
        self.record_depth();
    }

    /// Carries on everything in one ticket's tail, for a command that waits because the tail is full.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn flush(&self, ticket_id: &TicketId) -> Result<(), ServiceError> {
        if let Some(tail) = self.0.tickets.tail(ticket_id).await? {
            self.carry_tail(tail, StepLimit::NONE).await?;
        }
        Ok(())
    }

    /// Carries on what was left behind, until only younger entries than three seconds remain; returns how many tickets
    /// were looked at.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn sweep(&self) -> Result<u64, ServiceError> {
        let now = self.0.clock.now();
        self.sweep_where(|tail| !is_fresh(tail, now)).await
    }

    /// Carries on everything there is, young or old.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn drain(&self) -> Result<u64, ServiceError> {
        self.sweep_where(|_| true).await
    }

    /// Carries entries on and stops after so many writes, as if the process had died there; returns whether it got
    /// through. The entries stay in their tails until the last write.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn carry_on(&self, entries: &[TailEntry], limit: StepLimit) -> Result<bool, ServiceError> {
        match self.pass(entries, limit).await {
            Ok(_moved) => Ok(true),
            Err(Stop::Limit) => Ok(false),
            Err(Stop::Database(error)) => Err(error.into()),
        }
    }

    /// How the relay is doing.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn health(&self) -> Result<RelayHealth, ServiceError> {
        Ok(RelayHealth {
            queued: self.depth(),
            parked: self.0.targets.count_parked().await?,
            open: self.0.tickets.count_open_tails(1_000).await?,
        })
    }

    async fn sweep_where(&self, wanted: impl Fn(&StoredTail) -> bool) -> Result<u64, ServiceError> {
        let mut seen = HashSet::new();
        loop {
            let tails = self.0.tickets.open_tails(SWEEP).await?;
            let fetched = tails.len();
            let mut progressed = false;
            for tail in tails {
                if wanted(&tail) && seen.insert(tail.ticket_id.clone()) {
                    progressed = true;
                    self.carry_tail(tail, StepLimit::NONE).await?;
                }
            }
            // A full page of tails that have been tried already would be fetched again for ever.
            if !progressed || fetched < usize::try_from(SWEEP).unwrap_or(usize::MAX) {
                return Ok(u64::try_from(seen.len()).unwrap_or(u64::MAX));
            }
        }
    }

    async fn carry_tail(&self, tail: StoredTail, limit: StepLimit) -> Result<(), ServiceError> {
        for element in tail.unreadable {
            tracing::error!(ticket.id = %tail.ticket_id, "an entry of a tail cannot be read and is set aside");
            self.0
                .targets
                .park_unreadable(&tail.ticket_id, element, self.0.clock.now())
                .await?;
        }
        self.carry_on(&tail.entries, limit).await?;
        Ok(())
    }

    async fn work(self, mut queue: mpsc::Receiver<Vec<TailEntry>>, stopping: CancellationToken) {
        let mut waiting = Vec::with_capacity(BATCH);
        while next_batch(&mut queue, &mut waiting, &stopping).await > 0 {
            self.record_depth();
            let entries: Vec<TailEntry> = waiting.drain(..).flatten().collect();
            match self.pass(&entries, StepLimit::NONE).await {
                Ok(moved) => self.record_lag(&entries, &moved),
                Err(Stop::Limit) => {}
                Err(Stop::Database(error)) => {
                    tracing::warn!(error = %error, "the relay rests; the sweep will carry on what it leaves");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    fn depth(&self) -> usize {
        self.0
            .queue
            .max_capacity()
            .saturating_sub(self.0.queue.capacity())
    }

    fn record_depth(&self) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the queue holds a few thousand at most"
        )]
        metrics::gauge!("workflow_relay_queue_depth").set(self.depth() as f64);
    }

    fn record_lag(&self, entries: &[TailEntry], moved: &[StableKey]) {
        let now = self.0.clock.now();
        metrics::counter!("workflow_relay_entries_total").increment(moved.len() as u64);
        let mut seen = HashSet::new();
        for entry in entries
            .iter()
            .filter(|entry| seen.insert((&entry.key.ticket_id, entry.key.seq)))
        {
            let lag = now.since(entry.at).to_std().unwrap_or_default();
            metrics::histogram!("workflow_relay_lag_seconds").record(lag.as_secs_f64());
        }
    }
}

/// Waits for entries; 0 once the process ends and none have come for a while.
async fn next_batch(
    queue: &mut mpsc::Receiver<Vec<TailEntry>>,
    waiting: &mut Vec<Vec<TailEntry>>,
    stopping: &CancellationToken,
) -> usize {
    let first = tokio::select! {
        received = queue.recv_many(waiting, BATCH) => Some(received),
        () = stopping.cancelled() => None,
    };
    let received = match first {
        Some(received) => received,
        None => tokio::time::timeout(LAST_CALL, queue.recv_many(waiting, BATCH))
            .await
            .unwrap_or(0),
    };
    if received > 0 {
        wait_for_company(queue, waiting).await;
    }
    waiting.len()
}

/// Waits a moment for the entries of other commands.
async fn wait_for_company(queue: &mut mpsc::Receiver<Vec<TailEntry>>, waiting: &mut Vec<Vec<TailEntry>>) {
    let until = tokio::time::Instant::now() + MOMENT;
    while let room @ 1.. = BATCH.saturating_sub(waiting.len()) {
        match tokio::time::timeout_at(until, queue.recv_many(waiting, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Whether the process that committed is probably still at it; a time ahead of ours says nothing.
fn is_fresh(tail: &StoredTail, now: Timestamp) -> bool {
    tail.unreadable.is_empty()
        && tail.entries.first().is_some_and(|first| {
            let age = now.millis().saturating_sub(first.at.millis());
            (0..FRESH_MILLIS).contains(&age)
        })
}
