//! `workflow_versions`: published versions; never change once stored.

use super::indexes::IndexSpec;
use crate::domain::workflow::{VersionRef, WorkflowVersion};
use bson::doc;
use mongodb::error::Result;
use mongodb::{Collection, Database};

/// The collection's name.
pub const COLLECTION: &str = "workflow_versions";

/// Access to published versions; cheap to clone.
#[derive(Debug, Clone)]
pub struct WorkflowVersionRepo {
    rows: Collection<WorkflowVersion>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let keys = doc! {"workflow_id": 1, "version_number": 1};
    vec![IndexSpec::new(COLLECTION, "number", keys).unique()]
}

impl WorkflowVersionRepo {
    /// The versions in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// The collection.
    pub fn rows(&self) -> &Collection<WorkflowVersion> {
        &self.rows
    }

    /// The version that `version` names.
    pub async fn find(&self, version: &VersionRef) -> Result<Option<WorkflowVersion>> {
        let filter =
            doc! {"workflow_id": version.workflow_id.as_str(), "version_number": version.version_number};
        self.rows.find_one(filter).await
    }
}
