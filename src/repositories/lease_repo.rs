//! `scheduler_leases`: which process may run a job now. A lease that its owner does not renew ends by itself.

use crate::domain::time::Timestamp;
use bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{Collection, Database};

use super::mongo::{WriteFault, classify};

/// The collection's name.
pub const COLLECTION: &str = "scheduler_leases";

/// Access to the leases; cheap to clone.
#[derive(Debug, Clone)]
pub struct LeaseRepo {
    documents: Collection<Document>,
}

impl LeaseRepo {
    /// The leases in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            documents: database.collection(COLLECTION),
        }
    }

    /// Takes or renews the lease of `job` until `until`; false when another owner holds it.
    pub async fn acquire(&self, job: &str, owner: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let free_or_mine = doc! {"_id": job, "$or": [{"expires_at": {"$lte": now}}, {"owner": owner}]};
        let update = doc! {"$set": {"owner": owner, "expires_at": until, "acquired_at": now}};
        // When somebody else holds it, the upsert tries to insert the same `_id` and is refused.
        match self.documents.update_one(free_or_mine, update).upsert(true).await {
            Ok(_) => Ok(true),
            Err(error) if classify(&error) == WriteFault::DuplicateKey => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives the lease up, if it is still `owner`'s.
    pub async fn release(&self, job: &str, owner: &str) -> Result<()> {
        self.documents
            .delete_one(doc! {"_id": job, "owner": owner})
            .await?;
        Ok(())
    }

    /// Removes leases that ended before `before`; returns how many.
    pub async fn remove_expired(&self, before: Timestamp) -> Result<u64> {
        let removed = self
            .documents
            .delete_many(doc! {"expires_at": {"$lte": before}})
            .await?;
        Ok(removed.deleted_count)
    }
}
