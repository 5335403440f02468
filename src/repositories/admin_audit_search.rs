//! Searching `admin_audit`, newest first.

use super::admin_audit_repo::{AdminAuditEvent, AdminAuditRepo};
use super::bounded_count::{self, COUNTED};
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Cursor;
use mongodb::error::Result;
use mongodb::options::ReadConcern;

/// Text filters look at this many newest rows (design 3).
const SEARCHED: i64 = 20_000;

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct AdminAuditFilter {
    /// Exactly this action.
    pub action: Option<String>,
    /// Part of the actor's address or name.
    pub actor: Option<String>,
    /// Part of the target's address or name.
    pub target: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
}

/// A window of the log.
#[derive(Debug, Clone)]
pub struct AdminAuditPage {
    /// The events of the window, newest first.
    pub events: Vec<AdminAuditEvent>,
    /// How many events there are; counting stops at 10 000.
    pub total: u64,
}

impl AdminAuditRepo {
    /// Whether one of these keys is there with a time at or after `since`.
    pub async fn has_any_since(&self, keys: [&str; 2], since: Timestamp) -> Result<bool> {
        let filter = doc! {"_id": {"$in": keys.to_vec()}, "timestamp": {"$gte": since}};
        Ok(self.rows.find_one(filter).await?.is_some())
    }

    /// A window of the events that `filter` wants, newest first.
    pub async fn list(&self, filter: &AdminAuditFilter, skip: u64, limit: i64) -> Result<AdminAuditPage> {
        let mut wanted = selection(filter);
        let skip = i64::try_from(skip).unwrap_or(i64::MAX);
        wanted.extend([doc! {"$skip": skip}, doc! {"$limit": limit}]);
        let paging = async {
            let found = self.rows.aggregate(wanted).with_type::<AdminAuditEvent>().await?;
            found.try_collect().await
        };
        let (events, total) = tokio::try_join!(paging, self.count_up_to(filter, COUNTED))?;
        Ok(AdminAuditPage { events, total })
    }

    /// How many events `filter` wants, counted up to `limit`.
    pub async fn count_up_to(&self, filter: &AdminAuditFilter, limit: u64) -> Result<u64> {
        if texts(filter).is_none() {
            return bounded_count::count_up_to(&self.rows, exact(filter), limit).await;
        }
        let mut counted = selection(filter);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        counted.extend([doc! {"$limit": limit}, doc! {"$count": "total"}]);
        let mut count = self.rows.aggregate(counted).await?;
        if !count.advance().await? {
            return Ok(0);
        }
        let total = count.deserialize_current()?.get_i32("total");
        Ok(total.map_or(0, i32::unsigned_abs).into())
    }

    /// All events that `filter` wants, newest first, as they are at this moment.
    pub async fn export(&self, filter: &AdminAuditFilter) -> Result<Cursor<AdminAuditEvent>> {
        self.rows
            .aggregate(selection(filter))
            .with_type::<AdminAuditEvent>()
            .read_concern(ReadConcern::snapshot())
            .await
    }
}

fn selection(filter: &AdminAuditFilter) -> Vec<Document> {
    let newest_first = doc! {"$sort": {"timestamp": -1, "audit_id": -1}};
    let mut wanted = vec![doc! {"$match": exact(filter)}, newest_first];
    if let Some(texts) = texts(filter) {
        wanted.push(doc! {"$limit": SEARCHED});
        wanted.push(doc! {"$match": texts});
    }
    wanted
}

fn exact(filter: &AdminAuditFilter) -> Document {
    let mut wanted = Document::new();
    if let Some(action) = &filter.action {
        wanted.insert("action", action);
    }
    let mut times = Document::new();
    if let Some(from) = filter.from {
        times.insert("$gte", from);
    }
    if let Some(until) = filter.until {
        times.insert("$lte", until);
    }
    if times.is_empty() {
        // A condition on the first field of the index, so that the rows are counted from its keys.
        times.insert("$gt", Bson::MinKey);
    }
    wanted.insert("timestamp", times);
    wanted
}

fn texts(filter: &AdminAuditFilter) -> Option<Document> {
    let contains = |text: &str| doc! {"$regex": regex::escape(text), "$options": "i"};
    let mut all = Vec::new();
    if let Some(text) = &filter.actor {
        all.push(doc! {"$or": [{"actor_email": contains(text)}, {"actor_display_name": contains(text)}]});
    }
    if let Some(text) = &filter.target {
        all.push(doc! {"$or": [{"target_email": contains(text)}, {"target_display_name": contains(text)}]});
    }
    (!all.is_empty()).then(|| doc! {"$and": all})
}
