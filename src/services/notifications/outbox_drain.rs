//! The drain: claims mails in batches, sends several at a time, and gives back what it cannot start.
//!
//! Any number of processes drain side by side; the lease decides who sends a mail. Delivery is at least once: a
//! process that dies between sending and recording leaves the mail to the next one, under the same `Message-ID`. So a
//! mail keeps its slot until its result is recorded, and a death doubles no more mails than there are slots. A batch is
//! claimed by one write, while the last mails of the one before are sent.

use super::breaker::{Breaker, Passage};
use super::compose::Composer;
use super::courier::Courier;
use crate::app::Tasks;
use crate::clients::mail::MailClient;
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::outbox_repo::{Claimed, Lease, OutboxRepo};
use crate::services::system_config::SystemConfigReader;
use futures::FutureExt;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// How many mails are claimed at once for each slot: enough that the slots have work while the next are claimed.
const CLAIMED_FOR_A_SLOT: usize = 4;
/// How many mails one sweep starts at most; the next sweep goes on.
const SWEEP_LIMIT: usize = 500;

/// Everything the drain needs.
#[derive(Debug)]
pub struct DrainParts {
    /// The rows.
    pub outbox: OutboxRepo,
    /// From a row to a message.
    pub composer: Composer,
    /// The way out.
    pub mail: MailClient,
    /// How often a mail is tried.
    pub config: SystemConfigReader,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where sends are spawned.
    pub tasks: Tasks,
    /// How long a process owns a mail it is sending.
    pub lease: Duration,
    /// How many mails a process sends at the same time.
    pub concurrency: usize,
}

/// Drains the outbox; cheap to clone.
#[derive(Debug, Clone)]
pub struct OutboxDrain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    courier: Courier,
    tasks: Tasks,
    lease: Duration,
    concurrency: usize,
    /// One for each mail that is being sent, until its result is recorded.
    slots: Arc<Semaphore>,
    /// One sweep at a time: only it takes slots.
    sweeping: Arc<Semaphore>,
}

/// Mails that are claimed and not yet started, those that have been due longest first.
#[derive(Debug)]
struct Batch {
    waiting: VecDeque<Claimed>,
    /// What has found no slot by then is given back: a third of the lease is for waiting, the rest for sending and
    /// recording.
    start_by: Instant,
}

impl OutboxDrain {
    /// A drain; sends nothing until [`Self::run`] or [`Self::sweep`].
    pub fn new(parts: DrainParts) -> Self {
        Self(Arc::new(Inner {
            courier: Courier {
                outbox: parts.outbox,
                composer: parts.composer,
                mail: parts.mail,
                config: parts.config,
                clock: parts.clock,
                breaker: Breaker::default(),
            },
            tasks: parts.tasks,
            lease: parts.lease,
            concurrency: parts.concurrency,
            slots: Arc::new(Semaphore::new(parts.concurrency)),
            sweeping: Arc::new(Semaphore::new(1)),
        }))
    }

    /// Sweeps whenever rows are enqueued in this process, until shutdown begins.
    pub async fn run(self) {
        let stopping = self.0.tasks.stopping.clone();
        loop {
            // Registered before looking, so that a row enqueued meanwhile is not missed.
            let woken = self.0.courier.outbox.woken();
            // A defect that one sweep meets must not end the loop; the panic itself is in the log.
            if let Ok(Err(error)) = AssertUnwindSafe(self.sweep()).catch_unwind().await {
                tracing::error!(error = %error, "the outbox could not be read");
            }
            tokio::select! {
                () = woken => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Starts sending what is due, up to a limit, and returns how many mails were started; waits for free slots and
    /// for a probe after an outage, and not for the last mails.
    pub async fn sweep(&self) -> mongodb::error::Result<usize> {
        let Ok(turn) = Arc::clone(&self.0.sweeping).acquire_owned().await else {
            return Ok(0);
        };
        let drain = self.clone();
        // A task of its own: who waits for it may be told to stop waiting, and then claimed mails are not forgotten.
        let swept = self.0.tasks.tracker.spawn(async move {
            let _turn = turn;
            drain.start_what_is_due().await
        });
        match swept.await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(swept) => swept,
            Err(Ok(panic)) => {
                self.0.courier.breaker.probed();
                resume_unwind(panic)
            }
            Err(Err(_cancelled)) => Ok(0),
        }
    }

    async fn start_what_is_due(&self) -> mongodb::error::Result<usize> {
        let inner = &self.0;
        let mut started = 0;
        while started < SWEEP_LIMIT {
            // Nothing is claimed before something can be started.
            let Some(slot) = inner.free_slot().await else {
                break;
            };
            drop(slot);
            let passage = inner.courier.breaker.ask(inner.courier.clock.now());
            let limit = match passage {
                Passage::Open => inner.concurrency * CLAIMED_FOR_A_SLOT,
                Passage::Probe => 1,
                Passage::Blocked(_) => break,
            };
            let claimed = inner.claim(limit.min(SWEEP_LIMIT - started)).await;
            let batch = match claimed {
                Ok(batch) if !batch.waiting.is_empty() => batch,
                nothing => {
                    inner.courier.breaker.probed();
                    nothing?;
                    break;
                }
            };
            started += self.start_batch(batch, passage).await;
            if passage == Passage::Probe {
                // Also when there was no slot for it: nobody else may ask before.
                inner.courier.breaker.probed();
            }
        }
        if started == SWEEP_LIMIT {
            inner.courier.outbox.wake();
        }
        Ok(started)
    }

    /// Starts the mails of a batch as slots become free, and gives back those that cannot be started.
    async fn start_batch(&self, mut batch: Batch, passage: Passage) -> usize {
        let mut started = 0;
        while let Some(slot) = self.0.slot_for(&batch, passage).await {
            let Some(claimed) = batch.waiting.pop_front() else {
                break;
            };
            self.start(claimed, slot, passage).await;
            started += 1;
        }
        self.0.give_back(batch).await;
        started
    }

    async fn start(&self, claimed: Claimed, slot: OwnedSemaphorePermit, passage: Passage) {
        let inner = Arc::clone(&self.0);
        let sending = self.0.tasks.tracker.spawn(async move {
            inner.courier.handle(claimed).await;
            drop(slot);
        });
        if passage == Passage::Probe {
            let _ = sending.await;
        }
    }

    /// Sweeps until nothing is due and nothing is being sent; for tests.
    pub async fn drain(&self) -> mongodb::error::Result<usize> {
        let mut total = 0;
        loop {
            let started = self.sweep().await?;
            total += started;
            let all = u32::try_from(self.0.concurrency).unwrap_or(u32::MAX);
            // Every slot free means that nothing is under way.
            if let Ok(idle) = self.0.slots.acquire_many(all).await {
                drop(idle);
            }
            if started == 0 {
                return Ok(total);
            }
        }
    }

    /// Since when the transport has been away.
    pub fn away_since(&self) -> Option<Timestamp> {
        self.0.courier.breaker.away_since()
    }

    /// How many mails this process is sending.
    pub fn in_flight(&self) -> u64 {
        let free = self.0.slots.available_permits();
        u64::try_from(self.0.concurrency.saturating_sub(free)).unwrap_or(u64::MAX)
    }

    /// Whether mails really leave the house.
    pub fn is_remote(&self) -> bool {
        self.0.courier.mail.is_remote()
    }

    /// The transport's name as configured.
    pub fn transport(&self) -> &'static str {
        self.0.courier.mail.name()
    }
}

impl Inner {
    /// The right to send a mail, as soon as there is one; none once the process is asked to end.
    async fn free_slot(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = self.tasks.stopping.cancelled() => None,
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok(),
        }
    }

    /// A slot for the next mail of a batch; none when the rest of it must be given back.
    async fn slot_for(&self, batch: &Batch, passage: Passage) -> Option<OwnedSemaphorePermit> {
        // A free slot is given out however late it is, so the time is looked at first.
        if batch.waiting.is_empty() || Instant::now() >= batch.start_by {
            return None;
        }
        let slot = timeout_at(batch.start_by, self.free_slot())
            .await
            .ok()
            .flatten()?;
        // Asked after the wait: those that were sent meanwhile may have found the transport away.
        let is_allowed = passage == Passage::Probe || self.courier.breaker.is_open();
        is_allowed.then_some(slot)
    }

    async fn claim(&self, limit: usize) -> mongodb::error::Result<Batch> {
        let (begun, now) = (Instant::now(), self.courier.clock.now());
        let lease = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        let claimed = self
            .courier
            .outbox
            .claim(limit, now, now.plus_millis(lease))
            .await?;
        Ok(Batch {
            waiting: claimed.into(),
            start_by: begun + self.lease / 3,
        })
    }

    async fn give_back(&self, batch: Batch) {
        let leases: Vec<Lease> = batch
            .waiting
            .iter()
            .map(|claimed| claimed.lease().clone())
            .collect();
        if let Err(error) = self.courier.outbox.release(&leases).await {
            tracing::warn!(error = %error, "claimed mails wait for the end of their leases");
        }
    }
}
