//! `notification_outbox`: enqueue, claim and complete mails.
//!
//! Invariants: a row is inserted once per key; whoever completes a row holds its lease (`locked_by` is in every
//! filter), so a sender that was too slow changes nothing; only `PENDING` rows are claimed, each under the condition
//! that it is still due.

use super::indexes::IndexSpec;
use super::mongo::DUPLICATE_KEY;
use super::outbox_listed::malformed;
use super::outbox_row::{OutboxRow, OutboxStatus, RenderedMail};
use crate::domain::id::ClaimId;
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::error::{ErrorKind, Result};
use mongodb::options::{Hint, ReadConcern};
use mongodb::{Collection, Database};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The collection's name.
pub const COLLECTION: &str = "notification_outbox";

/// Longest error text kept, in characters.
const MAX_ERROR_CHARS: usize = 500;

/// Access to the outbox; cheap to clone.
#[derive(Debug, Clone)]
pub struct OutboxRepo {
    documents: Collection<Document>,
    rows: Collection<OutboxRow>,
    wake: Arc<Notify>,
}

/// The right to send one mail, until its lease ends.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The row's key, as stored.
    pub key: Bson,
    /// What proves the lease.
    pub locked_by: String,
}

/// A claimed row, or what could not be read as one.
#[derive(Debug, Clone)]
pub enum Claimed {
    /// A mail to send.
    Row(Lease, Box<OutboxRow>),
    /// Not a row of ours; it must be parked as `FAILED` so that it does not come back.
    Malformed(Lease, String),
}

impl Claimed {
    /// The right to send it.
    pub const fn lease(&self) -> &Lease {
        match self {
            Self::Row(lease, _) | Self::Malformed(lease, _) => lease,
        }
    }
}

/// The index that lists of all mails are in the order of and that figures are counted from.
pub(super) const FIGURES: &str = "newest_figures";
/// The index of when waiting mails are due.
pub(super) const DUE: &str = "due";
/// The index of when mails were sent.
pub(super) const SENT: &str = "sent_only";
/// The index of when mails were given up.
pub(super) const FAILED: &str = "failed_only";
/// The index of mails that have a lease.
pub(super) const LEASED: &str = "leased";

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let index = |name, keys| IndexSpec::new(COLLECTION, name, keys);
    vec![
        index(DUE, doc! {"status": 1, "due_at": 1}),
        index(
            "status_newest",
            doc! {"status": 1, "created_at": 1, "notification_id": 1, "template_key": 1},
        ),
        index(
            FIGURES,
            doc! {"created_at": 1, "notification_id": 1, "status": 1, "template_key": 1, "retry_count": 1},
        ),
        index(
            "template_newest",
            doc! {"template_key": 1, "created_at": 1, "notification_id": 1},
        ),
        index(
            "ticket_newest",
            doc! {"ticket_id": 1, "created_at": 1, "notification_id": 1},
        ),
        index("by_public_id", doc! {"notification_id": 1}),
        index(SENT, doc! {"status": 1, "sent_at": 1}).partial(doc! {"sent_at": {"$type": "date"}}),
        index(FAILED, doc! {"status": 1, "failed_at": 1}).partial(doc! {"failed_at": {"$type": "date"}}),
        index(LEASED, doc! {"locked_until": 1}).partial(doc! {"locked_by": {"$type": "string"}}),
    ]
}

impl OutboxRepo {
    /// The outbox of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            documents: database.collection(COLLECTION),
            rows: database.collection(COLLECTION),
            wake: Arc::new(Notify::new()),
        }
    }

    pub(super) const fn documents(&self) -> &Collection<Document> {
        &self.documents
    }

    /// Inserts the rows whose key is new and wakes the drain of this process; returns how many were new.
    pub async fn insert_absent(&self, rows: &[OutboxRow]) -> Result<usize> {
        let inserted = insert_absent(&self.rows, rows).await?;
        if inserted > 0 {
            self.wake();
        }
        Ok(inserted)
    }

    /// Tells the drain of this process that there may be work.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Resolves at the next [`OutboxRepo::wake`]; register before looking for work, so that none is missed.
    pub fn woken(&self) -> Notified<'_> {
        self.wake.notified()
    }

    /// Leases the `limit` rows that have been due longest, until `until`, and returns them in that order: fewer when
    /// other processes were quicker, none when none is due.
    pub async fn claim(&self, limit: usize, now: Timestamp, until: Timestamp) -> Result<Vec<Claimed>> {
        let due = doc! {"status": OutboxStatus::Pending.as_str(), "due_at": {"$lte": now}};
        loop {
            let keys = self.longest_due(&due, limit).await?;
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let claimed = self.lease(&keys, &due, now, until).await?;
            // Others took all of them, and there may be more behind those.
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
    }

    async fn longest_due(&self, due: &Document, limit: usize) -> Result<Vec<Bson>> {
        // Not of the majority: what another process is just claiming need not be tried.
        let found = self
            .documents
            .find(due.clone())
            .sort(doc! {"due_at": 1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .projection(doc! {"_id": 1})
            .read_concern(ReadConcern::local())
            .await?;
        let key = |mut row: Document| async move { Ok(row.remove("_id")) };
        found.try_filter_map(key).try_collect().await
    }

    async fn lease(
        &self,
        keys: &[Bson],
        due: &Document,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Claimed>> {
        let locked_by = ClaimId::random().to_string();
        let mut still_due = doc! {"_id": {"$in": keys}};
        still_due.extend(due.clone());
        // A row with another thing than a number there must not keep the others from being claimed.
        let attempts =
            doc! {"$convert": {"input": "$attempts_total", "to": "int", "onError": 0, "onNull": 0}};
        let leased = doc! {"$set": {
            "locked_by": &locked_by, "locked_until": until, "lock_acquired_at": now, "due_at": until,
            "attempts_total": {"$add": [attempts, 1]},
        }};
        let by_key = Hint::Name("_id_".to_owned());
        let leasing = self
            .documents
            .update_many(still_due, vec![leased])
            .hint(by_key)
            .await;
        // The driver does not repeat an update of several rows, so what came of one that failed is looked up.
        let held = doc! {"_id": {"$in": keys}, "locked_by": &locked_by};
        let mut rows: Vec<Document> = self.documents.find(held).await?.try_collect().await?;
        if rows.is_empty() {
            leasing?;
        }
        rows.sort_by_key(|row| keys.iter().position(|key| row.get("_id") == Some(key)));
        let claimed = rows.into_iter().map(|row| read_claimed(row, locked_by.clone()));
        Ok(claimed.collect())
    }

    /// Records that the transport accepted the mail; false when the lease was lost.
    pub async fn mark_sent(
        &self,
        lease: &Lease,
        now: Timestamp,
        rendered: &RenderedMail,
        provider_message_id: Option<&str>,
    ) -> Result<bool> {
        let set = doc! {
            "status": OutboxStatus::Sent.as_str(),
            "sent_at": now,
            "last_error": Bson::Null,
            "next_retry_at": Bson::Null,
            "rendered": {"subject": &rendered.subject, "body_html": &rendered.body_html},
            "provider_message_id": provider_message_id,
        };
        self.complete(lease, set, None).await
    }

    /// Records failed attempt number `retry_count` and plans the next; false when the lease was lost.
    pub async fn mark_retry(
        &self,
        lease: &Lease,
        retry_count: i32,
        error: &str,
        next: Timestamp,
    ) -> Result<bool> {
        let set = doc! {"retry_count": retry_count, "last_error": cut(error), "next_retry_at": next};
        self.complete(lease, set, Some(next)).await
    }

    /// Gives the mail up after `retry_count` failed attempts; false when the lease was lost.
    pub async fn mark_failed(
        &self,
        lease: &Lease,
        retry_count: i32,
        error: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let set = doc! {
            "status": OutboxStatus::Failed.as_str(),
            "retry_count": retry_count,
            "last_error": cut(error),
            "next_retry_at": Bson::Null,
            "failed_at": now,
        };
        self.complete(lease, set, None).await
    }

    /// Puts the mail back until `next` without counting an attempt, because the transport as a whole is away.
    pub async fn postpone(&self, lease: &Lease, error: &str, next: Timestamp) -> Result<bool> {
        let set = doc! {"last_error": cut(error), "next_retry_at": next};
        self.complete(lease, set, Some(next)).await
    }

    /// Takes the mail back because sending is switched off; false when the lease was lost.
    pub async fn mark_cancelled(&self, lease: &Lease, reason: &str, now: Timestamp) -> Result<bool> {
        let set = doc! {
            "status": OutboxStatus::Cancelled.as_str(),
            "last_error": cut(reason),
            "cancelled_at": now,
            "next_retry_at": Bson::Null,
        };
        self.complete(lease, set, None).await
    }

    /// Gives leases back unused: the mails keep their places among those that are due, and no attempt counts. Returns
    /// how many were still held.
    pub async fn release(&self, leases: &[Lease]) -> Result<u64> {
        if leases.is_empty() {
            return Ok(0);
        }
        let keys: Vec<&Bson> = leases.iter().map(|lease| &lease.key).collect();
        let held_by: BTreeSet<&str> = leases.iter().map(|lease| lease.locked_by.as_str()).collect();
        let held = doc! {"_id": {"$in": keys}, "locked_by": {"$in": Vec::from_iter(held_by)}};
        let mut free = unlocked();
        free.insert("due_at", doc! {"$ifNull": ["$next_retry_at", "$created_at"]});
        free.insert("attempts_total", doc! {"$subtract": ["$attempts_total", 1]});
        let result = self
            .documents
            .update_many(held, vec![doc! {"$set": free}])
            .await?;
        Ok(result.modified_count)
    }

    async fn complete(&self, lease: &Lease, mut set: Document, due_at: Option<Timestamp>) -> Result<bool> {
        set.extend(unlocked());
        set.insert("due_at", due_at);
        let filter = doc! {"_id": lease.key.clone(), "locked_by": &lease.locked_by};
        let result = self.documents.update_one(filter, doc! {"$set": set}).await?;
        Ok(result.matched_count == 1)
    }
}

/// What a row is without a lease.
pub(super) fn unlocked() -> Document {
    doc! {"locked_by": Bson::Null, "locked_until": Bson::Null, "lock_acquired_at": Bson::Null}
}

/// Inserts the rows whose `_id` is new; returns how many were.
pub(super) async fn insert_absent<T>(collection: &Collection<T>, rows: &[T]) -> Result<usize>
where
    T: serde::Serialize + Send + Sync,
{
    if rows.is_empty() {
        return Ok(0);
    }
    match collection.insert_many(rows).ordered(false).await {
        Ok(result) => Ok(result.inserted_ids.len()),
        Err(error) => match only_duplicates(&error) {
            Some(duplicates) => Ok(rows.len().saturating_sub(duplicates)),
            None => Err(error),
        },
    }
}

/// How many rows were there already, if nothing else went wrong.
fn only_duplicates(error: &mongodb::error::Error) -> Option<usize> {
    let ErrorKind::InsertMany(failure) = error.kind.as_ref() else {
        return None;
    };
    let refused = failure.write_errors.as_ref()?;
    let all_duplicates = refused
        .iter()
        .all(|write_error| write_error.code == DUPLICATE_KEY);
    (all_duplicates && failure.write_concern_error.is_none()).then_some(refused.len())
}

fn read_claimed(document: Document, locked_by: String) -> Claimed {
    let key = document.get("_id").cloned().unwrap_or(Bson::Null);
    let lease = Lease { key, locked_by };
    match bson::deserialize_from_document::<OutboxRow>(document) {
        Ok(row) => Claimed::Row(lease, Box::new(row)),
        Err(error) => Claimed::Malformed(lease, malformed(&error)),
    }
}

fn cut(error: &str) -> String {
    error.chars().take(MAX_ERROR_CHARS).collect()
}
