//! `audit_events`: what happened to tickets, once each, never changed.

use super::gathered_reads::{GatheredReads, Question};
use super::indexes::IndexSpec;
use super::relayed::{Relayed, RelayedRepo, RelayedRow, add_new};
use crate::domain::audit::AuditEvent;
use crate::domain::id::TicketId;
use bson::{Document, RawDocumentBuf, doc};
use mongodb::Database;
use mongodb::error::Result;
use tokio_util::task::TaskTracker;

/// Audit events, in the tail or in their collection.
pub type AuditRepo = RelayedRepo<AuditEvent>;

/// An audit event with its place.
pub type AuditRow = RelayedRow<AuditEvent>;

/// The index of a step's events, in their order.
pub const STEP_INDEX: &str = "step";

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let name = AuditEvent::COLLECTION;
    vec![
        IndexSpec::new(name, "ticket", doc! {"ticket_id": 1, "seq": -1, "n": -1}),
        IndexSpec::new(name, "newest", doc! {"at": -1, "_id": -1}),
        IndexSpec::new(
            name,
            "type_newest",
            doc! {"body.event_type": 1, "at": -1, "_id": -1},
        ),
        IndexSpec::new(
            name,
            "correlation_newest",
            doc! {"correlation_id": 1, "at": -1, "_id": -1},
        ),
        // Behind the order what a range of time is looked for by.
        IndexSpec::new(
            name,
            STEP_INDEX,
            doc! {"body.ticket_step_id": 1, "seq": -1, "n": -1, "at": -1},
        )
        .partial(doc! {"body.ticket_step_id": {"$exists": true}}),
    ]
}

/// The newest events of tickets that are shown, read together with those of other tickets; cheap to clone.
#[derive(Debug, Clone)]
pub struct NewestEvents {
    rows: AuditRepo,
    lately: GatheredReads<Since>,
}

/// A ticket's events since one of its versions.
#[derive(Debug)]
struct Since {
    ticket_id: TicketId,
    version: i64,
}

impl Question for Since {
    const FIELD: &'static str = "ticket_id";

    fn value(&self) -> &str {
        self.ticket_id.as_str()
    }

    fn filter(questions: &[Self]) -> Document {
        let one = |since: &Self| doc! {"ticket_id": since.value(), "seq": {"$gte": since.version}};
        match questions {
            [since] => one(since),
            several => doc! {"$or": several.iter().map(one).collect::<Vec<_>>()},
        }
    }
}

impl NewestEvents {
    /// The events of `database`.
    pub fn new(database: &Database, tracker: &TaskTracker) -> Self {
        Self {
            rows: AuditRepo::new(database),
            lately: GatheredReads::new(database, AuditEvent::COLLECTION, None, tracker),
        }
    }

    /// The newest events of a ticket at a version, newest first, at most `limit`. `known` are those that were in its
    /// tail, or have left it since.
    ///
    /// Nearly every command causes an event, so the last `limit` commands nearly always have enough of them; where they
    /// have not, the ticket is asked for alone.
    pub async fn at_version(
        &self,
        mut known: Vec<AuditRow>,
        ticket_id: &TicketId,
        version: i64,
        limit: usize,
    ) -> Result<Vec<AuditRow>> {
        let since = version.saturating_sub(i64::try_from(limit).unwrap_or(i64::MAX));
        let question = Since {
            ticket_id: ticket_id.clone(),
            version: since,
        };
        let stored = self.lately.read(question).await?;
        let stored = stored
            .iter()
            .map(|row: &RawDocumentBuf| bson::deserialize_from_slice(row.as_bytes()))
            .collect::<std::result::Result<Vec<AuditRow>, _>>()?;
        add_new(&mut known, stored);
        let lately = known.iter().filter(|row| row.seq >= since).count();
        if since > 1 && lately < limit {
            return self
                .rows
                .newest_beside(known, ticket_id, Document::new(), limit)
                .await;
        }
        known.sort_by_key(|row| std::cmp::Reverse((row.seq, row.n)));
        known.truncate(limit);
        Ok(known)
    }
}
