//! What administrators see and do in the outbox: lists, figures, retry, cancel, and what the clean-up jobs remove.
//!
//! Lists over all mails stop counting at 10 000; a text filter and orders other than by creation look at the newest
//! 20 000 (design 3).

use super::bounded_count::{self, COUNTED, Counted};
use super::outbox_listed::{ListedRow, StoredRow};
use super::outbox_repo::{DUE, FAILED, FIGURES, LEASED, OutboxRepo, SENT, unlocked};
use super::outbox_row::OutboxStatus;
use crate::domain::notice::TemplateKey;
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::ClientSession;
use mongodb::error::Result;
use mongodb::options::Hint;
use serde::{Deserialize, Serialize};

/// How many of the newest mails a text filter looks at.
const SCAN_LIMIT: i64 = 20_000;
/// How many mails of one ticket are shown.
const TICKET_LIMIT: i64 = 200;

/// Which mails are wanted; absent parts admit all.
#[derive(Debug, Clone, Default)]
pub struct OutboxFilter {
    /// Where they stand.
    pub status: Option<OutboxStatus>,
    /// The ticket.
    pub ticket_id: Option<String>,
    /// The template.
    pub template_key: Option<TemplateKey>,
    /// Literal text within a recipient's address, without regard to case.
    pub recipient: Option<String>,
    /// Not older than this.
    pub from: Option<Timestamp>,
    /// Not newer than this.
    pub to: Option<Timestamp>,
}

/// What lists may be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum OutboxOrder {
    #[default]
    CreatedAt,
    SentAt,
    Status,
    RetryCount,
    TemplateKey,
    NextRetryAt,
}

impl OutboxOrder {
    const fn field(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::SentAt => "sent_at",
            Self::Status => "status",
            Self::RetryCount => "retry_count",
            Self::TemplateKey => "template_key",
            Self::NextRetryAt => "next_retry_at",
        }
    }
}

/// A page of mails and how many there are, at most [`COUNTED`].
#[derive(Debug, Clone, Default)]
pub struct OutboxPage {
    /// The page.
    pub rows: Vec<ListedRow>,
    /// How many pass the filter.
    pub total: u64,
}

/// Which page of a list, in which order.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// The order's field.
    pub order: OutboxOrder,
    /// Whether large values come first.
    pub descending: bool,
    /// How many to leave out.
    pub skip: u64,
    /// How many to return.
    pub limit: i64,
}

/// How many mails stand where, by template and by failed attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxGroup {
    /// Where they stand.
    pub status: Option<String>,
    /// The template.
    pub template_key: Option<String>,
    /// Failed attempts.
    pub retry_count: Option<i64>,
    /// How many.
    pub count: i64,
}

impl OutboxGroup {
    /// Whether its mails stand there.
    pub fn is(&self, status: OutboxStatus) -> bool {
        self.status.as_deref() == Some(status.as_str())
    }
}

impl OutboxRepo {
    /// A page of the mails that pass the filter.
    pub async fn page(&self, filter: &OutboxFilter, page: PageRequest) -> Result<OutboxPage> {
        let (rows, total) = tokio::try_join!(self.rows(filter, page), self.count(filter))?;
        Ok(OutboxPage { rows, total })
    }

    async fn rows(&self, filter: &OutboxFilter, page: PageRequest) -> Result<Vec<ListedRow>> {
        let direction = if page.descending { -1 } else { 1 };
        let mut paging = selection(filter, page.order);
        let is_sorted = filter.recipient.is_some() && page.order == OutboxOrder::CreatedAt && page.descending;
        if !is_sorted {
            paging.push(doc! {"$sort": {page.order.field(): direction, "notification_id": direction}});
        }
        paging.push(doc! {"$skip": i64::try_from(page.skip).unwrap_or(i64::MAX)});
        paging.push(doc! {"$limit": page.limit});
        // Lists show no bodies, and those are by far the largest part of a row.
        paging.push(doc! {"$project": {"rendered": 0}});
        let documents: Vec<Document> = self.documents().aggregate(paging).await?.try_collect().await?;
        Ok(documents.iter().map(|row| StoredRow::read(row).into()).collect())
    }

    /// How many mails pass the filter, at most [`COUNTED`].
    async fn count(&self, filter: &OutboxFilter) -> Result<u64> {
        if filter.recipient.is_none() {
            return bounded_count::count_up_to(self.documents(), exact(filter), COUNTED).await;
        }
        let mut counting = selection(filter, OutboxOrder::CreatedAt);
        counting.push(doc! {"$limit": i64::try_from(COUNTED).unwrap_or(i64::MAX)});
        counting.push(doc! {"$count": "total"});
        let counted: Vec<Document> = self.documents().aggregate(counting).await?.try_collect().await?;
        let total = counted.first().and_then(|count| count.get_i32("total").ok());
        Ok(u64::from(total.unwrap_or_default().unsigned_abs()))
    }

    /// A ticket's mails, oldest first.
    pub async fn of_ticket(&self, ticket_id: &str) -> Result<Vec<StoredRow>> {
        let found = self
            .documents()
            .find(doc! {"ticket_id": ticket_id})
            .sort(doc! {"created_at": 1})
            .limit(TICKET_LIMIT);
        let documents: Vec<Document> = found.await?.try_collect().await?;
        Ok(documents.iter().map(StoredRow::read).collect())
    }

    /// The row with this public id; one without a public id is found by its key.
    pub async fn find(&self, notification_id: &str) -> Result<Option<StoredRow>> {
        let with_id = doc! {"notification_id": notification_id};
        if let Some(row) = self.documents().find_one(with_id).await? {
            return Ok(Some(StoredRow::read(&row)));
        }
        let without = doc! {"_id": notification_id, "notification_id": {"$not": {"$type": "string"}}};
        let found = self.documents().find_one(without).await?;
        Ok(found.as_ref().map(StoredRow::read))
    }

    /// Puts a `FAILED` mail back with fresh attempts, within a transaction; false when it is not `FAILED`. Whoever
    /// commits wakes the drain.
    pub async fn retry_in(
        &self,
        session: &mut ClientSession,
        notification_id: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let ids = [notification_id.to_owned()];
        Ok(self.retry_many_in(session, &ids, now).await? == 1)
    }

    /// Puts those of the mails back that are `FAILED`, within a transaction; returns how many.
    pub async fn retry_many_in(
        &self,
        session: &mut ClientSession,
        notification_ids: &[String],
        now: Timestamp,
    ) -> Result<u64> {
        let update = self
            .documents()
            .update_many(failed_among(notification_ids), again(now));
        Ok(update.session(session).await?.modified_count)
    }

    /// Puts those of the mails back that are `FAILED`; returns how many.
    pub async fn retry_many(&self, notification_ids: &[String], now: Timestamp) -> Result<u64> {
        let update = self
            .documents()
            .update_many(failed_among(notification_ids), again(now));
        let result = update.await?;
        self.wake();
        Ok(result.modified_count)
    }

    /// Sends every `FAILED` mail again that failed at or after `since`; returns how many.
    pub async fn retry_all(&self, since: Option<Timestamp>, now: Timestamp) -> Result<u64> {
        let mut filter = doc! {"status": OutboxStatus::Failed.as_str()};
        if let Some(since) = since {
            filter.insert("failed_at", doc! {"$gte": since});
        }
        let result = self.documents().update_many(filter, again(now)).await?;
        self.wake();
        Ok(result.modified_count)
    }

    /// Takes back a `PENDING` mail that nobody is sending, within a transaction; false when it is not such a one.
    pub async fn cancel_in(
        &self,
        session: &mut ClientSession,
        notification_id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let filter = doc! {
            "notification_id": notification_id,
            "status": OutboxStatus::Pending.as_str(),
            "$or": [{"locked_by": Bson::Null}, {"locked_until": {"$lte": now}}],
        };
        let update = doc! {"$set": cancelled(by, now)};
        let result = self
            .documents()
            .update_one(filter, update)
            .session(session)
            .await?;
        Ok(result.modified_count == 1)
    }

    /// About how many mails there are, from the server's own notes.
    pub async fn size(&self) -> Result<u64> {
        self.documents().estimated_document_count().await
    }

    /// How many mails were enqueued in a range, counted up to `limit`.
    pub async fn count_range(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: u64,
    ) -> Result<u64> {
        let counted = Counted {
            filter: doc! {"created_at": range(from, to)},
            index: Some(FIGURES),
        };
        bounded_count::count_up_to(self.documents(), counted, limit).await
    }

    /// How many mails of a range stand where, by template and failed attempts; from the index alone, all of the range.
    pub async fn groups(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Vec<OutboxGroup>> {
        let pipeline = vec![
            doc! {"$match": {"created_at": range(from, to)}},
            doc! {"$group": {
                "_id": {"status": "$status", "template_key": "$template_key", "retry_count": "$retry_count"},
                "count": {"$sum": 1_i64},
            }},
            doc! {"$project": {
                "_id": 0, "count": 1,
                "status": converted("$_id.status", "string"),
                "template_key": converted("$_id.template_key", "string"),
                "retry_count": converted("$_id.retry_count", "long"),
            }},
        ];
        self.documents()
            .aggregate(pipeline)
            .hint(Hint::Name(FIGURES.to_owned()))
            .with_type::<OutboxGroup>()
            .await?
            .try_collect()
            .await
    }

    /// The commonest reasons of the newest failed mails, with how often each occurred.
    pub async fn common_errors(&self, limit: i64) -> Result<Vec<(Option<String>, i64)>> {
        let pipeline = vec![
            doc! {"$match": {"status": OutboxStatus::Failed.as_str()}},
            doc! {"$sort": {"created_at": -1}},
            doc! {"$limit": SCAN_LIMIT},
            doc! {"$group": {"_id": "$last_error", "count": {"$sum": 1_i64}}},
            doc! {"$sort": {"count": -1, "_id": 1}},
            doc! {"$limit": limit},
        ];
        let groups: Vec<Document> = self.documents().aggregate(pipeline).await?.try_collect().await?;
        let read = |group: Document| {
            let error = group.get_str("_id").ok().map(ToOwned::to_owned);
            (error, group.get_i64("count").unwrap_or_default())
        };
        Ok(groups.into_iter().map(read).collect())
    }

    /// How many mails are being sent, counted up to [`COUNTED`].
    pub async fn in_flight(&self, now: Timestamp) -> Result<u64> {
        let filter = doc! {
            "status": OutboxStatus::Pending.as_str(),
            "locked_by": {"$type": "string"},
            "locked_until": {"$gt": now},
        };
        self.count_in(LEASED, filter).await
    }

    /// How many mails became `FAILED` at or after `since`, counted up to [`COUNTED`].
    pub async fn failed_since(&self, since: Timestamp) -> Result<u64> {
        let filter =
            doc! {"status": OutboxStatus::Failed.as_str(), "failed_at": {"$gte": since, "$type": "date"}};
        self.count_in(FAILED, filter).await
    }

    async fn count_in(&self, index: &'static str, filter: Document) -> Result<u64> {
        let index = Some(index);
        bounded_count::count_up_to(self.documents(), Counted { filter, index }, COUNTED).await
    }

    /// When a mail was last accepted by the transport.
    pub async fn last_sent_at(&self) -> Result<Option<Timestamp>> {
        let newest = self
            .documents()
            .find_one(doc! {"status": OutboxStatus::Sent.as_str(), "sent_at": {"$type": "date"}})
            .sort(doc! {"sent_at": -1})
            .hint(Hint::Name(SENT.to_owned()))
            .projection(doc! {"sent_at": 1, "_id": 0})
            .await?;
        let sent_at = newest.and_then(|row| row.get_datetime("sent_at").ok().copied());
        Ok(sent_at.map(Timestamp::from))
    }

    /// How many mails wait, counted up to [`COUNTED`], and since when the oldest one could have been sent.
    pub async fn depth(&self, now: Timestamp) -> Result<(u64, Option<Timestamp>)> {
        let pending = doc! {"status": OutboxStatus::Pending.as_str()};
        let due = doc! {"status": OutboxStatus::Pending.as_str(), "due_at": {"$lte": now}};
        let oldest = self
            .documents()
            .find_one(due)
            .sort(doc! {"due_at": 1})
            .hint(Hint::Name(DUE.to_owned()))
            .projection(doc! {"due_at": 1, "_id": 0});
        let (waiting, oldest) = tokio::try_join!(self.count_in(DUE, pending), oldest.into_future())?;
        let since = oldest.and_then(|document| document.get_datetime("due_at").ok().copied());
        Ok((waiting, since.map(Timestamp::from)))
    }

    /// Clears leases that ended before `before` and makes rows claimable that lack the time at which they are due;
    /// returns how many were touched.
    pub async fn repair_leases(&self, before: Timestamp, now: Timestamp) -> Result<u64> {
        let stale = doc! {"locked_by": {"$type": "string"}, "locked_until": {"$lte": before}};
        let cleared = self
            .documents()
            .update_many(stale, doc! {"$set": unlocked()})
            .await?;
        let undated = doc! {"status": OutboxStatus::Pending.as_str(), "due_at": {"$not": {"$type": "date"}}};
        let dated = self
            .documents()
            .update_many(undated, doc! {"$set": {"due_at": now}})
            .await?;
        Ok(cleared.modified_count + dated.modified_count)
    }

    /// Removes sent and cancelled mails older than `before`; returns how many.
    pub async fn remove_done(&self, before: Timestamp) -> Result<u64> {
        let done = [OutboxStatus::Sent.as_str(), OutboxStatus::Cancelled.as_str()];
        let filter = doc! {"status": {"$in": done.as_slice()}, "created_at": {"$lt": before}};
        Ok(self.documents().delete_many(filter).await?.deleted_count)
    }
}

/// What a mail becomes when it is taken back.
pub(super) fn cancelled(by: &str, now: Timestamp) -> Document {
    let mut set = unlocked();
    set.extend(doc! {
        "status": OutboxStatus::Cancelled.as_str(),
        "last_error": format!("cancelled by {by}"),
        "cancelled_at": now,
        "cancelled_by": by,
        "next_retry_at": Bson::Null,
        "due_at": Bson::Null,
    });
    set
}

/// A grouped value as a type, or null: a row that is not one of ours must not spoil the figures of the others.
fn converted(field: &str, to: &str) -> Document {
    doc! {"$convert": {"input": field, "to": to, "onError": Bson::Null, "onNull": Bson::Null}}
}

fn failed_among(notification_ids: &[String]) -> Document {
    doc! {
        "notification_id": {"$in": notification_ids},
        "status": OutboxStatus::Failed.as_str(),
    }
}

fn again(now: Timestamp) -> Document {
    let mut set = unlocked();
    set.extend(doc! {
        "status": OutboxStatus::Pending.as_str(),
        "retry_count": 0,
        "next_retry_at": now,
        "due_at": now,
        "failed_at": Bson::Null,
    });
    doc! {"$set": set}
}

fn exact(filter: &OutboxFilter) -> Document {
    let mut exact = Document::new();
    if let Some(status) = filter.status {
        exact.insert("status", status.as_str());
    }
    if let Some(ticket_id) = &filter.ticket_id {
        exact.insert("ticket_id", ticket_id);
    }
    if let Some(key) = filter.template_key {
        exact.insert("template_key", key.as_str());
    }
    exact.insert("created_at", range(filter.from, filter.to));
    exact
}

/// The times of a range; of all times still a condition on the first field of the index, or the fields behind it are
/// not looked for in the index.
fn range(from: Option<Timestamp>, to: Option<Timestamp>) -> Document {
    let mut range = Document::new();
    if let Some(from) = from {
        range.insert("$gte", from);
    }
    if let Some(to) = to {
        range.insert("$lte", to);
    }
    if range.is_empty() {
        range.insert("$gt", Bson::MinKey);
    }
    range
}

fn selection(filter: &OutboxFilter, order: OutboxOrder) -> Vec<Document> {
    let mut pipeline = vec![doc! {"$match": exact(filter)}];
    if order != OutboxOrder::CreatedAt || filter.recipient.is_some() {
        pipeline.push(doc! {"$sort": {"created_at": -1, "notification_id": -1}});
        pipeline.push(doc! {"$limit": SCAN_LIMIT});
    }
    if let Some(text) = &filter.recipient {
        let literal = doc! {"$regex": regex::escape(text), "$options": "i"};
        pipeline.push(doc! {"$match": {"recipients": literal}});
    }
    pipeline
}
