//! A row of `notification_outbox`: one mail to one person (contract http-admin-notifications 13.1).
//!
//! `_id` is the stable key of the tail entry it came from, so a repeated relay inserts it once. `due_at` alone says
//! when the row may be claimed: it moves to the end of the lease with each claim and to the next attempt with each
//! failure, so that one index `(status, due_at)` finds the work and an expired lease needs no second look.

use crate::domain::id::{NotificationId, TicketId};
use crate::domain::json::JsonObject;
use crate::domain::notice::{Channel, Notice, TemplateKey};
use crate::domain::person::Email;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a mail stands; "in flight" is `PENDING` with a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OutboxStatus {
    /// Waits for its first or next attempt.
    Pending,
    /// The transport has accepted it.
    Sent,
    /// Given up; an administrator may send it again.
    Failed,
    /// An administrator took it back.
    Cancelled,
}

impl OutboxStatus {
    /// The word in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Sent => "SENT",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Sent, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// What was handed to the transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedMail {
    /// The subject as sent.
    pub subject: String,
    /// The HTML part as sent.
    pub body_html: String,
}

/// One mail to one person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxRow {
    /// The stable key `<ticket>:<seq>:<n>` of the entry it came from.
    #[serde(rename = "_id")]
    pub key: String,
    /// The public id.
    pub notification_id: NotificationId,
    /// The ticket it is about.
    #[serde(default)]
    pub ticket_id: Option<TicketId>,
    /// The template.
    pub template_key: TemplateKey,
    /// The addresses; always one.
    pub recipients: Vec<Email>,
    /// Values for the template.
    #[serde(default)]
    pub payload: JsonObject,
    /// Where it stands.
    pub status: OutboxStatus,
    /// Failed attempts since it was enqueued or an administrator asked for it again.
    #[serde(default)]
    pub retry_count: i32,
    /// Attempts ever made, repeats by administrators included.
    #[serde(default)]
    pub attempts_total: i32,
    /// Why the last attempt failed, at most 500 characters.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When it may be claimed, see the module's front page; absent once it is no longer `PENDING`.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// When the next attempt is planned, for people; absent before the first failure.
    #[serde(default)]
    pub next_retry_at: Option<Timestamp>,
    /// Who holds the lease: a word drawn for each claim, never a host name.
    #[serde(default)]
    pub locked_by: Option<String>,
    /// When the lease ends.
    #[serde(default)]
    pub locked_until: Option<Timestamp>,
    /// When the lease was taken.
    #[serde(default)]
    pub lock_acquired_at: Option<Timestamp>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When the transport accepted it.
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
    /// When it was given up.
    #[serde(default)]
    pub failed_at: Option<Timestamp>,
    /// When it was taken back.
    #[serde(default)]
    pub cancelled_at: Option<Timestamp>,
    /// The address of the administrator who took it back.
    #[serde(default)]
    pub cancelled_by: Option<String>,
    /// What was handed to the transport.
    #[serde(default)]
    pub rendered: Option<RenderedMail>,
    /// The id that the transport gave it.
    #[serde(default)]
    pub provider_message_id: Option<String>,
    /// The correlation id of the request that caused it.
    #[serde(default)]
    pub correlation_id: Option<String>,
}

impl OutboxRow {
    /// The mail that a notice asks for; `None` when the notice is for the application only.
    ///
    /// `key` is the stable key of the notice's tail entry and `at` the time of its command.
    pub fn of(
        notice: &Notice,
        key: &str,
        ticket_id: &TicketId,
        at: Timestamp,
        correlation_id: &str,
    ) -> Option<Self> {
        if notice.channel == Channel::InApp {
            return None;
        }
        Some(Self {
            key: key.to_owned(),
            notification_id: NotificationId::derived(key),
            ticket_id: Some(ticket_id.clone()),
            template_key: notice.template,
            recipients: vec![notice.recipient.email.clone()],
            payload: notice.payload.clone(),
            status: OutboxStatus::Pending,
            retry_count: 0,
            attempts_total: 0,
            last_error: None,
            due_at: Some(at),
            next_retry_at: None,
            locked_by: None,
            locked_until: None,
            lock_acquired_at: None,
            created_at: at,
            sent_at: None,
            failed_at: None,
            cancelled_at: None,
            cancelled_by: None,
            rendered: None,
            provider_message_id: None,
            correlation_id: Some(correlation_id.to_owned()),
        })
    }

    /// Whether somebody is sending it at `now`.
    pub fn is_leased(&self, now: Timestamp) -> bool {
        self.locked_by.is_some() && self.locked_until.is_some_and(|until| until > now)
    }
}
