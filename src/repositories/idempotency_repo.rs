//! `idempotency_keys`: actions that clients marked with an `Idempotency-Key`, and how they ended (design 8).
//!
//! Ticket commands are not here: their key commits with the command.

use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use crate::domain::time::Timestamp;
use bson::doc;
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The collection's name.
pub const COLLECTION: &str = "idempotency_keys";

/// An action as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// A hash over person, route and key.
    #[serde(rename = "_id")]
    pub id: String,
    /// A hash over path, query and body.
    pub fingerprint: String,
    /// Who carries it out, and until when nobody else may.
    pub run: String,
    /// The end of that right.
    pub locked_until: Timestamp,
    /// When the record ends.
    pub expires_at: Timestamp,
    /// The answer, once there is one.
    pub answer: Option<RecordedAnswer>,
}

/// The first success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedAnswer {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// The body.
    pub body: bson::Binary,
}

/// What is there for a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Nothing was; the action is ours to carry out.
    Ours,
    /// This.
    Known(IdempotencyRecord),
}

/// Access to the records; cheap to clone.
#[derive(Debug, Clone)]
pub struct IdempotencyRepo {
    records: Collection<IdempotencyRecord>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    vec![IndexSpec::new(COLLECTION, "expiry", doc! {"expires_at": 1}).expire_after(Duration::ZERO)]
}

impl IdempotencyRepo {
    /// The records of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            records: database.collection(COLLECTION),
        }
    }

    /// Records an action that begins, unless its key is known.
    ///
    /// A record that has ended, or whose run never finished, is taken over.
    pub async fn claim(&self, record: &IdempotencyRecord, now: Timestamp) -> Result<Claim> {
        loop {
            match self.records.insert_one(record).await {
                Ok(_) => return Ok(Claim::Ours),
                Err(error) if classify(&error) == WriteFault::DuplicateKey => {}
                Err(error) => return Err(error),
            }
            let Some(known) = self.records.find_one(doc! {"_id": &record.id}).await? else {
                continue;
            };
            let has_ended = known.expires_at <= now;
            let was_left = known.answer.is_none()
                && known.locked_until <= now
                && known.fingerprint == record.fingerprint;
            if !has_ended && !was_left {
                return Ok(Claim::Known(known));
            }
            let same = doc! {"_id": &known.id, "run": &known.run};
            if self.records.replace_one(same, record).await?.matched_count == 1 {
                return Ok(Claim::Ours);
            }
        }
    }

    /// Keeps the answer of a run.
    pub async fn keep(&self, id: &str, run: &str, answer: &RecordedAnswer) -> Result<()> {
        let answer = bson::serialize_to_bson(answer)?;
        self.records
            .update_one(doc! {"_id": id, "run": run}, doc! {"$set": {"answer": answer}})
            .await?;
        Ok(())
    }

    /// Forgets a run that was refused or failed.
    pub async fn forget(&self, id: &str, run: &str) -> Result<()> {
        self.records.delete_one(doc! {"_id": id, "run": run}).await?;
        Ok(())
    }
}
