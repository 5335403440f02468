//! Rows of the outbox as administrators see them: also those that are no rows of ours, or nobody would ever repair them.

use super::outbox_row::{OutboxRow, OutboxStatus};
use crate::domain::json::JsonObject;
use crate::domain::notice::TemplateKey;
use crate::domain::time::Timestamp;
use bson::{Bson, Document};

/// A row as it was found.
#[derive(Debug, Clone)]
pub enum StoredRow {
    /// A mail.
    Mail(Box<OutboxRow>),
    /// What can be told of a document that cannot be read as one; the drain parks it as `FAILED`.
    Unreadable(Box<ListedRow>),
}

/// What lists tell of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedRow {
    /// The public id; the stored key of a row without one.
    pub notification_id: String,
    /// The ticket it is about.
    pub ticket_id: Option<String>,
    /// The template; absent when there is none of that name.
    pub template_key: Option<TemplateKey>,
    /// The addresses, as stored.
    pub recipients: Vec<String>,
    /// Values for the template.
    pub payload: JsonObject,
    /// Where it stands; a row with another word counts as failed.
    pub status: OutboxStatus,
    /// Failed attempts.
    pub retry_count: i32,
    /// Why the last attempt failed, or why the row cannot be read.
    pub last_error: Option<String>,
    /// When it was enqueued.
    pub created_at: Option<Timestamp>,
    /// When the transport accepted it.
    pub sent_at: Option<Timestamp>,
    /// When the next attempt is planned.
    pub next_retry_at: Option<Timestamp>,
    /// Who holds the lease.
    pub locked_by: Option<String>,
    /// When the lease ends.
    pub locked_until: Option<Timestamp>,
}

impl StoredRow {
    /// Reads a document, or what can be read of it.
    pub(super) fn read(document: &Document) -> Self {
        match bson::deserialize_from_document(document.clone()) {
            Ok(row) => Self::Mail(Box::new(row)),
            Err(error) => Self::Unreadable(Box::new(salvaged(document, &error))),
        }
    }

    /// The mail, if it is one.
    pub fn mail(self) -> Option<OutboxRow> {
        match self {
            Self::Mail(row) => Some(*row),
            Self::Unreadable(_) => None,
        }
    }
}

impl From<StoredRow> for ListedRow {
    fn from(stored: StoredRow) -> Self {
        match stored {
            StoredRow::Mail(row) => (*row).into(),
            StoredRow::Unreadable(listed) => *listed,
        }
    }
}

impl From<OutboxRow> for ListedRow {
    fn from(row: OutboxRow) -> Self {
        Self {
            notification_id: row.notification_id.to_string(),
            ticket_id: row.ticket_id.map(|id| id.to_string()),
            template_key: Some(row.template_key),
            recipients: row.recipients.iter().map(ToString::to_string).collect(),
            payload: row.payload,
            status: row.status,
            retry_count: row.retry_count,
            last_error: row.last_error,
            created_at: Some(row.created_at),
            sent_at: row.sent_at,
            next_retry_at: row.next_retry_at,
            locked_by: row.locked_by,
            locked_until: row.locked_until,
        }
    }
}

/// Takes from a document what has the form that it should have.
fn salvaged(document: &Document, error: &bson::error::Error) -> ListedRow {
    let text = |name: &str| document.get_str(name).ok().map(ToOwned::to_owned);
    let instant = |name: &str| document.get_datetime(name).ok().copied().map(Timestamp::from);
    let key = || document.get("_id").map(key_text).unwrap_or_default();
    let recipients = document.get_array("recipients").map_or(&[][..], Vec::as_slice);
    ListedRow {
        notification_id: text("notification_id").unwrap_or_else(key),
        ticket_id: text("ticket_id"),
        template_key: document
            .get_str("template_key")
            .ok()
            .and_then(TemplateKey::from_word),
        recipients: recipients
            .iter()
            .filter_map(|address| address.as_str().map(ToOwned::to_owned))
            .collect(),
        payload: JsonObject::default(),
        status: document
            .get_str("status")
            .ok()
            .and_then(OutboxStatus::from_word)
            .unwrap_or(OutboxStatus::Failed),
        retry_count: document.get_i32("retry_count").unwrap_or_default(),
        last_error: text("last_error").or_else(|| Some(malformed(error))),
        created_at: instant("created_at"),
        sent_at: instant("sent_at"),
        next_retry_at: instant("next_retry_at"),
        locked_by: text("locked_by"),
        locked_until: instant("locked_until"),
    }
}

/// Why a row cannot be read.
pub(super) fn malformed(error: &bson::error::Error) -> String {
    format!("not a valid row: {error}")
}

fn key_text(key: &Bson) -> String {
    key.as_str().map_or_else(|| key.to_string(), ToOwned::to_owned)
}
