//! `attachments`: the records of uploaded files; claims and links are in `attachment_claims`.
//!
//! Invariants: the bytes are stored before the record and removed before it; a record that is being removed
//! (`removing_at`) is neither claimed nor linked any more.

use super::attachment_claims::COLLECTION;
use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use crate::domain::id::{AttachmentId, TicketId};
use crate::domain::stored_file::StoredFile;
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::options::ReturnDocument;
use mongodb::{Collection, Database};

/// Most files one ticket's list returns.
const LISTED: i64 = 2_000;

/// Access to the records; cheap to clone.
#[derive(Debug, Clone)]
pub struct AttachmentRepo {
    rows: Collection<StoredFile>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let loose = doc! {"ticket_id": {"$type": "null"}};
    vec![
        IndexSpec::new(
            COLLECTION,
            "ticket",
            doc! {"ticket_id": 1, "uploaded_at": -1, "_id": -1},
        ),
        IndexSpec::new(COLLECTION, "loose", doc! {"uploaded_at": 1}).partial(loose),
        IndexSpec::new(COLLECTION, "bytes", doc! {"storage_key": 1}),
    ]
}

impl AttachmentRepo {
    /// The records in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// Stores a record; false when the id is taken.
    pub async fn insert(&self, file: &StoredFile) -> Result<bool> {
        match self.rows.insert_one(file).await {
            Ok(_) => Ok(true),
            Err(error) if classify(&error) == WriteFault::DuplicateKey => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The record with this id.
    pub async fn find(&self, id: &AttachmentId) -> Result<Option<StoredFile>> {
        self.rows
            .find_one(doc! {"_id": id.as_str(), "removing_at": Bson::Null})
            .await
    }

    /// A ticket's files, the newest first.
    pub async fn of_ticket(&self, ticket_id: &TicketId) -> Result<Vec<StoredFile>> {
        self.rows
            .find(doc! {"ticket_id": ticket_id.as_str(), "removing_at": Bson::Null})
            .sort(doc! {"uploaded_at": -1, "_id": -1})
            .limit(LISTED)
            .await?
            .try_collect()
            .await
    }

    /// How many files a ticket has.
    pub async fn count_of_ticket(&self, ticket_id: &TicketId) -> Result<u64> {
        self.rows
            .count_documents(doc! {"ticket_id": ticket_id.as_str()})
            .await
    }

    /// Sets fields of a record; returns it as it is then.
    pub async fn set(&self, id: &AttachmentId, set: Document) -> Result<Option<StoredFile>> {
        self.rows
            .find_one_and_update(
                doc! {"_id": id.as_str(), "removing_at": Bson::Null},
                doc! {"$set": set},
            )
            .return_document(ReturnDocument::After)
            .await
    }

    /// Marks a record as being removed, unless a command has a live claim on it; false when that is so.
    pub async fn begin_removal(&self, id: &AttachmentId, now: Timestamp) -> Result<bool> {
        let free = doc! {"_id": id.as_str(), "$or": unclaimed(now)};
        let marked = self
            .rows
            .update_one(free, doc! {"$set": {"removing_at": now}})
            .await?;
        Ok(marked.matched_count == 1)
    }

    /// The oldest files that belong to no ticket since before `before`, and those whose removal was begun and not ended.
    pub async fn loose_before(
        &self,
        before: Timestamp,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<StoredFile>> {
        let filter = doc! {
            "ticket_id": {"$type": "null"},
            "uploaded_at": {"$lt": before},
            "$or": unclaimed(now),
        };
        self.rows
            .find(filter)
            .sort(doc! {"uploaded_at": 1})
            .limit(limit)
            .await?
            .try_collect()
            .await
    }

    /// Marks a file that belongs to no ticket as being removed, by a condition of its own; false when it was used.
    pub async fn begin_loose_removal(&self, id: &AttachmentId, now: Timestamp) -> Result<bool> {
        let loose = doc! {"_id": id.as_str(), "ticket_id": {"$type": "null"}, "$or": unclaimed(now)};
        let marked = self
            .rows
            .update_one(loose, doc! {"$set": {"removing_at": now}})
            .await?;
        Ok(marked.matched_count == 1)
    }

    /// Completes a record whose bytes were missing and have been found.
    pub async fn found_again(&self, file: &StoredFile) -> Result<()> {
        let set =
            doc! {"size_bytes": file.size_bytes, "sha256": &file.sha256, "storage_key": &file.storage_key};
        self.rows
            .update_one(
                doc! {"_id": file.id.as_str(), "missing_since": {"$exists": true}},
                doc! {"$set": set, "$unset": {"missing_since": ""}},
            )
            .await?;
        Ok(())
    }

    /// Links an imported file that belonged to no ticket when it was imported first.
    pub async fn linked_since(&self, file: &StoredFile) -> Result<()> {
        let loose = doc! {"_id": file.id.as_str(), "natural_key": &file.natural_key, "ticket_id": {"$type": "null"},
        "claim": Bson::Null, "removing_at": Bson::Null};
        let set = doc! {"ticket_id": file.ticket_id.as_ref().map(TicketId::as_str), "ticket_step_id": &file.ticket_step_id,
        "step_name": &file.step_name};
        self.rows.update_one(loose, doc! {"$set": set}).await?;
        Ok(())
    }

    /// Removes a record whose bytes are gone.
    pub async fn end_removal(&self, id: &AttachmentId) -> Result<()> {
        self.rows
            .delete_one(doc! {"_id": id.as_str(), "removing_at": {"$ne": Bson::Null}})
            .await?;
        Ok(())
    }

    /// Those of `keys` under which no record has its bytes.
    pub async fn without_record(&self, keys: Vec<String>) -> Result<Vec<String>> {
        let known: Vec<Document> = self
            .rows
            .clone_with_type::<Document>()
            .find(doc! {"storage_key": {"$in": &keys}})
            .projection(doc! {"storage_key": 1})
            .await?
            .try_collect()
            .await?;
        let is_known = |key: &String| {
            known
                .iter()
                .any(|row| row.get_str("storage_key").is_ok_and(|known| known == key))
        };
        Ok(keys.into_iter().filter(|key| !is_known(key)).collect())
    }
}

fn unclaimed(now: Timestamp) -> Vec<Document> {
    vec![doc! {"claim": Bson::Null}, doc! {"claim.until": {"$lt": now}}]
}
