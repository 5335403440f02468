//! Workflows: drafted, validated, published, listed (contract http-workflows 2).

mod catalog;
mod draft;
mod form_chain;
mod publish;

pub use catalog::{CatalogFilter, Embeddable};
pub use draft::{DraftSaved, NewWorkflow, Words};
pub use form_chain::FormChain;

use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::WorkflowId;
use crate::domain::person::Actor;
use crate::domain::time::Clock;
use crate::domain::workflow::{Definition, VersionRef, WorkflowStatus, WorkflowTemplate, WorkflowVersion};
use crate::engine::definition::StepKind;
use crate::engine::definition::validate::{self, EmbeddedFact, Report, Surroundings};
use crate::repositories::workflow_repo::{Page, WorkflowRepo};
use crate::services::definition_cache::DefinitionCache;
use mongodb::Database;
use std::collections::{BTreeMap, BTreeSet};

/// Most documents a list skips over.
pub(crate) const DEEPEST: u64 = 1_000_000;

/// The workflows service; cheap to clone.
#[derive(Debug, Clone)]
pub struct WorkflowService {
    repo: WorkflowRepo,
    definitions: DefinitionCache,
    database: Database,
    clock: Clock,
}

impl WorkflowService {
    /// The service over `database`.
    pub fn new(database: &Database, clock: Clock, definitions: DefinitionCache) -> Self {
        Self {
            repo: WorkflowRepo::new(database),
            definitions,
            database: database.clone(),
            clock,
        }
    }

    /// Templates for the studio, the last changed first.
    ///
    /// # Errors
    /// The caller may not design, or the database is unavailable.
    pub async fn list(
        &self,
        actor: &Actor,
        status: Option<WorkflowStatus>,
        page: u64,
        page_size: i64,
    ) -> Result<Page<WorkflowTemplate>, ServiceError> {
        require_designer(actor)?;
        Ok(self.repo.list(status, offset(page, page_size), page_size).await?)
    }

    /// A template: designers see the draft, everybody else the newest published definition, and nothing before there is one.
    ///
    /// # Errors
    /// There is no such workflow, or the database is unavailable.
    pub async fn get(&self, actor: &Actor, id: &str) -> Result<WorkflowTemplate, ServiceError> {
        let mut template = self.find(id).await?;
        if actor.is_designer() {
            return Ok(template);
        }
        let version = self
            .repo
            .latest_version(&template.id)
            .await?
            .ok_or_else(unknown_workflow)?;
        template.definition = Some(version.definition);
        Ok(template)
    }

    /// Published versions, the newest first.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, or the database is unavailable.
    pub async fn versions(
        &self,
        actor: &Actor,
        id: &str,
        page: u64,
        page_size: i64,
    ) -> Result<Vec<WorkflowVersion>, ServiceError> {
        require_designer(actor)?;
        let template = self.find(id).await?;
        Ok(self
            .repo
            .list_versions(&template.id, offset(page, page_size), page_size)
            .await?)
    }

    /// One published version, even of a workflow that is archived.
    ///
    /// # Errors
    /// The caller may not design, there is no such version, or the database is unavailable.
    pub async fn version(
        &self,
        actor: &Actor,
        id: &str,
        number: i32,
    ) -> Result<WorkflowVersion, ServiceError> {
        require_designer(actor)?;
        let id = workflow_id(id)?;
        let found = self.repo.find_version(&id, number).await?;
        found.ok_or_else(|| ServiceError::NotFound {
            code: ErrorCode::WorkflowNotFound,
            message: format!("the workflow has no version {number}"),
        })
    }

    /// The template behind a path's id.
    pub(crate) async fn find(&self, id: &str) -> Result<WorkflowTemplate, ServiceError> {
        self.repo
            .find(&workflow_id(id)?)
            .await?
            .ok_or_else(unknown_workflow)
    }

    /// Checks a definition with all that it refers to.
    pub(crate) async fn check(
        &self,
        id: &WorkflowId,
        definition: &Definition,
    ) -> Result<Report, ServiceError> {
        let mut around = Surroundings::of(id.clone());
        around.embedded = self.embedded_facts(definition).await?;
        around.lookups = Some(self.lookup_ids(id).await?);
        Ok(validate::validate(definition, &around))
    }

    /// What the embedded references of a definition lead to.
    pub(crate) async fn embedded_facts(
        &self,
        definition: &Definition,
    ) -> Result<BTreeMap<VersionRef, EmbeddedFact>, ServiceError> {
        let compiled = validate::compile_draft(definition, &WorkflowId::derived("draft"));
        let mut facts = BTreeMap::new();
        for step in compiled.steps.values() {
            if let StepKind::SubWorkflow(embedded) = &step.kind {
                let fact = self.embedded_fact(&embedded.version).await?;
                facts.insert(embedded.version.clone(), fact);
            }
        }
        Ok(facts)
    }

    async fn embedded_fact(&self, version: &VersionRef) -> Result<EmbeddedFact, ServiceError> {
        if let Some(found) = self.definitions.get(version).await? {
            return Ok(EmbeddedFact::Found(found));
        }
        let template = self.repo.find(&version.workflow_id).await?;
        Ok(if template.is_some() {
            EmbeddedFact::NoVersion
        } else {
            EmbeddedFact::NoWorkflow
        })
    }

    /// The ids of a workflow's lookup tables.
    async fn lookup_ids(&self, id: &WorkflowId) -> Result<BTreeSet<String>, ServiceError> {
        Ok(self.repo.lookup_ids(id).await?)
    }
}

/// Refuses everybody but designers and administrators (contract http-workflows 1.7).
pub(crate) fn require_designer(actor: &Actor) -> Result<(), ServiceError> {
    if actor.is_designer() {
        return Ok(());
    }
    Err(ServiceError::forbidden("this needs the designer persona"))
}

/// The id in a path; text that is none can only be unknown.
pub(crate) fn workflow_id(text: &str) -> Result<WorkflowId, ServiceError> {
    WorkflowId::try_from(text.to_owned()).map_err(|_| unknown_workflow())
}

pub(crate) fn unknown_workflow() -> ServiceError {
    ServiceError::not_found(ErrorCode::WorkflowNotFound, "there is no such workflow")
}

/// How many rows a page leaves out.
fn offset(page: u64, page_size: i64) -> u64 {
    let size = u64::try_from(page_size).unwrap_or(0);
    page.saturating_sub(1).saturating_mul(size).min(DEEPEST)
}
