//! What the commit path is asked, and what it answers.

use crate::domain::id::{AttachmentId, StepKey, TicketId, random_key};
use crate::domain::json::JsonObject;
use crate::domain::person::{Actor, Person};
use crate::domain::ticket::Ticket;
use crate::domain::workflow::VersionRef;
use crate::engine::Command;
use crate::repositories::audit_repo::AuditRow;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A command of somebody on one ticket.
#[derive(Debug, Clone)]
pub struct CommandRequest {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The command.
    pub command: Command,
    /// Who sends it.
    pub actor: Actor,
    /// The request's correlation id.
    pub correlation_id: String,
    /// The client's idempotency key, if it sent one.
    pub idempotency: Option<IdempotencyKey>,
    /// The version the caller expects to change, if it named one.
    pub expected: Option<ExpectedVersion>,
}

/// The wish to raise a ticket.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// The published version the ticket will run.
    pub version: VersionRef,
    /// 1 to 500 characters.
    pub title: String,
    /// At most 5 000 characters.
    pub description: Option<String>,
    /// Values of the forms filled in the creation wizard.
    pub initial_form_values: JsonObject,
    /// Files named beside the values.
    pub attachment_ids: Vec<AttachmentId>,
    /// The leading forms filled in the wizard, in order.
    pub initial_form_step_ids: Vec<StepKey>,
    /// Who raises it.
    pub actor: Actor,
    /// The request's correlation id.
    pub correlation_id: String,
    /// The client's idempotency key, if it sent one.
    pub idempotency: Option<IdempotencyKey>,
    /// The fingerprint of the request's body ([`fingerprint`]): without a key, an identical request of the same person
    /// within a minute is the same ticket.
    pub fingerprint: String,
}

/// The version a caller expects to change, and how it said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// By `If-Match`; another version is refused with 412.
    IfMatch(i64),
    /// By `expected_version` in the body; another version is refused with 409 `CONCURRENCY_CONFLICT`.
    Body(i64),
}

/// A client's idempotency key: honoured per person and route for 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key as the client sent it.
    pub key: String,
    /// The route it was sent to: method and path pattern, without the ids of the path.
    pub route: String,
    /// The fingerprint of path and body, see [`fingerprint`].
    pub fingerprint: String,
}

impl IdempotencyKey {
    /// The key as stored: a hash over person, route and the client's key, 32 hexadecimal digits.
    pub fn stored(&self, person: &Person) -> String {
        let mut text = hash(&[&identity(person), &self.route, &self.key]);
        text.truncate(32);
        text
    }
}

/// The key under which a command is committed, and what its body was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandKey {
    /// The key as stored.
    pub(crate) key: String,
    /// The fingerprint of the body; empty for drawn keys.
    pub(crate) fingerprint: String,
    /// Whether the client sent it, so that it may be met again.
    pub(crate) from_client: bool,
}

impl CommandKey {
    /// The client's key, or one drawn now.
    pub(crate) fn of(idempotency: Option<&IdempotencyKey>, person: &Person) -> Self {
        match idempotency {
            Some(sent) => Self {
                key: sent.stored(person),
                fingerprint: sent.fingerprint.clone(),
                from_client: true,
            },
            None => Self {
                key: random_key(),
                fingerprint: String::new(),
                from_client: false,
            },
        }
    }
}

/// A committed command, or the first one that it repeats.
#[derive(Debug, Clone)]
pub struct Executed {
    /// The ticket as it is now.
    pub ticket: Arc<Ticket>,
    /// The ticket's version.
    pub version: i64,
    /// The id of what the command created.
    pub created: Option<String>,
    /// What the command made happen, in order; empty when it had had its effect already.
    pub events: Vec<AuditRow>,
    /// What happened before and was not in its collection when the ticket was loaded, oldest first; `None` when
    /// nobody looked.
    pub before: Option<Vec<AuditRow>>,
    /// Whether this is the answer to a repeat of a command that was committed before.
    pub replayed: bool,
}

/// The fingerprint of a request: SHA-256 over its parts, in hexadecimal digits.
pub fn fingerprint(parts: &[&str]) -> String {
    hash(parts)
}

/// One word for a person: the object id when known, else the address.
pub(crate) fn identity(person: &Person) -> String {
    person
        .keys()
        .pop()
        .map_or_else(String::new, |key| key.as_str().to_owned())
}

/// SHA-256 over length-prefixed parts, so that no two lists of parts hash alike.
fn hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex::encode(digest.finalize())
}
