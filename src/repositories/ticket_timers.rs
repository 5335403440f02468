//! Tickets whose timers are due, and those whose timers could not be fired (design 3, timers).

use super::indexes::IndexSpec;
use super::ticket_repo::{COLLECTION, TicketRepo};
use crate::domain::id::TicketId;
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::options::Hint;

/// The index of tickets whose timers could not be fired.
const TIMER_TROUBLE: &str = "timer_trouble";

/// The indexes by which due timers are found.
pub fn indexes() -> Vec<IndexSpec> {
    let has_timer = doc! {"work.next_timer_at": {"$type": "date"}};
    let in_trouble = doc! {"timer_trouble.retry_at": 1, "work.next_timer_at": 1};
    vec![
        IndexSpec::new(COLLECTION, "next_timer", doc! {"work.next_timer_at": 1}).partial(has_timer),
        IndexSpec::new(COLLECTION, TIMER_TROUBLE, in_trouble)
            .partial(doc! {"timer_trouble": {"$exists": true}}),
    ]
}

/// A ticket with a timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTicket {
    /// The ticket.
    pub id: TicketId,
    /// Whether its timers could not be fired before.
    pub was_in_trouble: bool,
}

impl TicketRepo {
    /// Tickets with a timer that is due at `now` and that are not waiting for a retry, the longest due first.
    pub async fn with_due_timers(&self, now: Timestamp, limit: i64) -> Result<Vec<DueTicket>> {
        let due = doc! {
            "work.next_timer_at": {"$type": "date", "$lte": now},
            "$or": [{"timer_trouble": {"$exists": false}}, {"timer_trouble.retry_at": {"$lte": now}}],
        };
        let rows: Vec<Document> = self
            .documents()
            .find(due)
            .sort(doc! {"work.next_timer_at": 1})
            .limit(limit)
            .projection(doc! {"_id": 1, "timer_trouble": 1})
            .await?
            .try_collect()
            .await?;
        let tickets = rows.into_iter().filter_map(|row| {
            Some(DueTicket {
                id: TicketId::from_stored(row.get_str("_id").ok()?),
                was_in_trouble: row.contains_key("timer_trouble"),
            })
        });
        Ok(tickets.collect())
    }

    /// How many tickets have a timer that was due before `before`, counted up to 10 000.
    pub async fn count_overdue_timers(&self, before: Timestamp) -> Result<u64> {
        self.documents()
            .count_documents(doc! {"work.next_timer_at": {"$type": "date", "$lt": before}})
            .limit(10_000)
            .await
    }

    /// How many tickets wait for another try of their timers, counted up to 10 000.
    pub async fn count_timer_trouble(&self) -> Result<u64> {
        self.documents()
            .count_documents(
                doc! {"work.next_timer_at": {"$type": "date"}, "timer_trouble": {"$exists": true}},
            )
            .hint(Hint::Name(TIMER_TROUBLE.to_owned()))
            .limit(10_000)
            .await
    }

    /// Remembers that a ticket's timers could not be fired: counts up and sets when it is tried again.
    ///
    /// The wait doubles with each error, from one minute to an hour.
    pub async fn note_timer_trouble(&self, id: &TicketId, now: Timestamp) -> Result<()> {
        let errors = doc! {"$add": [{"$ifNull": ["$timer_trouble.errors", 0_i64]}, 1_i64]};
        let minutes = doc! {"$min": [60_i64, {"$pow": [2_i64, {"$min": [{"$subtract": [errors.clone(), 1_i64]}, 6_i64]}]}]};
        let wait = doc! {"$multiply": [minutes, 60_000_i64]};
        let trouble = doc! {"errors": errors, "retry_at": {"$add": [now, wait]}};
        self.documents()
            .update_one(
                doc! {"_id": id.as_str()},
                vec![doc! {"$set": {"timer_trouble": trouble}}],
            )
            .await?;
        Ok(())
    }

    /// Forgets earlier trouble with a ticket's timers.
    pub async fn clear_timer_trouble(&self, id: &TicketId) -> Result<()> {
        self.documents()
            .update_one(
                doc! {"_id": id.as_str(), "timer_trouble": {"$exists": true}},
                doc! {"$unset": {"timer_trouble": ""}},
            )
            .await?;
        Ok(())
    }
}
