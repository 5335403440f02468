//! `form_versions`: every version of a ticket's form data; the aggregate keeps the current one only.

use super::indexes::IndexSpec;
use super::relayed::{Relayed, RelayedRepo, RelayedRow};
use crate::domain::id::TicketId;
use crate::domain::ticket::FormVersion;
use bson::doc;
use mongodb::error::Result;

/// Versions of form data, in the tail or in their collection.
pub type FormVersionRepo = RelayedRepo<FormVersion>;

/// A version of form data with its place.
pub type FormVersionRow = RelayedRow<FormVersion>;

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let name = FormVersion::COLLECTION;
    // A version is looked for among those of its ticket.
    vec![IndexSpec::new(
        name,
        "ticket_versions",
        doc! {"ticket_id": 1, "seq": -1, "n": -1, "body.version": 1},
    )]
}

impl RelayedRepo<FormVersion> {
    /// The newest versions of a ticket's form data, newest first.
    pub async fn newest_of_ticket(&self, ticket_id: &TicketId, limit: usize) -> Result<Vec<FormVersionRow>> {
        self.newest(ticket_id, |_| true, doc! {}, limit).await
    }

    /// One version of a ticket's form data.
    pub async fn version(&self, ticket_id: &TicketId, version: i32) -> Result<Option<FormVersionRow>> {
        let wanted = |form: &FormVersion| form.version == version;
        let found = self
            .newest(ticket_id, wanted, doc! {"body.version": version}, 1)
            .await?;
        Ok(found.into_iter().next())
    }
}
