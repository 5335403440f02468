//! `system_config`: what administrators have set, one document.

use crate::domain::time::Timestamp;
use crate::domain::workflow::StepType;
use bson::{Bson, Document, doc};
use mongodb::error::Result;
use mongodb::options::ReturnDocument;
use mongodb::{ClientSession, Collection, Database};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The collection's name.
pub const COLLECTION: &str = "system_config";

/// The document's id.
pub const ID: &str = "system";

/// What administrators have set; what is absent follows the environment's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredConfig {
    /// Due minutes by step type.
    #[serde(default)]
    pub default_sla_minutes: Option<BTreeMap<String, i64>>,
    /// The types of files that may be uploaded.
    #[serde(default)]
    pub allowed_mime_types: Option<Vec<String>>,
    /// The size limit of files, in mebibytes.
    #[serde(default)]
    pub max_attachment_size_mb: Option<i64>,
    /// How often a mail is tried.
    #[serde(default)]
    pub notification_retry_max: Option<i64>,
}

/// A change; absent keys stay as they are.
pub type ConfigChange = StoredConfig;

/// The document for what another service had been set to.
pub fn row(config: &StoredConfig, by: &str, now: Timestamp) -> Document {
    let set = bson::serialize_to_document(config).unwrap_or_default();
    let set = set.into_iter().filter(|(_, value)| *value != Bson::Null);
    let mut document: Document = set.collect();
    document.extend(doc! {"_id": ID, "config_id": ID, "updated_at": now, "updated_by": by});
    document
}

/// Access to the document; cheap to clone.
#[derive(Debug, Clone)]
pub struct SystemConfigRepo {
    rows: Collection<StoredConfig>,
}

impl SystemConfigRepo {
    /// The configuration in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// What administrators have set.
    pub async fn load(&self) -> Result<StoredConfig> {
        Ok(self.rows.find_one(doc! {"_id": ID}).await?.unwrap_or_default())
    }

    /// What administrators have set, as a transaction sees it.
    pub async fn load_in(&self, session: &mut ClientSession) -> Result<StoredConfig> {
        let stored = self.rows.find_one(doc! {"_id": ID}).session(session).await?;
        Ok(stored.unwrap_or_default())
    }

    /// Stores the keys that the change brings, within a transaction; step types it does not name keep their minutes.
    pub async fn apply_in(
        &self,
        session: &mut ClientSession,
        change: &ConfigChange,
        by: &str,
        now: Timestamp,
    ) -> Result<StoredConfig> {
        let mut set: Document = doc! {"config_id": ID, "updated_at": now, "updated_by": by};
        for (step_type, minutes) in change.default_sla_minutes.iter().flatten() {
            set.insert(format!("default_sla_minutes.{step_type}"), *minutes);
        }
        if let Some(types) = &change.allowed_mime_types {
            set.insert("allowed_mime_types", types.clone());
        }
        if let Some(megabytes) = change.max_attachment_size_mb {
            set.insert("max_attachment_size_mb", megabytes);
        }
        if let Some(retries) = change.notification_retry_max {
            set.insert("notification_retry_max", retries);
        }
        let stored = self
            .rows
            .find_one_and_update(doc! {"_id": ID}, doc! {"$set": set})
            .upsert(true)
            .return_document(ReturnDocument::After)
            .session(session)
            .await?;
        Ok(stored.unwrap_or_default())
    }
}

/// The step types that may have default due minutes, as written on the wire.
pub const SLA_STEP_TYPES: [(StepType, &str); 3] = [
    (StepType::Form, "FORM_STEP"),
    (StepType::Approval, "APPROVAL_STEP"),
    (StepType::Task, "TASK_STEP"),
];
