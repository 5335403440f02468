//! Publishes drafts as immutable versions with unbroken numbers.

use super::draft::{check_expected, no_definition};
use super::{WorkflowService, require_designer, unknown_workflow, workflow_id};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::{WorkflowId, WorkflowVersionId};
use crate::domain::person::Actor;
use crate::domain::workflow::{Definition, WorkflowStatus, WorkflowTemplate, WorkflowVersion};
use crate::engine::definition::validate::{Finding, Report};
use crate::repositories::transaction::{Transaction, TransactionFault, settled};
use crate::services::execute::ExpectedVersion;
use serde_json::{Map, Value, json};

impl WorkflowService {
    /// Publishes the draft; when it equals the newest version, that version is the answer again.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, the draft has errors, another version was expected, or the
    /// database is unavailable.
    pub async fn publish(
        &self,
        actor: &Actor,
        id: &str,
        expected: Option<ExpectedVersion>,
    ) -> Result<WorkflowVersion, ServiceError> {
        require_designer(actor)?;
        let id = workflow_id(id)?;
        let template = self.repo.find(&id).await?.ok_or_else(unknown_workflow)?;
        let checked = self.checked_definition(&template).await?;
        settled(|| self.publish_once(actor, &id, &checked, expected)).await
    }

    async fn checked_definition(&self, template: &WorkflowTemplate) -> Result<Definition, ServiceError> {
        let Some(definition) = &template.definition else {
            return Err(invalid(&template.id, &no_definition()));
        };
        let report = self.check(&template.id, definition).await?;
        if report.is_valid() {
            Ok(definition.clone())
        } else {
            Err(invalid(&template.id, &report))
        }
    }

    /// Reads template and newest version at one moment and writes both, or nothing.
    async fn publish_once(
        &self,
        actor: &Actor,
        id: &WorkflowId,
        checked: &Definition,
        expected: Option<ExpectedVersion>,
    ) -> Result<WorkflowVersion, TransactionFault> {
        let mut transaction = Transaction::begin(&self.database).await?;
        let template = self
            .repo
            .find_in(transaction.session(), id)
            .await?
            .ok_or_else(unknown_workflow)?;
        check_expected(expected, template.version)?;
        if template.definition.as_ref() != Some(checked) {
            let message = "the draft was changed while it was being published; try again";
            return Err(ServiceError::conflict(ErrorCode::ConcurrencyConflict, message).into());
        }
        let latest = self.repo.latest_version_in(transaction.session(), id).await?;
        if let Some(latest) = latest.as_ref().filter(|latest| is_same(latest, &template)) {
            transaction.abort().await;
            return Ok(latest.clone());
        }
        let now = self.clock.now();
        let number = latest.map_or(0, |latest| latest.version_number).saturating_add(1);
        let version = WorkflowVersion {
            id: WorkflowVersionId::derived(&format!("{id}:{number}")),
            workflow_id: id.clone(),
            version_number: number,
            name: template.name.clone(),
            description: template.description.clone(),
            category: template.category.clone(),
            tags: template.tags.clone(),
            definition: checked.clone(),
            published_by: actor.person.clone(),
            published_at: now,
            change_summary: template.change_summary.clone(),
        };
        let before = template.version;
        let published = WorkflowTemplate {
            status: WorkflowStatus::Published,
            published_version: Some(number),
            change_summary: None,
            updated_at: now,
            version: before + 1,
            ..template
        };
        self.repo
            .insert_version_in(transaction.session(), &version)
            .await?;
        let replaced = self
            .repo
            .replace_in(transaction.session(), &published, before)
            .await?;
        if !replaced {
            return Err(ServiceError::defect("a template changed within its own transaction").into());
        }
        transaction.commit().await?;
        Ok(version)
    }
}

/// Whether publishing would make a version that differs in nothing.
fn is_same(latest: &WorkflowVersion, template: &WorkflowTemplate) -> bool {
    template.status == WorkflowStatus::Published
        && Some(&latest.definition) == template.definition.as_ref()
        && (&latest.name, &latest.description, &latest.category, &latest.tags)
            == (
                &template.name,
                &template.description,
                &template.category,
                &template.tags,
            )
}

fn invalid(id: &WorkflowId, report: &Report) -> ServiceError {
    let errors: Vec<Value> = report.errors.iter().map(finding_json).collect();
    let mut details = Map::new();
    details.insert("workflow_id".to_owned(), json!(id));
    details.insert("errors".to_owned(), Value::Array(errors));
    let first = report
        .errors
        .first()
        .map_or("the workflow is not valid", |finding| finding.message.as_str());
    ServiceError::BadRequest {
        code: ErrorCode::WorkflowValidationError,
        message: format!("the workflow cannot be published: {first}"),
        details,
    }
}

fn finding_json(finding: &Finding) -> Value {
    json!({"type": finding.kind, "message": finding.message, "path": finding.path, "details": finding.details})
}
