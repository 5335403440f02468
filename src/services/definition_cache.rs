//! Published versions, compiled once per process and kept within a bound of bytes. They never change, so nothing expires.

use crate::domain::error::ServiceError;
use crate::domain::workflow::VersionRef;
use crate::engine::definition::{CompiledWorkflow, compile};
use crate::repositories::workflow_version_repo::WorkflowVersionRepo;
use mongodb::Database;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How much memory compiled versions may take, roughly, in bytes.
const MAX_WEIGHT: u64 = 32 * 1024 * 1024;
/// About how many versions are in use at the same time.
const EXPECTED_VERSIONS: usize = 512;

/// Compiled versions; cheap to clone.
#[derive(Debug, Clone)]
pub struct DefinitionCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    repo: WorkflowVersionRepo,
    compiled: Cache<VersionRef, Arc<CompiledWorkflow>, ByWeight>,
}

#[derive(Debug, Clone)]
struct ByWeight;

impl Weighter<VersionRef, Arc<CompiledWorkflow>> for ByWeight {
    fn weight(&self, _version: &VersionRef, workflow: &Arc<CompiledWorkflow>) -> u64 {
        u64::try_from(workflow.weight).unwrap_or(u64::MAX).max(1)
    }
}

impl DefinitionCache {
    /// The versions in `database`.
    pub fn new(database: &Database) -> Self {
        Self(Arc::new(Inner {
            repo: WorkflowVersionRepo::new(database),
            compiled: Cache::with_weighter(EXPECTED_VERSIONS, MAX_WEIGHT, ByWeight),
        }))
    }

    /// The compiled version, `None` when there is no such version.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn get(&self, version: &VersionRef) -> Result<Option<Arc<CompiledWorkflow>>, ServiceError> {
        if let Some(known) = self.0.compiled.get(version) {
            return Ok(Some(known));
        }
        let Some(stored) = self.0.repo.find(version).await? else {
            return Ok(None);
        };
        let (workflow, _findings) = compile(&stored);
        let workflow = Arc::new(workflow);
        self.0.compiled.insert(version.clone(), Arc::clone(&workflow));
        Ok(Some(workflow))
    }
}
