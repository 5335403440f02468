//! The relay: carries what commands caused from the tails of tickets to its collections, then takes it out of the tails.
//!
//! Invariant: it may stop between any two writes, run twice, late and in several processes at once; every write is a
//! harmless repeat, and an entry leaves its tail only after all its targets have it. The process that committed hands
//! the entries over in memory; the sweep finds what a crash or a full queue left behind.

use crate::app::Tasks;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::tail::{StableKey, TailEntry};
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::mongo::{WriteFault, classify};
use crate::repositories::relay::{Carried, RelayTargets, Target};
use crate::repositories::ticket_repo::{StoredTail, TicketRepo};
use futures::future::join_all;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many commands' entries may wait in memory; what does not fit is found by the sweep.
const QUEUE: usize = 4_096;
/// How many commands' entries are carried on together.
const BATCH: usize = 256;
/// How often an entry is tried before it is set aside.
const TRIES: u32 = 10;
/// How many tickets one look of the sweep takes.
const SWEEP: i64 = 200;
/// Younger entries are left to the process that committed them.
const FRESH_MILLIS: i64 = 3_000;
/// How many writes of one target are under way at the same time.
const SIDE_BY_SIDE: usize = 16;
/// How long the relay rests after the database failed.
const REST: Duration = Duration::from_millis(500);

/// How long the relay waits for last entries once the process ends.
const LAST_CALL: Duration = Duration::from_millis(500);

/// How many writes the relay may make before it stops; tests use it to stop between any two.
#[derive(Debug, Clone, Copy)]
pub struct StepLimit(Option<usize>);

impl StepLimit {
    /// No limit.
    pub const NONE: Self = Self(None);

    /// Stops before write number `steps + 1`.
    pub const fn of(steps: usize) -> Self {
        Self(Some(steps))
    }

    const fn is_none(self) -> bool {
        self.0.is_none()
    }

    fn take(&mut self) -> Result<(), Stop> {
        match &mut self.0 {
            None => Ok(()),
            Some(0) => Err(Stop::Limit),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

/// Why a pass ended early; the entries are still in their tails.
#[derive(Debug)]
enum Stop {
    Limit,
    Database(mongodb::error::Error),
}

impl From<mongodb::error::Error> for Stop {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Database(error)
    }
}

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

    /// One pass over entries: target by target in order, then out of the tails. An entry that fails keeps what its
    /// ticket wants at later targets waiting, so that nobody reads of something that is not done.
    async fn pass(&self, entries: &[TailEntry], mut limit: StepLimit) -> Result<Vec<StableKey>, Stop> {
        let now = self.0.clock.now();
        let mut failed: HashMap<&StableKey, Carried> = HashMap::new();
        let mut held: HashSet<&TicketId> = HashSet::new();
        for rank in Target::RANKS {
            let wanted = |target: Target| -> Vec<&TailEntry> {
                let of_target = entries.iter().filter(|entry| target.takes(entry));
                of_target
                    .filter(|entry| !held.contains(&entry.key.ticket_id))
                    .collect()
            };
            let mut refused = Vec::new();
            if limit.is_none() {
                let side_by_side = rank
                    .iter()
                    .map(|target| self.carry_together(*target, wanted(*target), now));
                for of_target in join_all(side_by_side).await {
                    refused.extend(of_target?);
                }
            } else {
                for target in rank {
                    refused.extend(self.carry_all(*target, &wanted(*target), now, &mut limit).await?);
                }
            }
            for (entry, carried) in refused {
                held.insert(&entry.key.ticket_id);
                failed.insert(&entry.key, carried);
            }
        }
        let mut moved: Vec<&StableKey> = Vec::with_capacity(entries.len());
        for entry in entries {
            let may_leave = match failed.get(&entry.key) {
                None => !held.contains(&entry.key.ticket_id),
                Some(Carried::Refused(reason)) => self.give_up(entry, reason, now, &mut limit).await?,
                Some(Carried::Later | Carried::Yes) => false,
            };
            if may_leave {
                moved.push(&entry.key);
            }
        }
        if !moved.is_empty() {
            limit.take()?;
            self.0.targets.pull(&moved).await?;
        }
        Ok(moved.into_iter().cloned().collect())
    }

    /// The same without a limit; targets that are written entry by entry are written for several at a time.
    async fn carry_together<'a>(
        &self,
        target: Target,
        entries: Vec<&'a TailEntry>,
        now: Timestamp,
    ) -> Result<Vec<(&'a TailEntry, Carried)>, Stop> {
        if !RelayTargets::is_single(target) {
            let mut limit = StepLimit::NONE;
            return self.carry_all(target, &entries, now, &mut limit).await;
        }
        let share = entries.len().div_ceil(SIDE_BY_SIDE).max(1);
        let shares = entries.chunks(share).map(|share| async move {
            let mut limit = StepLimit::NONE;
            self.carry_all(target, share, now, &mut limit).await
        });
        let mut refused = Vec::new();
        for of_share in join_all(shares).await {
            refused.extend(of_share?);
        }
        Ok(refused)
    }

    /// Carries entries to one target: together where the target allows it, one by one where not or when it refuses one.
    async fn carry_all<'a>(
        &self,
        target: Target,
        entries: &[&'a TailEntry],
        now: Timestamp,
        limit: &mut StepLimit,
    ) -> Result<Vec<(&'a TailEntry, Carried)>, Stop> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        if !RelayTargets::is_single(target) {
            limit.take()?;
            match self.0.targets.carry(target, entries, now).await {
                Ok(_) => return Ok(Vec::new()),
                Err(error) if classify(&error) == WriteFault::Refused => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut refused = Vec::new();
        for entry in entries {
            limit.take()?;
            let carried = match self.0.targets.carry(target, &[*entry], now).await {
                Ok(carried) => carried,
                Err(error) if classify(&error) == WriteFault::Unknown => return Err(error.into()),
                Err(error) => Carried::Refused(error.to_string()),
            };
            if carried != Carried::Yes {
                refused.push((*entry, carried));
            }
        }
        Ok(refused)
    }

    /// Counts a failure of an entry; at the tenth it is set aside and may leave its tail.
    async fn give_up(
        &self,
        entry: &TailEntry,
        reason: &str,
        now: Timestamp,
        limit: &mut StepLimit,
    ) -> Result<bool, Stop> {
        let key = entry.key.to_string();
        let tries = {
            let mut tries = self.0.tries.lock().unwrap_or_else(PoisonError::into_inner);
            let count = tries.entry(key.clone()).or_insert(0);
            *count += 1;
            *count
        };
        if tries < TRIES {
            return Ok(false);
        }
        limit.take()?;
        self.0.targets.park(entry, reason, now).await?;
        self.0
            .tries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
        metrics::counter!("workflow_relay_parked_total").increment(1);
        tracing::error!(entry.key = %key, reason, "an entry cannot be carried on and is set aside in relay_failed");
        Ok(true)
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
    if !stopping.is_cancelled() {
        tokio::select! {
            received = queue.recv_many(waiting, BATCH) => return received,
            () = stopping.cancelled() => {}
        }
    }
    tokio::time::timeout(LAST_CALL, queue.recv_many(waiting, BATCH))
        .await
        .unwrap_or(0)
}

/// Whether the process that committed is probably still at it; a time ahead of ours says nothing.
fn is_fresh(tail: &StoredTail, now: Timestamp) -> bool {
    tail.unreadable.is_empty()
        && tail.entries.first().is_some_and(|first| {
            let age = now.millis().saturating_sub(first.at.millis());
            (0..FRESH_MILLIS).contains(&age)
        })
}
