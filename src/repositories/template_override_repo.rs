//! `email_template_overrides`: administrators' wordings of mails, at most one per message and workflow.

use super::indexes::IndexSpec;
use crate::domain::id::TemplateOverrideId;
use crate::domain::notice::TemplateKey;
use crate::domain::time::Timestamp;
use bson::{Bson, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::options::ReturnDocument;
use mongodb::{ClientSession, Collection, Database};
use serde::{Deserialize, Serialize};

/// The collection's name.
pub const COLLECTION: &str = "email_template_overrides";

/// One wording (contract http-admin-notifications 12.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateOverride {
    /// The id.
    #[serde(rename = "_id")]
    pub template_id: TemplateOverrideId,
    /// The message it words.
    pub template_key: TemplateKey,
    /// The workflow it is for; all without one of their own when absent.
    #[serde(default)]
    pub workflow_id: Option<String>,
    /// The subject; the built-in one when absent.
    #[serde(default)]
    pub custom_subject: Option<String>,
    /// The sanitised HTML body; the built-in one when absent.
    #[serde(default)]
    pub custom_body: Option<String>,
    /// Whether it is in force.
    pub is_active: bool,
    /// When it was first saved.
    pub created_at: Timestamp,
    /// Who first saved it.
    pub created_by: String,
    /// When it was last saved or reverted.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// Who last saved or reverted it.
    #[serde(default)]
    pub updated_by: Option<String>,
}

/// What an administrator saves.
#[derive(Debug, Clone)]
pub struct Wording {
    /// The message.
    pub template_key: TemplateKey,
    /// The workflow, or all.
    pub workflow_id: Option<String>,
    /// The subject.
    pub custom_subject: Option<String>,
    /// The sanitised body.
    pub custom_body: Option<String>,
}

/// Access to the wordings; cheap to clone.
#[derive(Debug, Clone)]
pub struct TemplateOverrideRepo {
    rows: Collection<TemplateOverride>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    vec![IndexSpec::new(COLLECTION, "by_key", doc! {"template_key": 1, "workflow_id": 1}).unique()]
}

impl TemplateOverrideRepo {
    /// The wordings in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// The wording in force for a workflow: its own, else the one for all.
    pub async fn in_force(
        &self,
        key: TemplateKey,
        workflow_id: Option<&str>,
    ) -> Result<Option<TemplateOverride>> {
        let filter = doc! {
            "template_key": key.as_str(),
            "workflow_id": {"$in": [workflow_id.map_or(Bson::Null, Bson::from), Bson::Null]},
            "is_active": true,
        };
        let found: Vec<TemplateOverride> = self.rows.find(filter).await?.try_collect().await?;
        Ok(found.into_iter().max_by_key(|row| row.workflow_id.is_some()))
    }

    /// Every wording in force, by key.
    pub async fn active(&self) -> Result<Vec<TemplateOverride>> {
        self.rows
            .find(doc! {"is_active": true})
            .sort(doc! {"template_key": 1, "workflow_id": 1})
            .await?
            .try_collect()
            .await
    }

    /// Saves a wording over an earlier one for the same message and workflow, reverted or not, within a transaction.
    pub async fn save_in(
        &self,
        session: &mut ClientSession,
        wording: &Wording,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<TemplateOverride>> {
        let filter = doc! {"template_key": wording.template_key.as_str(), "workflow_id": wording.workflow_id.as_deref()};
        let update = doc! {
            "$set": {
                "custom_subject": wording.custom_subject.as_deref(),
                "custom_body": wording.custom_body.as_deref(),
                "is_active": true,
                "updated_at": now,
                "updated_by": by,
            },
            "$setOnInsert": {"_id": TemplateOverrideId::random(), "created_at": now, "created_by": by},
        };
        self.rows
            .find_one_and_update(filter, update)
            .upsert(true)
            .return_document(ReturnDocument::After)
            .session(session)
            .await
    }

    /// Takes a wording out of force, within a transaction; `None` when there is none in force with this id.
    pub async fn revert_in(
        &self,
        session: &mut ClientSession,
        id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<TemplateOverride>> {
        let update = doc! {"$set": {"is_active": false, "updated_at": now, "updated_by": by}};
        self.rows
            .find_one_and_update(doc! {"_id": Bson::from(id), "is_active": true}, update)
            .return_document(ReturnDocument::After)
            .session(session)
            .await
    }
}
