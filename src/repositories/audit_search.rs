//! Searches over all audit events. Counting stops at 10 000; a text filter looks at the newest 20 000 (design 3).

use super::audit_repo::{AuditRepo, AuditRow, STEP_INDEX};
use super::bounded_count::{self, COUNTED};
use crate::domain::audit::AuditEventType;
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Cursor;
use mongodb::error::Result;
use mongodb::options::{AggregateOptions, Hint, ReadConcern};

const SCAN_LIMIT: i64 = 20_000;

/// Which events are wanted; absent parts admit all.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// The ticket.
    pub ticket_id: Option<String>,
    /// The step.
    pub ticket_step_id: Option<String>,
    /// Any of these; all when empty.
    pub event_types: Vec<AuditEventType>,
    /// Literal text within the actor's address, without regard to case.
    pub actor: Option<String>,
    /// The request.
    pub correlation_id: Option<String>,
    /// Not older than this.
    pub from: Option<Timestamp>,
    /// Not newer than this.
    pub to: Option<Timestamp>,
}

/// A window of the events found, newest first, and how many there are.
pub async fn search(
    rows: &AuditRepo,
    filter: &AuditFilter,
    skip: u64,
    limit: i64,
) -> Result<(Vec<AuditRow>, u64)> {
    let mut paging = selection(filter);
    paging.push(doc! {"$skip": i64::try_from(skip).unwrap_or(i64::MAX)});
    paging.push(doc! {"$limit": limit});
    let paging = async {
        let found = rows.rows().aggregate(paging).with_options(options(filter));
        found.with_type::<AuditRow>().await?.try_collect().await
    };
    tokio::try_join!(paging, count_up_to(rows, filter, COUNTED))
}

/// How many events are found, counted up to `limit`.
pub async fn count_up_to(rows: &AuditRepo, filter: &AuditFilter, limit: u64) -> Result<u64> {
    if filter.actor.is_none() && filter.ticket_step_id.is_none() {
        return bounded_count::count_up_to(rows.rows(), exact(filter), limit).await;
    }
    let mut counting = selection(filter);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    counting.extend([doc! {"$limit": limit}, doc! {"$count": "total"}]);
    let counted = rows.rows().aggregate(counting).with_options(options(filter));
    let counted: Vec<Document> = counted.await?.try_collect().await?;
    let total = counted.first().and_then(|count| count.get_i32("total").ok());
    Ok(u64::from(total.unwrap_or_default().unsigned_abs()))
}

/// All events found, newest first, as they are at this moment.
pub async fn export(rows: &AuditRepo, filter: &AuditFilter) -> Result<Cursor<AuditRow>> {
    rows.rows()
        .aggregate(selection(filter))
        .with_options(options(filter))
        .with_type::<AuditRow>()
        .read_concern(ReadConcern::snapshot())
        .await
}

/// A step has fewer events than anything that may be named beside it, but for its ticket.
fn options(filter: &AuditFilter) -> AggregateOptions {
    let by_step = filter.ticket_step_id.is_some() && filter.ticket_id.is_none();
    let hint = by_step.then(|| Hint::Name(STEP_INDEX.to_owned()));
    AggregateOptions::builder().hint(hint).build()
}

fn exact(filter: &AuditFilter) -> Document {
    let mut exact = Document::new();
    let texts = [
        ("ticket_id", &filter.ticket_id),
        ("correlation_id", &filter.correlation_id),
        ("body.ticket_step_id", &filter.ticket_step_id),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            exact.insert(field, text);
        }
    }
    if !filter.event_types.is_empty() {
        let words: Vec<Bson> = filter
            .event_types
            .iter()
            .filter_map(|kind| bson::serialize_to_bson(kind).ok())
            .collect();
        exact.insert("body.event_type", doc! {"$in": words});
    }
    let mut range = Document::new();
    if let Some(from) = filter.from {
        range.insert("$gte", from);
    }
    if let Some(to) = filter.to {
        range.insert("$lte", to);
    }
    if !range.is_empty() {
        exact.insert("at", range);
    }
    exact
}

fn selection(filter: &AuditFilter) -> Vec<Document> {
    // Within one ticket the places follow the time, and its indexes are in their order.
    let newest_first = if filter.ticket_id.is_some() || filter.ticket_step_id.is_some() {
        doc! {"seq": -1, "n": -1}
    } else {
        doc! {"at": -1, "_id": -1}
    };
    let mut pipeline = vec![doc! {"$match": exact(filter)}, doc! {"$sort": newest_first}];
    if let Some(text) = &filter.actor {
        let literal = doc! {"$regex": regex::escape(text), "$options": "i"};
        pipeline.push(doc! {"$limit": SCAN_LIMIT});
        pipeline.push(doc! {"$match": {"body.actor.email": literal}});
    }
    pipeline
}
