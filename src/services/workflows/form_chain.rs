//! The forms that a requester fills in one after the other (contract http-workflows 2.7).

use super::{WorkflowService, workflow_id};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::StepKey;
use crate::domain::workflow::{TransitionEvent, VersionRef};
use crate::engine::definition::{CompiledWorkflow, StepKind};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// A chain of forms and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct FormChain {
    /// The forms as published.
    pub forms: Vec<Map<String, Value>>,
    /// The first step behind them that is no form, when it is known before they are submitted.
    pub next: Option<StepKey>,
}

impl WorkflowService {
    /// The forms that raise a ticket, of the published version.
    ///
    /// # Errors
    /// There is no such workflow, it was never published, or the database is unavailable.
    pub async fn initial_forms(&self, id: &str) -> Result<FormChain, ServiceError> {
        let template = self.find(id).await?;
        let number = template.published_version.ok_or_else(never_published)?;
        let reference = VersionRef {
            workflow_id: template.id,
            version_number: number,
        };
        let workflow = self
            .definitions
            .get(&reference)
            .await?
            .ok_or_else(never_published)?;
        Ok(chain_from(&workflow, workflow.start.clone()))
    }

    /// The forms from a step of a version on.
    ///
    /// # Errors
    /// There is no such version, or the database is unavailable.
    pub async fn consecutive_forms(
        &self,
        id: &str,
        number: i32,
        step: &str,
    ) -> Result<FormChain, ServiceError> {
        let reference = VersionRef {
            workflow_id: workflow_id(id)?,
            version_number: number,
        };
        let workflow = self.definitions.get(&reference).await?.ok_or_else(|| {
            ServiceError::bad_request(ErrorCode::ValidationError, "the workflow has no such version")
        })?;
        Ok(chain_from(&workflow, StepKey::from(step)))
    }
}

fn never_published() -> ServiceError {
    ServiceError::bad_request(
        ErrorCode::ValidationError,
        "the workflow has never been published",
    )
}

/// Walks along the forms; stops before a form whose way on depends on what is submitted.
fn chain_from(workflow: &CompiledWorkflow, start: StepKey) -> FormChain {
    let mut chain = FormChain {
        forms: Vec::new(),
        next: None,
    };
    let mut seen = HashSet::new();
    let mut at = start;
    loop {
        let form = workflow
            .step(&at)
            .filter(|step| matches!(step.kind, StepKind::Form(_)));
        let Some(form) = form.filter(|_| seen.insert(at.clone())) else {
            let known = workflow
                .step(&at)
                .is_some_and(|step| !matches!(step.kind, StepKind::Form(_)));
            if known || chain.forms.is_empty() {
                chain.next = Some(at);
            }
            return chain;
        };
        let edges = workflow.edges_on(&at, TransitionEvent::SubmitForm);
        let conditional = edges.iter().any(|edge| edge.condition.is_some());
        if conditional && !chain.forms.is_empty() {
            return chain;
        }
        chain.forms.push(form.raw.clone());
        match edges.first() {
            Some(edge) if !conditional => at = edge.to.clone(),
            Some(_) | None => return chain,
        }
    }
}
