//! `workflows`: editable templates; each change is guarded by the template's version. Published versions are listed here too.

use super::indexes::IndexSpec;
use super::workflow_version_repo;
use crate::domain::id::WorkflowId;
use crate::domain::person::Email;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{WorkflowStatus, WorkflowTemplate, WorkflowVersion};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::{ClientSession, Collection, Database};
use std::collections::BTreeSet;

/// The collection's name.
pub const COLLECTION: &str = "workflows";

/// Newest templates that a text search looks at; a designer's studio has far fewer.
const SEARCHED: i64 = 5_000;

/// Access to workflows; cheap to clone.
#[derive(Debug, Clone)]
pub struct WorkflowRepo {
    templates: Collection<WorkflowTemplate>,
    versions: Collection<WorkflowVersion>,
    lookups: Collection<Document>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    vec![
        IndexSpec::new(COLLECTION, "updated", doc! {"updated_at": -1, "_id": 1}),
        IndexSpec::new(
            COLLECTION,
            "status_updated",
            doc! {"status": 1, "updated_at": -1, "_id": 1},
        ),
        IndexSpec::new(COLLECTION, "status_name", doc! {"status": 1, "name": 1, "_id": 1}).ignore_case(),
        IndexSpec::new(
            COLLECTION,
            "creator",
            doc! {"created_by.email": 1, "created_at": -1},
        ),
    ]
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// How many rows there are in all.
    pub total: u64,
}

impl WorkflowRepo {
    /// The workflows in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            templates: database.collection(COLLECTION),
            versions: database.collection(workflow_version_repo::COLLECTION),
            lookups: database.collection("workflow_lookups"),
        }
    }

    /// Stores a new template; a duplicate id is an error of the driver.
    pub async fn insert(&self, template: &WorkflowTemplate) -> Result<()> {
        self.templates.insert_one(template).await.map(|_| ())
    }

    /// The template with this id.
    pub async fn find(&self, id: &WorkflowId) -> Result<Option<WorkflowTemplate>> {
        self.templates.find_one(doc! {"_id": id.as_str()}).await
    }

    /// The template with this id, as a transaction sees it.
    pub async fn find_in(
        &self,
        session: &mut ClientSession,
        id: &WorkflowId,
    ) -> Result<Option<WorkflowTemplate>> {
        self.templates
            .find_one(doc! {"_id": id.as_str()})
            .session(session)
            .await
    }

    /// A template that the same person made with the same name since `since`.
    pub async fn find_recent(
        &self,
        creator: &Email,
        name: &str,
        since: Timestamp,
    ) -> Result<Option<WorkflowTemplate>> {
        let filter = doc! {"created_by.email": creator.as_str(), "created_at": {"$gte": since.to_bson()}, "name": name};
        self.templates
            .find_one(filter)
            .sort(doc! {"created_at": -1})
            .await
    }

    /// Templates, the last changed first.
    pub async fn list(
        &self,
        status: Option<WorkflowStatus>,
        skip: u64,
        limit: i64,
    ) -> Result<Page<WorkflowTemplate>> {
        let filter = status_filter(status);
        let total = self.templates.count_documents(filter.clone()).await?;
        let found = self
            .templates
            .find(filter)
            .sort(doc! {"updated_at": -1, "_id": 1})
            .skip(skip)
            .limit(limit);
        Ok(Page {
            items: found.await?.try_collect().await?,
            total,
        })
    }

    /// Every published template, by name without regard to case; bounded.
    pub async fn published(&self) -> Result<Vec<WorkflowTemplate>> {
        let filter = status_filter(Some(WorkflowStatus::Published));
        let found = self.templates.find(filter).sort(doc! {"name": 1, "_id": 1});
        let found = found
            .collation(super::indexes::ignore_case_collation())
            .limit(SEARCHED);
        found.await?.try_collect().await
    }

    /// Replaces a template if its version is still `version`; `false` when it is not.
    pub async fn replace(&self, template: &WorkflowTemplate, version: i64) -> Result<bool> {
        let filter = doc! {"_id": template.id.as_str(), "version": version};
        let replaced = self.templates.replace_one(filter, template).await?;
        Ok(replaced.matched_count == 1)
    }

    /// The same within a transaction.
    pub async fn replace_in(
        &self,
        session: &mut ClientSession,
        template: &WorkflowTemplate,
        version: i64,
    ) -> Result<bool> {
        let filter = doc! {"_id": template.id.as_str(), "version": version};
        let replaced = self
            .templates
            .replace_one(filter, template)
            .session(session)
            .await?;
        Ok(replaced.matched_count == 1)
    }

    /// Removes a template that was never published.
    pub async fn remove_unpublished(&self, id: &WorkflowId, version: i64) -> Result<bool> {
        let filter = doc! {"_id": id.as_str(), "version": version, "published_version": Bson::Null};
        Ok(self.templates.delete_one(filter).await?.deleted_count == 1)
    }

    /// The newest published version.
    pub async fn latest_version(&self, id: &WorkflowId) -> Result<Option<WorkflowVersion>> {
        self.versions
            .find_one(doc! {"workflow_id": id.as_str()})
            .sort(doc! {"version_number": -1})
            .await
    }

    /// The newest published version, as a transaction sees it.
    pub async fn latest_version_in(
        &self,
        session: &mut ClientSession,
        id: &WorkflowId,
    ) -> Result<Option<WorkflowVersion>> {
        let filter = doc! {"workflow_id": id.as_str()};
        self.versions
            .find_one(filter)
            .sort(doc! {"version_number": -1})
            .session(session)
            .await
    }

    /// Stores a version within a transaction; its number must be new.
    pub async fn insert_version_in(
        &self,
        session: &mut ClientSession,
        version: &WorkflowVersion,
    ) -> Result<()> {
        self.versions
            .insert_one(version)
            .session(session)
            .await
            .map(|_| ())
    }

    /// One published version.
    pub async fn find_version(&self, id: &WorkflowId, number: i32) -> Result<Option<WorkflowVersion>> {
        self.versions
            .find_one(doc! {"workflow_id": id.as_str(), "version_number": number})
            .await
    }

    /// The ids of a workflow's lookup tables.
    pub async fn lookup_ids(&self, id: &WorkflowId) -> Result<BTreeSet<String>> {
        let found = self
            .lookups
            .find(doc! {"workflow_id": id.as_str()})
            .projection(doc! {"_id": 1})
            .limit(SEARCHED);
        let found: Vec<Document> = found.await?.try_collect().await?;
        Ok(found
            .iter()
            .filter_map(|row| row.get_str("_id").ok())
            .map(str::to_owned)
            .collect())
    }

    /// Published versions, the newest first.
    pub async fn list_versions(
        &self,
        id: &WorkflowId,
        skip: u64,
        limit: i64,
    ) -> Result<Vec<WorkflowVersion>> {
        let found = self
            .versions
            .find(doc! {"workflow_id": id.as_str()})
            .sort(doc! {"version_number": -1});
        found.skip(skip).limit(limit).await?.try_collect().await
    }
}

fn status_filter(status: Option<WorkflowStatus>) -> Document {
    if let Some(Ok(status)) = status.map(|status| bson::serialize_to_bson(&status)) {
        doc! {"status": status}
    } else {
        // A condition that every template fulfils and that an index answers.
        doc! {"updated_at": {"$gt": Bson::MinKey}}
    }
}
