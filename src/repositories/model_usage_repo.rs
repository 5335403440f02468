//! `model_usage`: the language model's tokens each person used on a day, counted by all processes together.

use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{Collection, Database};
use std::time::Duration;

/// The collection's name.
pub const COLLECTION: &str = "model_usage";

/// How long a day's count is kept, for whoever asks what the model cost.
const KEPT_DAYS: i64 = 400;

/// Access to the counts; cheap to clone.
#[derive(Debug, Clone)]
pub struct ModelUsageRepo {
    days: Collection<Document>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    vec![IndexSpec::new(COLLECTION, "expiry", doc! {"expires_at": 1}).expire_after(Duration::ZERO)]
}

impl ModelUsageRepo {
    /// The counts in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            days: database.collection(COLLECTION),
        }
    }

    /// Adds `tokens` to the count of `person` today, unless it would pass `limit`; whether it was added.
    pub async fn reserve(&self, person: &str, now: Timestamp, tokens: i64, limit: i64) -> Result<bool> {
        let id = day_id(person, now);
        let fits = doc! {"_id": &id, "tokens": {"$lte": limit.saturating_sub(tokens)}};
        let update = doc! {
            "$inc": {"tokens": tokens},
            "$setOnInsert": {"expires_at": now.plus_minutes(KEPT_DAYS * 24 * 60)},
        };
        if tokens > limit {
            return Ok(false);
        }
        // Where the count is there and too high, the upsert tries to insert the same `_id` and is refused. So is the
        // slower of two first calls of a day; the second try tells them apart.
        for _ in 0..2 {
            let update = self.days.update_one(fits.clone(), update.clone());
            match update.upsert(true).await {
                Ok(_) => return Ok(true),
                Err(error) if classify(&error) == WriteFault::DuplicateKey => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Corrects the count that `reserve` raised at `reserved_at` by `difference` tokens.
    pub async fn correct(&self, person: &str, reserved_at: Timestamp, difference: i64) -> Result<()> {
        let id = day_id(person, reserved_at);
        self.days
            .update_one(doc! {"_id": id}, doc! {"$inc": {"tokens": difference}})
            .await?;
        Ok(())
    }
}

fn day_id(person: &str, at: Timestamp) -> String {
    format!("{person}:{}", at.to_chrono().format("%Y-%m-%d"))
}
