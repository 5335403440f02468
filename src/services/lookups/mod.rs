//! Lookup tables: kept by designers, read live by running tickets (contract http-workflows 4).

mod edit;
mod rules;

pub use edit::{ChangeEntry, ChangeTable, NewEntry, NewTable, NewUser};

use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::{LookupId, WorkflowId};
use crate::domain::lookup::{LookupPerson, LookupTable};
use crate::domain::person::Actor;
use crate::domain::time::Clock;
use crate::engine::facts::{LookupFact, LookupQuestion};
use crate::repositories::lookup_repo::LookupRepo;
use crate::repositories::workflow_repo::WorkflowRepo;
use crate::services::workflows::{require_designer, workflow_id};
use mongodb::Database;
use std::collections::BTreeSet;

/// The lookups service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lookups {
    repo: LookupRepo,
    workflows: WorkflowRepo,
    clock: Clock,
}

impl Lookups {
    /// The service over `database`.
    pub fn new(database: &Database, clock: &Clock) -> Self {
        Self {
            repo: LookupRepo::new(database),
            workflows: WorkflowRepo::new(database),
            clock: clock.clone(),
        }
    }

    /// The tables of a workflow, the newest first; none for an unknown workflow.
    ///
    /// # Errors
    /// The caller may not design, or the database is unavailable.
    pub async fn list(
        &self,
        actor: &Actor,
        workflow: &str,
        include_inactive: bool,
    ) -> Result<Vec<LookupTable>, ServiceError> {
        require_designer(actor)?;
        match WorkflowId::try_from(workflow.to_owned()) {
            Ok(id) => Ok(self.repo.list(&id, include_inactive).await?),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// One table, deleted or not.
    ///
    /// # Errors
    /// The caller may not design, the workflow has no such table, or the database is unavailable.
    pub async fn get(&self, actor: &Actor, workflow: &str, id: &str) -> Result<LookupTable, ServiceError> {
        require_designer(actor)?;
        self.find(workflow, id).await
    }

    /// The people who answer for these values of a field, the primary one of the first value first, no doubles.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn resolve(
        &self,
        workflow: &str,
        step_id: &str,
        field_key: &str,
        values: &[String],
    ) -> Result<Vec<LookupPerson>, ServiceError> {
        let Ok(workflow) = WorkflowId::try_from(workflow.to_owned()) else {
            return Ok(Vec::new());
        };
        let Some(table) = self.repo.find_bound(&workflow, step_id, field_key).await? else {
            return Ok(Vec::new());
        };
        let mut seen = BTreeSet::new();
        let mut users: Vec<LookupPerson> = Vec::new();
        for user in values.iter().flat_map(|value| table.users_of(value)) {
            if seen.insert(user.email.key()) {
                users.push(user.clone());
            }
        }
        for (order, user) in (0..).zip(&mut users) {
            user.order = order;
        }
        Ok(users)
    }

    /// What a decision asks a table: its people in order, none when there is no such active entry.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn answer(&self, question: LookupQuestion) -> Result<LookupFact, ServiceError> {
        let table = match &question {
            LookupQuestion::Table {
                workflow_id,
                lookup_id,
                ..
            } => {
                let found = self.repo.find(workflow_id, lookup_id).await?;
                found.filter(|table| table.is_active)
            }
            LookupQuestion::Bound {
                workflow_id,
                step_id,
                field_key,
                ..
            } => {
                let bound = self.repo.find_bound(workflow_id, step_id.as_str(), field_key);
                bound.await?
            }
        };
        Ok(LookupFact::of(question, table.as_ref()))
    }

    async fn find(&self, workflow: &str, id: &str) -> Result<LookupTable, ServiceError> {
        let workflow = workflow_id(workflow).map_err(|_| unknown_table())?;
        let id = LookupId::try_from(id.to_owned()).map_err(|_| unknown_table())?;
        self.repo.find(&workflow, &id).await?.ok_or_else(unknown_table)
    }
}

fn unknown_table() -> ServiceError {
    ServiceError::not_found(ErrorCode::NotFound, "there is no such lookup")
}
