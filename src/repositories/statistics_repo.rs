//! `statistics`: figures over everything, computed in the background and read by every process.

use crate::domain::json::JsonObject;
use crate::domain::time::Timestamp;
use bson::doc;
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

/// The collection's name.
pub const COLLECTION: &str = "statistics";

/// One set of figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Which set.
    #[serde(rename = "_id")]
    pub name: String,
    /// The figures.
    pub values: JsonObject,
    /// When they were taken.
    pub generated_at: Timestamp,
    /// How long it took, in milliseconds.
    pub cost_ms: i64,
}

/// Access to the figures; cheap to clone.
#[derive(Debug, Clone)]
pub struct StatisticsRepo {
    rows: Collection<Figures>,
}

impl StatisticsRepo {
    /// The figures in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// The set `name` as it was last computed.
    pub async fn load(&self, name: &str) -> Result<Option<Figures>> {
        self.rows.find_one(doc! {"_id": name}).await
    }

    /// Keeps newly computed figures.
    pub async fn store(&self, figures: &Figures) -> Result<()> {
        self.rows
            .replace_one(doc! {"_id": &figures.name}, figures)
            .upsert(true)
            .await?;
        Ok(())
    }
}
