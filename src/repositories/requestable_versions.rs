//! Which versions of workflows may be requested now. Never kept, since a publication anywhere changes it; people who
//! request at the same moment are answered by one read.

use super::gathered_reads::{ById, GatheredReads};
use super::workflow_repo::COLLECTION;
use crate::domain::id::WorkflowId;
use crate::domain::workflow::WorkflowStatus;
use bson::doc;
use mongodb::Database;
use mongodb::error::Result;
use serde::Deserialize;
use tokio_util::task::TaskTracker;

/// The versions that may be requested; cheap to clone.
#[derive(Debug, Clone)]
pub struct RequestableVersions(GatheredReads<ById>);

impl RequestableVersions {
    /// Those of the workflows in `database`.
    pub fn new(database: &Database, tracker: &TaskTracker) -> Self {
        let standing = doc! {"status": 1, "published_version": 1};
        Self(GatheredReads::new(database, COLLECTION, Some(standing), tracker))
    }

    /// The version of a workflow that may be requested now: the newest one of a published workflow.
    ///
    /// # Errors
    /// The database is unavailable, or what is stored cannot be read.
    pub async fn of(&self, id: &WorkflowId) -> Result<Option<i32>> {
        #[derive(Deserialize)]
        struct Standing {
            status: WorkflowStatus,
            published_version: Option<i32>,
        }
        let Some(found) = self.0.read(ById::new(id.as_str())).await?.pop() else {
            return Ok(None);
        };
        let standing: Standing = bson::deserialize_from_slice(found.as_bytes())?;
        let is_published = standing.status == WorkflowStatus::Published;
        Ok(standing.published_version.filter(|_| is_published))
    }
}
