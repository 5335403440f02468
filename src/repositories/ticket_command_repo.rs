//! `ticket_commands`: every committed command with the facts it was decided on, from which a ticket can be built again.

use super::indexes::IndexSpec;
use super::relayed::{Relayed, RelayedRepo, RelayedRow};
use crate::domain::id::TicketId;
use crate::domain::tail::{RecordedCommand, StableKey};
use bson::doc;
use futures::TryStreamExt;
use mongodb::Database;
use mongodb::error::Result;

/// Recorded commands, in the tail or in their collection.
pub type TicketCommandRepo = RelayedRepo<RecordedCommand>;

/// A recorded command with its place.
pub type TicketCommandRow = RelayedRow<RecordedCommand>;

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let name = RecordedCommand::COLLECTION;
    // A key is looked for among those of its ticket; an index of its own would be one more for every command to write.
    vec![IndexSpec::new(
        name,
        "ticket_keys",
        doc! {"ticket_id": 1, "seq": -1, "n": -1, "body.key": 1},
    )]
}

impl RelayedRepo<RecordedCommand> {
    /// The command that was committed on a ticket under this key; the newest, should there be several.
    pub async fn by_command_key(&self, ticket_id: &TicketId, key: &str) -> Result<Option<TicketCommandRow>> {
        let found = self
            .newest(ticket_id, |command| command.key == key, doc! {"body.key": key}, 1)
            .await?;
        Ok(found.into_iter().next())
    }

    /// The commands of a ticket up to a version, in the order in which they took effect.
    pub async fn up_to(&self, ticket_id: &TicketId, version: i64) -> Result<Vec<TicketCommandRow>> {
        let mut found = self.tail_rows(ticket_id, |_| true).await?;
        let stored: Vec<TicketCommandRow> = self
            .rows()
            .find(doc! {"ticket_id": ticket_id.as_str(), "seq": {"$lte": version}})
            .sort(doc! {"seq": 1})
            .await?
            .try_collect()
            .await?;
        found.extend(stored);
        found.retain(|row| row.seq <= version);
        found.sort_by_key(|row| row.seq);
        found.dedup_by_key(|row| row.seq);
        Ok(found)
    }
}

/// The command that made a ticket's version `seq`; `None` when there is no such command.
pub(super) async fn recorded_at(
    database: &Database,
    ticket_id: &TicketId,
    seq: i64,
) -> Result<Option<RecordedCommand>> {
    let key = StableKey {
        ticket_id: ticket_id.clone(),
        seq,
        n: 0,
    };
    let row = TicketCommandRepo::new(database).by_key(&key).await?;
    Ok(row.map(|row| row.body))
}
