//! Tickets in the state that a scenario begins with, copied from the journeys of the rehearsal.

use crate::shapes::{Commit, Journey};
use crate::template::{Copy, new_ticket_id};
use bson::RawDocumentBuf;
use mongodb::Database;
use std::sync::Arc;
use workflow_ops::domain::id::TicketId;
use workflow_ops::domain::time::Clock;

/// How many documents one insert holds.
const CHUNK: usize = 500;
/// What a ticket's page reads beside the ticket.
const HISTORY: [&str; 2] = ["audit_events", "ticket_commands"];

/// A ticket to be read or acted on.
#[derive(Debug, Clone)]
pub(crate) struct Stocked {
    /// Its id.
    pub(crate) id: TicketId,
    /// Whose journey it is on.
    pub(crate) journey: Arc<Journey>,
}

/// Inserts tickets after `commands` commands of their journeys, `each` of every journey in turn.
pub(crate) async fn lay_in(
    database: &Database,
    journeys: &[Arc<Journey>],
    commands: usize,
    total: usize,
) -> anyhow::Result<Vec<Stocked>> {
    let mut stocked = Vec::with_capacity(total);
    let mut tickets = Vec::new();
    let mut history: Vec<(&'static str, Vec<RawDocumentBuf>)> =
        HISTORY.iter().map(|name| (*name, Vec::new())).collect();
    let now = Clock::System.now();
    for journey in journeys.iter().cycle().take(total) {
        let copy = Copy {
            ticket: new_ticket_id(),
            now,
        };
        let passed: Vec<&Commit> = journey.commits.iter().take(commands).collect();
        let Some(last) = passed.last() else { continue };
        tickets.push(last.stored.copy(&copy)?);
        for (collection, row) in passed.iter().flat_map(|commit| &commit.rows) {
            if let Some((_, rows)) = history.iter_mut().find(|(name, _)| name == collection) {
                rows.push(row.copy(&copy)?);
            }
        }
        stocked.push(Stocked {
            id: copy.ticket,
            journey: Arc::clone(journey),
        });
    }
    insert(database, "tickets", &tickets).await?;
    for (collection, rows) in history {
        insert(database, collection, &rows).await?;
    }
    Ok(stocked)
}

/// Inserts documents in pieces, several at a time.
pub(crate) async fn insert(
    database: &Database,
    name: &str,
    documents: &[RawDocumentBuf],
) -> anyhow::Result<()> {
    let collection = database.collection::<RawDocumentBuf>(name);
    for chunks in documents.chunks(CHUNK * 4) {
        let inserts = chunks.chunks(CHUNK).map(|chunk| {
            let collection = collection.clone();
            async move { collection.insert_many(chunk).ordered(false).await }
        });
        futures::future::try_join_all(inserts).await?;
    }
    Ok(())
}
