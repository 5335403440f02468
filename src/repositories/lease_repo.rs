//! `scheduler_leases`: which process may run a job now. A lease that its owner does not renew ends by itself.

use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use super::mongo::{WriteFault, classify};

/// The collection's name.
pub const COLLECTION: &str = "scheduler_leases";

/// How many runs are kept of a job.
const RUNS_KEPT: i32 = 3;

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// When.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// How many things it dealt with; absent when it failed.
    pub handled: Option<i64>,
}

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

    /// Gives the lease up, if it is still `owner`'s; what is known of its runs stays.
    pub async fn release(&self, job: &str, owner: &str, now: Timestamp) -> Result<()> {
        let ended = doc! {"$set": {"expires_at": now, "released_at": now}};
        self.documents
            .update_one(doc! {"_id": job, "owner": owner}, ended)
            .await?;
        Ok(())
    }

    /// Keeps how a run ended, beside the two before it, for the processes that leave the job to this one.
    pub async fn note_run(&self, job: &str, owner: &str, run: &JobRun) -> Result<()> {
        let run = bson::serialize_to_bson(run)?;
        let newest = doc! {"$push": {"runs": {"$each": [run], "$slice": -RUNS_KEPT}}};
        self.documents
            .update_one(doc! {"_id": job, "owner": owner}, newest)
            .await?;
        Ok(())
    }

    /// How the last runs of a job ended, in whichever process; newest last.
    pub async fn runs(&self, job: &str) -> Result<Vec<JobRun>> {
        let Some(lease) = self.documents.find_one(doc! {"_id": job}).await? else {
            return Ok(Vec::new());
        };
        let runs = lease.get_array("runs").map(Vec::as_slice).unwrap_or_default();
        let readable = |run: &Bson| bson::deserialize_from_bson(run.clone()).ok();
        Ok(runs.iter().filter_map(readable).collect())
    }

    /// Whether any lease is held, or was held until after `since` without being given up.
    pub async fn any_since(&self, since: Timestamp) -> Result<bool> {
        let held = doc! {"expires_at": {"$gt": since}, "$expr": {"$ne": ["$expires_at", "$released_at"]}};
        Ok(self.documents.find_one(held).await?.is_some())
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
