//! `ticket_notes`: the bodies of notes; the aggregate keeps counts only.

use super::indexes::IndexSpec;
use super::relayed::{Relayed, RelayedRepo, RelayedRow, add_new};
use crate::domain::id::{TicketId, TicketStepId};
use crate::domain::ticket::{NoteBody, NoteKind};
use bson::doc;
use futures::TryStreamExt;
use mongodb::error::Result;

/// Notes, in the tail or in their collection.
pub type NoteRepo = RelayedRepo<NoteBody>;

/// A note with its place.
pub type NoteRow = RelayedRow<NoteBody>;

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let name = NoteBody::COLLECTION;
    // A step's notes are looked for among those of its ticket.
    vec![IndexSpec::new(
        name,
        "ticket_steps",
        doc! {"ticket_id": 1, "seq": -1, "n": -1, "body.kind.step": 1},
    )]
}

impl RelayedRepo<NoteBody> {
    /// The newest notes on a ticket, of its steps and of its requester, newest first.
    pub async fn newest_of_ticket(&self, ticket_id: &TicketId, limit: usize) -> Result<Vec<NoteRow>> {
        self.newest(ticket_id, |_| true, doc! {}, limit).await
    }

    /// The newest notes on one step, newest first.
    pub async fn newest_of_step(
        &self,
        ticket_id: &TicketId,
        step: &TicketStepId,
        limit: usize,
    ) -> Result<Vec<NoteRow>> {
        let on_step = |note: &NoteBody| matches!(&note.kind, NoteKind::Step(of) if of == step);
        let filter = doc! {"body.kind.step": step.as_str()};
        self.newest(ticket_id, on_step, filter, limit).await
    }

    /// The notes on these steps, oldest first, at most `limit` beside those that are still on their way.
    pub async fn of_steps(&self, steps: &[(TicketId, TicketStepId)], limit: usize) -> Result<Vec<NoteRow>> {
        if steps.is_empty() {
            return Ok(Vec::new());
        }
        let tickets: Vec<TicketId> = steps.iter().map(|(ticket, _)| ticket.clone()).collect();
        let mut found = self.tails_rows(&tickets).await?;
        found.retain(|row| match &row.body.kind {
            NoteKind::Step(step) => steps.iter().any(|(_, wanted)| wanted == step),
            NoteKind::Requester(_) => false,
        });
        let (tickets, steps): (Vec<&str>, Vec<&str>) = steps
            .iter()
            .map(|(ticket, step)| (ticket.as_str(), step.as_str()))
            .unzip();
        let stored: Vec<NoteRow> = self
            .rows()
            .find(doc! {"ticket_id": {"$in": tickets}, "body.kind.step": {"$in": steps}})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .await?
            .try_collect()
            .await?;
        add_new(&mut found, stored);
        found.sort_by_key(|row| (row.seq, row.n));
        Ok(found)
    }

    /// The requester's newest messages, newest first.
    pub async fn newest_of_requester(&self, ticket_id: &TicketId, limit: usize) -> Result<Vec<NoteRow>> {
        let by_requester = |note: &NoteBody| matches!(note.kind, NoteKind::Requester(_));
        let filter = doc! {"body.kind.requester": {"$exists": true}};
        self.newest(ticket_id, by_requester, filter, limit).await
    }
}
