//! One claimed mail: worded, handed over, and what came of it recorded.

use super::breaker::Breaker;
use super::compose::{ComposeError, Composer};
use super::retry_plan::next_attempt;
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
use std::time::{Duration, Instant};

/// How long a mail waits whose wording could not be read.
const WORDING_PAUSE_MS: i64 = 60_000;

/// Sends mails, one at a time for each caller.
#[derive(Debug)]
pub(super) struct Courier {
    /// The rows.
    pub(super) outbox: OutboxRepo,
    /// From a row to a message.
    pub(super) composer: Composer,
    /// The way out.
    pub(super) mail: MailClient,
    /// How often a mail is tried.
    pub(super) config: SystemConfigReader,
    /// Where the time comes from.
    pub(super) clock: Clock,
    /// Learns whether the transport answers.
    pub(super) breaker: Breaker,
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

impl Courier {
    /// Sends a claimed mail and records what came of it.
    pub(super) async fn handle(&self, claimed: Claimed) {
        let begun = Instant::now();
        let lease = claimed.lease().clone();
        let failures = match &claimed {
            Claimed::Row(_, row) => row.retry_count,
            Claimed::Malformed(..) => 0,
        };
        let handled = AssertUnwindSafe(self.deliver(claimed)).catch_unwind().await;
        let outcome = match handled {
            Ok(outcome) => outcome,
            // Given up: else the row would come back whenever its lease ends.
            Err(_panic) => {
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
                tracing::error!(outbox.key = %lease.key, reason, "a row of the outbox cannot be sent");
                self.give_up(&lease, 0, &reason).await
            }
        }
    }

    async fn handle_row(&self, lease: &Lease, row: &OutboxRow) -> Outcome {
        let Some(recipient) = only_recipient(row) else {
            return self
                .give_up(lease, row.retry_count, "the row has no valid recipient")
                .await;
        };
        let rendered = match self.composer.render(row, self.clock.now()).await {
            Ok(rendered) => rendered,
            Err(ComposeError::Template(error)) => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                return self.give_up(lease, row.retry_count, &reason).await;
            }
            Err(ComposeError::Database(error)) => {
                tracing::warn!(error = %error, "a mail waits because its wording could not be read");
                let next = self.clock.now().plus_millis(WORDING_PAUSE_MS);
                let postpone = || self.outbox.postpone(lease, "its wording could not be read", next);
                return recorded(postpone, Outcome::Postponed).await;
            }
        };
        let mail = outgoing(row, recipient, &rendered, self.clock.now());
        match self.mail.send(&mail).await {
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
        let now = self.clock.now();
        let id = receipt.provider_message_id.as_deref();
        let record = || self.outbox.mark_sent(lease, now, &kept, id);
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
                let next = self.breaker.failed(self.clock.now(), retry_after);
                tracing::warn!(reason, next = %next, "the mail transport is away");
                let outbox = &self.outbox;
                recorded(|| outbox.postpone(lease, &reason, next), Outcome::Postponed).await
            }
            MailError::Disabled => {
                let reason = error.to_string();
                let now = self.clock.now();
                let outbox = &self.outbox;
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
        let limit = match self.config.current().await {
            Ok(config) => config.notification_retry_max,
            // The row stays leased and is tried again when the lease ends.
            Err(_) => return Outcome::Lost,
        };
        if u32::try_from(failures).is_ok_and(|failures| failures >= limit) {
            return self.give_up(lease, failures, reason).await;
        }
        let next = next_attempt(self.clock.now(), failures, retry_after, rand::random());
        let outbox = &self.outbox;
        recorded(
            || outbox.mark_retry(lease, failures, reason, next),
            Outcome::Retried,
        )
        .await
    }

    async fn give_up(&self, lease: &Lease, failures: i32, reason: &str) -> Outcome {
        let now = self.clock.now();
        let outbox = &self.outbox;
        recorded(
            || outbox.mark_failed(lease, failures, reason, now),
            Outcome::Failed,
        )
        .await
    }

    fn transport_answered(&self) {
        if self.breaker.answered(self.clock.now()) {
            tracing::info!("the mail transport is back");
            self.outbox.wake();
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
