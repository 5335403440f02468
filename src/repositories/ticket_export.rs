//! Tickets as exports read them: one moment of the database, one ticket after the other, only the fields that are shown.

use super::ticket_filter::{Sorting, TicketFilter, hint};
use super::ticket_list_repo::TicketListRepo;
use crate::domain::id::{StepKey, TicketId};
use crate::domain::json::JsonObject;
use crate::domain::person::Person;
use crate::domain::ticket::TicketStatus;
use crate::domain::time::Timestamp;
use crate::domain::workflow::PinnedWorkflow;
use bson::doc;
use mongodb::Cursor;
use mongodb::error::Result;
use mongodb::options::ReadConcern;
use serde::Deserialize;

/// How many tickets one batch of the cursor holds; one ticket's form values are 256 KiB at most.
const BATCH: u32 = 32;

/// A ticket of an export.
#[derive(Debug, Clone, Deserialize)]
pub struct ExportedTicket {
    /// The ticket.
    #[serde(rename = "_id")]
    pub id: TicketId,
    /// Its own fields.
    pub ticket: ExportedFields,
    /// Its derived facts.
    pub work: ExportedWork,
}

/// A ticket's own fields.
#[derive(Debug, Clone, Deserialize)]
#[expect(
    missing_docs,
    reason = "each field is one of `domain::ticket::Ticket`, described there"
)]
pub struct ExportedFields {
    pub workflow: PinnedWorkflow,
    pub title: String,
    #[serde(default)]
    pub description: Option<String>,
    pub status: TicketStatus,
    pub requester: Person,
    #[serde(default)]
    pub manager: Option<Person>,
    pub form_values: JsonObject,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default)]
    pub completed_at: Option<Timestamp>,
    #[serde(default)]
    pub current_step_id: Option<StepKey>,
    pub form_version: i32,
}

/// A ticket's derived facts.
#[derive(Debug, Clone, Deserialize)]
pub struct ExportedWork {
    /// Whether a change request is pending.
    pub has_pending_cr: bool,
    /// Its figures.
    #[serde(default)]
    pub figures: ExportedFigures,
}

/// A ticket's figures.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ExportedFigures {
    /// When the first of its open steps is due.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

impl TicketListRepo {
    /// The tickets that pass, the last changed first, all as they are at this moment: one that changes while it is
    /// waiting for its turn is shown as it was, neither left out nor twice.
    pub async fn export(&self, filter: &TicketFilter) -> Result<Cursor<ExportedTicket>> {
        let projection = doc! {
            "ticket.workflow": 1, "ticket.title": 1, "ticket.description": 1, "ticket.status": 1,
            "ticket.requester": 1, "ticket.manager": 1, "ticket.form_values": 1, "ticket.created_at": 1,
            "ticket.updated_at": 1, "ticket.completed_at": 1, "ticket.current_step_id": 1, "ticket.form_version": 1,
            "work.has_pending_cr": 1, "work.figures.due_at": 1,
        };
        let (wanted, index) = filter.in_index(Sorting::NEWEST);
        self.documents()
            .clone_with_type::<ExportedTicket>()
            .find(wanted)
            .hint(hint(index))
            .sort(Sorting::NEWEST.to_document())
            .projection(projection)
            .batch_size(BATCH)
            .read_concern(ReadConcern::snapshot())
            .await
    }
}
