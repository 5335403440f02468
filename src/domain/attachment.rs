//! What the engine must know of an uploaded file before a command may use it.

use super::id::{AttachmentId, TicketId};
use super::person::Person;
use serde::{Deserialize, Serialize};

/// A file that a command names, as found when the command was prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentFact {
    /// The file.
    pub id: AttachmentId,
    /// Its original name.
    pub filename: String,
    /// Who uploaded it.
    pub uploaded_by: Person,
    /// The ticket it belongs to, if any.
    pub ticket_id: Option<TicketId>,
}

impl AttachmentFact {
    /// Whether `person` may use this file in `ticket`: it is the ticket's already, or the person's own and linked nowhere.
    pub fn usable_by(&self, person: &Person, ticket: &TicketId) -> bool {
        match &self.ticket_id {
            Some(owner) => owner == ticket,
            None => self.uploaded_by.is_same(person),
        }
    }
}
