//! `workflow_lookups`: one document per table, changed by compare-and-set on its version.

use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use crate::domain::id::{LookupId, WorkflowId};
use crate::domain::lookup::LookupTable;
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::{Collection, Database};

/// The collection's name.
pub const COLLECTION: &str = "workflow_lookups";

/// Most tables one list returns.
const LISTED: i64 = 1_000;

/// What a write of a table came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupWrite {
    /// It is stored.
    Stored,
    /// Somebody else changed the table meanwhile.
    Lost,
    /// Another active table of the workflow is bound to the same field.
    BoundTwice,
}

/// Access to lookup tables; cheap to clone.
#[derive(Debug, Clone)]
pub struct LookupRepo {
    rows: Collection<LookupTable>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let bound = doc! {"is_active": true, "source_step_id": {"$type": "string"}, "source_field_key": {"$type": "string"}};
    vec![
        IndexSpec::new(
            COLLECTION,
            "workflow",
            doc! {"workflow_id": 1, "created_at": -1, "_id": -1},
        ),
        IndexSpec::new(
            COLLECTION,
            "bound",
            doc! {"workflow_id": 1, "source_step_id": 1, "source_field_key": 1},
        )
        .partial(bound)
        .unique(),
    ]
}

impl LookupRepo {
    /// The tables in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// A table of a workflow, active or not.
    pub async fn find(&self, workflow: &WorkflowId, id: &LookupId) -> Result<Option<LookupTable>> {
        self.rows.find_one(of(workflow, id)).await
    }

    /// The active table that is bound to a field of a form.
    pub async fn find_bound(
        &self,
        workflow: &WorkflowId,
        step_id: &str,
        field_key: &str,
    ) -> Result<Option<LookupTable>> {
        let bound = doc! {
            "workflow_id": workflow.as_str(),
            "source_step_id": {"$eq": step_id, "$type": "string"},
            "source_field_key": {"$eq": field_key, "$type": "string"},
            "is_active": true,
        };
        self.rows.find_one(bound).await
    }

    /// The tables of a workflow, the newest first.
    pub async fn list(&self, workflow: &WorkflowId, include_inactive: bool) -> Result<Vec<LookupTable>> {
        let mut filter = doc! {"workflow_id": workflow.as_str()};
        if !include_inactive {
            filter.insert("is_active", true);
        }
        self.rows
            .find(filter)
            .sort(doc! {"created_at": -1, "_id": -1})
            .limit(LISTED)
            .await?
            .try_collect()
            .await
    }

    /// Stores a new table.
    pub async fn insert(&self, table: &LookupTable) -> Result<LookupWrite> {
        bound_once(self.rows.insert_one(table).await.map(|_| true))
    }

    /// Replaces a table that still has the version `base`.
    pub async fn replace(&self, table: &LookupTable, base: i64) -> Result<LookupWrite> {
        let mut filter = of(&table.workflow_id, &table.id);
        filter.insert("version", base);
        let replaced = self.rows.replace_one(filter, table).await;
        bound_once(replaced.map(|result| result.matched_count == 1))
    }
}

fn of(workflow: &WorkflowId, id: &LookupId) -> Document {
    doc! {"_id": id.as_str(), "workflow_id": workflow.as_str()}
}

fn bound_once(written: Result<bool>) -> Result<LookupWrite> {
    match written {
        Ok(true) => Ok(LookupWrite::Stored),
        Ok(false) => Ok(LookupWrite::Lost),
        Err(error) if classify(&error) == WriteFault::DuplicateKey => Ok(LookupWrite::BoundTwice),
        Err(error) => Err(error),
    }
}
