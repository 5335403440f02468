//! Notes: bodies live in the `ticket_notes` collection, the aggregate keeps counts and recent fingerprints.

use crate::domain::id::{AttachmentId, RequesterNoteId, TicketStepId};
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a note belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The activity log of a step.
    Step(TicketStepId),
    /// A message of the requester on the ticket.
    Requester(RequesterNoteId),
}

/// A note as relayed to `ticket_notes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteBody {
    /// What it belongs to.
    pub kind: NoteKind,
    /// The text, 1 to 5 000 characters.
    pub content: String,
    /// Who wrote it.
    pub author: Person,
    /// When.
    pub at: Timestamp,
    /// Files with it.
    pub attachment_ids: Vec<AttachmentId>,
}

/// The fingerprint of a recent note, by which an automatic repeat within a minute is recognised (design 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteMark {
    /// Twelve hexadecimal digits over target, author and text.
    pub fingerprint: String,
    /// When it was written.
    pub at: Timestamp,
}
