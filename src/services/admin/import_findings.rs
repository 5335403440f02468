//! What an import from the reference has to tell, for those who must look after it.

use crate::domain::error::ServiceError;
use crate::domain::person::Actor;
use crate::repositories::import_repo::{Finding, FindingFilter, ImportRepo};
use crate::services::access::require_super_admin;
use mongodb::Database;

/// Lists findings; cheap to clone.
#[derive(Debug, Clone)]
pub struct ImportFindings {
    repo: ImportRepo,
}

impl ImportFindings {
    /// The findings in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            repo: ImportRepo::new(database),
        }
    }

    /// A window of the findings in the order of their keys, and how many there are, counted up to 10 000. They quote
    /// documents that nobody could read, whoever's they are: only super administrators see them.
    ///
    /// # Errors
    /// The actor is no super administrator, or the database is unavailable.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &FindingFilter,
        skip: u64,
        limit: i64,
    ) -> Result<(Vec<Finding>, u64), ServiceError> {
        require_super_admin(actor)?;
        Ok(self.repo.findings(filter, skip, limit).await?)
    }
}
