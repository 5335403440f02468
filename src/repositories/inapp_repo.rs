//! `inapp_notifications`: every person's bell.
//!
//! Rows are inserted once per key, marked, and removed only by the TTL index on `expires_at`. Expired and dismissed
//! rows are left out of every answer, whether the server has removed them yet or not: a dismissed row is nobody's.

use super::inapp_row::InappRow;
use super::indexes::IndexSpec;
use super::outbox_repo::insert_absent;
use super::ticket_repo::TicketRepo;
use crate::domain::effect::Effect;
use crate::domain::id::NotificationId;
use crate::domain::notice::NoticeCategory;
use crate::domain::person::{Person, PersonKey};
use crate::domain::tail::{TailEntry, TailItem};
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::options::ReturnDocument;
use mongodb::{Collection, Database};
use std::time::Duration;

/// The collection's name.
pub const COLLECTION: &str = "inapp_notifications";

/// How many open tails a bell looks at; with a healthy relay there are a handful.
const OPEN_TAILS: i64 = 2_000;

/// Access to the bells; cheap to clone.
#[derive(Debug, Clone)]
pub struct InappRepo {
    rows: Collection<InappRow>,
    tickets: TicketRepo,
}

/// Which of a person's notices are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct BellFilter {
    /// Only those not read yet.
    pub unread_only: bool,
    /// Only those of this category.
    pub category: Option<NoticeCategory>,
}

impl BellFilter {
    /// Whether a row passes.
    pub fn admits(&self, row: &InappRow) -> bool {
        (!self.unread_only || !row.is_read) && self.category.is_none_or(|category| category == row.category)
    }
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let index = |name, keys| IndexSpec::new(COLLECTION, name, keys);
    vec![
        // What stands behind the order filters and counts without fetching.
        index(
            "bell_newest",
            doc! {
                "recipient_keys": 1, "created_at": -1, "_id": -1, "expires_at": 1, "is_read": 1, "category": 1,
            },
        ),
        index("by_public_id", doc! {"notification_id": 1}),
        index("expiry", doc! {"expires_at": 1}).expire_after(Duration::ZERO),
    ]
}

impl InappRepo {
    /// The bells of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
            tickets: TicketRepo::new(database),
        }
    }

    /// The person's notices that the relay has not moved yet, from the few tickets whose tail is not empty.
    pub async fn in_tails(&self, person: &Person, retention_days: i64) -> Result<Vec<InappRow>> {
        let tails = self.tickets.open_tails(OPEN_TAILS).await?;
        let entries = tails.iter().flat_map(|tail| &tail.entries);
        let rows = entries.filter_map(|entry| row_of(entry, retention_days));
        Ok(rows.filter(|row| row.is_for(person)).collect())
    }

    /// Inserts the rows whose key is new; returns how many were.
    pub async fn insert_absent(&self, rows: &[InappRow]) -> Result<usize> {
        insert_absent(&self.rows, rows).await
    }

    /// The person's newest notices that pass the filter, those with the keys `without` left out.
    pub async fn list(
        &self,
        person: &Person,
        filter: BellFilter,
        without: &[String],
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<InappRow>> {
        self.rows
            .find(visible_without(person, filter, without, now))
            .sort(doc! {"created_at": -1, "_id": -1})
            .limit(limit)
            .await?
            .try_collect()
            .await
    }

    /// How many of the person's notices pass the filter, those with the keys `without` not counted.
    pub async fn count(
        &self,
        person: &Person,
        filter: BellFilter,
        without: &[String],
        now: Timestamp,
    ) -> Result<u64> {
        let filter = visible_without(person, filter, without, now);
        self.rows.count_documents(filter).await
    }

    /// Those of `keys` that are stored, whatever their state.
    pub async fn stored_keys(&self, keys: &[String]) -> Result<Vec<InappRow>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.rows
            .find(doc! {"_id": {"$in": keys}})
            .await?
            .try_collect()
            .await
    }

    /// Marks one of the person's notices as read, keeping the first reading's time; `None` when there is none.
    pub async fn mark_read(
        &self,
        person: &Person,
        id: &NotificationId,
        now: Timestamp,
    ) -> Result<Option<InappRow>> {
        let set = vec![doc! {"$set": {"is_read": true, "read_at": {"$ifNull": ["$read_at", now]}}}];
        self.rows
            .find_one_and_update(one_of(person, id, now), set)
            .return_document(ReturnDocument::After)
            .await
    }

    /// Marks all of the person's notices as read; returns how many were unread.
    pub async fn mark_all_read(&self, person: &Person, now: Timestamp) -> Result<u64> {
        let unread = BellFilter {
            unread_only: true,
            category: None,
        };
        let update = doc! {"$set": {"is_read": true, "read_at": now}};
        let result = self
            .rows
            .update_many(visible(person, unread, now), update)
            .await?;
        Ok(result.modified_count)
    }

    /// Takes one of the person's notices out of the bell; false when there is none.
    pub async fn dismiss(&self, person: &Person, id: &NotificationId, now: Timestamp) -> Result<bool> {
        let nobody: Vec<Bson> = Vec::new();
        let update = doc! {"$set": {"dismissed_at": now, "is_read": true, "recipient_keys": nobody}};
        let result = self.rows.update_one(one_of(person, id, now), update).await?;
        Ok(result.matched_count > 0)
    }

    /// Removes what expired before `before`; the TTL index does the same, only later.
    pub async fn remove_expired(&self, before: Timestamp) -> Result<u64> {
        let result = self
            .rows
            .delete_many(doc! {"expires_at": {"$lte": before}})
            .await?;
        Ok(result.deleted_count)
    }
}

fn row_of(entry: &TailEntry, retention_days: i64) -> Option<InappRow> {
    let TailItem::Effect(effect) = &entry.item else {
        return None;
    };
    let Effect::Notice(notice) = effect.as_ref() else {
        return None;
    };
    let key = entry.key.to_string();
    InappRow::of(notice, &key, &entry.key.ticket_id, entry.at, retention_days)
}

fn visible(person: &Person, filter: BellFilter, now: Timestamp) -> Document {
    let mut query = doc! {
        "recipient_keys": {"$in": keys(person)},
        "expires_at": {"$gt": now},
    };
    if filter.unread_only {
        query.insert("is_read", false);
    }
    if let Some(category) = filter.category {
        query.insert("category", category_word(category));
    }
    query
}

fn visible_without(person: &Person, filter: BellFilter, without: &[String], now: Timestamp) -> Document {
    let mut query = visible(person, filter, now);
    if !without.is_empty() {
        query.insert("_id", doc! {"$nin": without});
    }
    query
}

fn one_of(person: &Person, id: &NotificationId, now: Timestamp) -> Document {
    let mut query = visible(person, BellFilter::default(), now);
    query.insert("notification_id", id.as_str());
    query
}

fn keys(person: &Person) -> Vec<Bson> {
    person.keys().into_iter().map(PersonKey::into).collect()
}

const fn category_word(category: NoticeCategory) -> &'static str {
    match category {
        NoticeCategory::Approval => "APPROVAL",
        NoticeCategory::Task => "TASK",
        NoticeCategory::InfoRequest => "INFO_REQUEST",
        NoticeCategory::Ticket => "TICKET",
        NoticeCategory::System => "SYSTEM",
    }
}
