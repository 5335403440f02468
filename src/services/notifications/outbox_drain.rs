//! The drain: claims mails one by one, sends several at a time, and records what came of each.
//!
//! Any number of processes drain side by side; the lease decides who sends a mail. Delivery is at least once: a
//! process that dies between sending and recording leaves the mail to the next one, under the same `Message-ID`.

use super::breaker::{Breaker, Passage};
use super::compose::{ComposeError, Composer};
use super::retry_plan::next_attempt;
use crate::app::Tasks;
use crate::clients::mail::{MailClient, MailError, OutgoingMail, Receipt};
use crate::domain::person::Email;
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::outbox_repo::{Claimed, Lease, OutboxRepo};
use crate::repositories::outbox_row::{OutboxRow, RenderedMail};
use crate::services::system_config::SystemConfigReader;
use crate::services::templates::Rendered;
use backon::{ExponentialBuilder, Retryable};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many mails a process sends at the same time.
const CONCURRENCY: usize = 8;
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
}

/// Drains the outbox; cheap to clone.
#[derive(Debug, Clone)]
pub struct OutboxDrain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: DrainParts,
    breaker: Breaker,
    slots: Arc<Semaphore>,
    sweeping: Semaphore,
    in_flight: AtomicU64,
}

/// What became of one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Sent,
    Retried,
    Failed,
    Postponed,
    Cancelled,
    /// The lease had ended, or the database did not take the result; somebody sends it again.
    Lost,
}

impl OutboxDrain {
    /// A drain; sends nothing until [`Self::run`] or [`Self::sweep`].
    pub fn new(parts: DrainParts) -> Self {
        Self(Arc::new(Inner {
            parts,
            breaker: Breaker::default(),
            slots: Arc::new(Semaphore::new(CONCURRENCY)),
            sweeping: Semaphore::new(1),
            in_flight: AtomicU64::new(0),
        }))
    }

    /// Sweeps whenever rows are enqueued in this process, until shutdown begins.
    pub async fn run(self) {
        let stopping = self.0.parts.tasks.stopping.clone();
        loop {
            // Registered before looking, so that a row enqueued meanwhile is not missed.
            let woken = self.0.parts.outbox.woken();
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

    /// Starts sending what is due, up to a limit, and returns how many mails were started; waits for none of them but
    /// a probe after an outage.
    pub async fn sweep(&self) -> mongodb::error::Result<usize> {
        let inner = &self.0;
        let Ok(_sweeping) = inner.sweeping.acquire().await else {
            return Ok(0);
        };
        let mut started = 0;
        while started < SWEEP_LIMIT && !inner.is_stopping() {
            let Ok(slot) = Arc::clone(&inner.slots).acquire_owned().await else {
                break;
            };
            let passage = inner.breaker.ask(inner.parts.clock.now());
            if let Passage::Blocked(_) = passage {
                break;
            }
            let claimed = match inner.claim().await {
                Ok(Some(claimed)) => claimed,
                nothing => {
                    inner.breaker.unused();
                    nothing?;
                    break;
                }
            };
            started += 1;
            self.start(claimed, slot, passage).await;
        }
        if started == SWEEP_LIMIT {
            inner.parts.outbox.wake();
        }
        Ok(started)
    }

    /// Sweeps until nothing is due and nothing is being sent; for tests and operators.
    pub async fn drain(&self) -> mongodb::error::Result<usize> {
        let mut total = 0;
        loop {
            let started = self.sweep().await?;
            total += started;
            let all = u32::try_from(CONCURRENCY).unwrap_or(u32::MAX);
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
        self.0.breaker.away_since()
    }

    /// How many mails this process is sending.
    pub fn in_flight(&self) -> u64 {
        self.0.in_flight.load(Ordering::Relaxed)
    }

    /// Whether mails really leave the house.
    pub fn is_remote(&self) -> bool {
        self.0.parts.mail.is_remote()
    }

    /// The transport's name as configured.
    pub fn transport(&self) -> &'static str {
        self.0.parts.mail.name()
    }

    async fn start(&self, claimed: Claimed, slot: OwnedSemaphorePermit, passage: Passage) {
        let inner = Arc::clone(&self.0);
        inner.in_flight.fetch_add(1, Ordering::Relaxed);
        let sending = self.0.parts.tasks.tracker.spawn(async move {
            inner.handle(claimed).await;
            inner.in_flight.fetch_sub(1, Ordering::Relaxed);
            drop(slot);
        });
        if passage == Passage::Probe {
            let _ = sending.await;
        }
    }
}

impl Inner {
    fn is_stopping(&self) -> bool {
        self.parts.tasks.stopping.is_cancelled()
    }

    async fn claim(&self) -> mongodb::error::Result<Option<Claimed>> {
        let now = self.parts.clock.now();
        let lease = i64::try_from(self.parts.lease.as_millis()).unwrap_or(i64::MAX);
        let claimed = self.parts.outbox.claim(now, now.plus_millis(lease)).await?;
        match claimed {
            Some(Claimed::Row(lease, _)) if self.is_stopping() => {
                self.parts.outbox.release(&lease, now).await?;
                Ok(None)
            }
            other => Ok(other),
        }
    }

    async fn handle(&self, claimed: Claimed) {
        let begun = Instant::now();
        let (lease, failures) = match &claimed {
            Claimed::Row(lease, row) => (lease.clone(), row.retry_count),
            Claimed::Malformed(lease, _) => (lease.clone(), 0),
        };
        let handled = AssertUnwindSafe(self.deliver(claimed)).catch_unwind().await;
        let outcome = match handled {
            Ok(outcome) => outcome,
            // Given up: else the row would come back whenever its lease ends, and a probe would never be over.
            Err(_panic) => {
                self.breaker.unused();
                self.give_up(&lease, failures, "a defect of this program, see its log")
                    .await
            }
        };
        let word = match outcome {
            Outcome::Sent => "sent",
            Outcome::Retried => "retried",
            Outcome::Failed => "failed",
            Outcome::Postponed => "postponed",
            Outcome::Cancelled => "cancelled",
            Outcome::Lost => "lost",
        };
        metrics::counter!("workflow_mail_results_total", "result" => word).increment(1);
        metrics::histogram!("workflow_mail_seconds").record(begun.elapsed().as_secs_f64());
    }

    async fn deliver(&self, claimed: Claimed) -> Outcome {
        match claimed {
            Claimed::Row(lease, row) => self.handle_row(&lease, &row).await,
            Claimed::Malformed(lease, reason) => {
                self.breaker.unused();
                tracing::error!(outbox.key = %lease.key, reason, "a row of the outbox cannot be sent");
                self.give_up(&lease, 0, &reason).await
            }
        }
    }

    async fn handle_row(&self, lease: &Lease, row: &OutboxRow) -> Outcome {
        let Some(recipient) = only_recipient(row) else {
            self.breaker.unused();
            return self
                .give_up(lease, row.retry_count, "the row has no valid recipient")
                .await;
        };
        let rendered = match self.parts.composer.render(row, self.parts.clock.now()).await {
            Ok(rendered) => rendered,
            Err(ComposeError::Template(error)) => {
                self.breaker.unused();
                let reason = format!("{:#}", anyhow::Error::from(error));
                return self.give_up(lease, row.retry_count, &reason).await;
            }
            Err(ComposeError::Database(error)) => {
                self.breaker.unused();
                tracing::warn!(error = %error, "a mail waits because its wording could not be read");
                let _ = self.parts.outbox.release(lease, self.parts.clock.now()).await;
                return Outcome::Lost;
            }
        };
        let mail = outgoing(row, recipient, &rendered, self.parts.clock.now());
        match self.parts.mail.send(&mail).await {
            Ok(receipt) => self.sent(lease, &rendered, &receipt).await,
            Err(error) => self.not_sent(lease, row, error).await,
        }
    }

    async fn sent(&self, lease: &Lease, rendered: &Rendered, receipt: &Receipt) -> Outcome {
        self.transport_answered();
        let kept = RenderedMail {
            subject: rendered.subject.clone(),
            body_html: rendered.html.clone(),
        };
        let now = self.parts.clock.now();
        let id = receipt.provider_message_id.as_deref();
        let record = || self.parts.outbox.mark_sent(lease, now, &kept, id);
        recorded(record, Outcome::Sent).await
    }

    async fn not_sent(&self, lease: &Lease, row: &OutboxRow, error: MailError) -> Outcome {
        match error {
            MailError::Permanent { reason } => {
                self.transport_answered();
                self.give_up(lease, row.retry_count.saturating_add(1), &reason)
                    .await
            }
            MailError::Passing { reason, retry_after } => {
                self.transport_answered();
                self.retry_or_give_up(lease, row, &reason, retry_after).await
            }
            MailError::Unavailable { reason, retry_after } => {
                let next = self.breaker.failed(self.parts.clock.now(), retry_after);
                tracing::warn!(reason, next = %next, "the mail transport is away");
                let outbox = &self.parts.outbox;
                recorded(|| outbox.postpone(lease, &reason, next), Outcome::Postponed).await
            }
            MailError::Disabled => {
                let reason = error.to_string();
                let now = self.parts.clock.now();
                let outbox = &self.parts.outbox;
                recorded(|| outbox.mark_cancelled(lease, &reason, now), Outcome::Cancelled).await
            }
        }
    }

    async fn retry_or_give_up(
        &self,
        lease: &Lease,
        row: &OutboxRow,
        reason: &str,
        retry_after: Option<Duration>,
    ) -> Outcome {
        let failures = row.retry_count.saturating_add(1);
        let limit = match self.parts.config.current().await {
            Ok(config) => config.notification_retry_max,
            // The row stays leased and is tried again when the lease ends.
            Err(_) => return Outcome::Lost,
        };
        if u32::try_from(failures).is_ok_and(|failures| failures >= limit) {
            return self.give_up(lease, failures, reason).await;
        }
        let next = next_attempt(self.parts.clock.now(), failures, retry_after, rand::random());
        let outbox = &self.parts.outbox;
        recorded(
            || outbox.mark_retry(lease, failures, reason, next),
            Outcome::Retried,
        )
        .await
    }

    async fn give_up(&self, lease: &Lease, failures: i32, reason: &str) -> Outcome {
        let now = self.parts.clock.now();
        let outbox = &self.parts.outbox;
        recorded(
            || outbox.mark_failed(lease, failures, reason, now),
            Outcome::Failed,
        )
        .await
    }

    fn transport_answered(&self) {
        if self.breaker.answered() {
            tracing::info!("the mail transport is back");
            self.parts.outbox.wake();
        }
    }
}

/// Records a result, with a few repeats, because a result that is lost sends the mail again.
async fn recorded<F>(record: impl Fn() -> F, outcome: Outcome) -> Outcome
where
    F: Future<Output = mongodb::error::Result<bool>>,
{
    let repeats = ExponentialBuilder::default().with_max_times(4).with_jitter();
    match record.retry(repeats).await {
        Ok(true) => outcome,
        Ok(false) => {
            tracing::warn!("a mail's lease ended before its result was recorded");
            Outcome::Lost
        }
        Err(error) => {
            tracing::error!(error = %error, "a mail's result could not be recorded");
            Outcome::Lost
        }
    }
}

fn only_recipient(row: &OutboxRow) -> Option<Email> {
    let [only] = row.recipients.as_slice() else {
        return None;
    };
    Email::try_from(only.as_str()).ok()
}

fn outgoing(row: &OutboxRow, to: Email, rendered: &Rendered, date: Timestamp) -> OutgoingMail {
    OutgoingMail {
        to,
        subject: rendered.subject.clone(),
        html: format!(
            "<!doctype html>\n<html><head><meta charset=\"utf-8\"></head><body>\n{}\n</body></html>\n",
            rendered.html
        ),
        text: rendered.text.clone(),
        notification_id: row.notification_id.clone(),
        key: row.key.clone(),
        correlation_id: row.correlation_id.clone(),
        date,
    }
}
