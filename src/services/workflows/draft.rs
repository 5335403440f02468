//! Creates, edits and removes templates.

use super::{WorkflowService, require_designer};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::WorkflowId;
use crate::domain::person::Actor;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Definition, WorkflowStatus, WorkflowTemplate};
use crate::engine::definition::validate::{self, Report};
use crate::repositories::contention::{self, ATTEMPTS};
use crate::repositories::mongo::{WriteFault, classify};
use crate::services::execute::ExpectedVersion;
use serde_json::{Map, Value, json};

/// How long an identical creation counts as the same one, in milliseconds (design 8).
const REPEAT_MILLIS: i64 = 60_000;
/// How many ids are drawn for a new workflow.
const DRAWS: usize = 5;

/// What a new workflow is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorkflow {
    /// 1 to 200 characters.
    pub name: String,
    /// At most 2 000 characters.
    pub description: Option<String>,
    /// At most 100 characters.
    pub category: Option<String>,
    /// At most 20 of at most 50 characters.
    pub tags: Vec<String>,
}

/// New words for a workflow; absent ones stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// Empty clears it.
    pub description: Option<String>,
    /// Empty clears it.
    pub category: Option<String>,
    /// All tags.
    pub tags: Option<Vec<String>>,
}

/// A saved draft.
#[derive(Debug, Clone)]
pub struct DraftSaved {
    /// The template after the save.
    pub template: WorkflowTemplate,
    /// What is wrong with the draft.
    pub report: Report,
}

impl WorkflowService {
    /// Creates a workflow; the same person's identical wish within a minute is the same workflow.
    ///
    /// # Errors
    /// The caller may not design, or the database is unavailable.
    pub async fn create(&self, actor: &Actor, new: NewWorkflow) -> Result<WorkflowTemplate, ServiceError> {
        require_designer(actor)?;
        let now = self.clock.now();
        let since = now.plus_millis(-REPEAT_MILLIS);
        if let Some(first) = self
            .repo
            .find_recent(&actor.person.email, &new.name, since)
            .await?
            && first.version == 1
            && (&first.description, &first.category, &first.tags)
                == (&new.description, &new.category, &new.tags)
        {
            return Ok(first);
        }
        let mut template = WorkflowTemplate {
            id: WorkflowId::random(),
            name: new.name,
            description: new.description,
            category: new.category,
            tags: new.tags,
            status: WorkflowStatus::Draft,
            definition: None,
            change_summary: None,
            created_by: actor.person.clone(),
            created_at: now,
            updated_at: now,
            published_version: None,
            version: 1,
        };
        for _ in 0..DRAWS {
            match self.repo.insert(&template).await {
                Ok(()) => return Ok(template),
                Err(error) if classify(&error) == WriteFault::DuplicateKey => {
                    template.id = WorkflowId::random();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(ServiceError::defect("no free workflow id was drawn"))
    }

    /// Saves a draft. It is saved although it may not be publishable; a draft that is too large, or cannot be read at
    /// all, is refused and the one before is kept.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, the draft cannot be read, another version was expected, or
    /// the database is unavailable.
    pub async fn save_draft(
        &self,
        actor: &Actor,
        id: &str,
        definition: &Map<String, Value>,
        change_summary: Option<String>,
        expected: Option<ExpectedVersion>,
    ) -> Result<DraftSaved, ServiceError> {
        require_designer(actor)?;
        let workflow = self.find(id).await?;
        let definition = readable(definition)?;
        let report = self.check(&workflow.id, &definition).await?;
        let template = self
            .change(id, expected, |template, now| {
                template.definition = Some(definition.clone());
                template.change_summary.clone_from(&change_summary);
                template.updated_at = now;
            })
            .await?;
        Ok(DraftSaved { template, report })
    }

    /// Checks the stored draft.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, or the database is unavailable.
    pub async fn validate(&self, actor: &Actor, id: &str) -> Result<Report, ServiceError> {
        require_designer(actor)?;
        let template = self.find(id).await?;
        let Some(definition) = &template.definition else {
            return Ok(no_definition());
        };
        self.check(&template.id, definition).await
    }

    /// Changes the words of a workflow; published versions keep theirs.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, another version was expected, or the database is
    /// unavailable.
    pub async fn rename(
        &self,
        actor: &Actor,
        id: &str,
        words: Words,
        expected: Option<ExpectedVersion>,
    ) -> Result<WorkflowTemplate, ServiceError> {
        require_designer(actor)?;
        let cleared = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        self.change(id, expected, |template, now| {
            if let Some(name) = &words.name {
                template.name.clone_from(name);
            }
            if let Some(description) = &words.description {
                template.description = cleared(description);
            }
            if let Some(category) = &words.category {
                template.category = cleared(category);
            }
            if let Some(tags) = &words.tags {
                template.tags.clone_from(tags);
            }
            template.updated_at = now;
        })
        .await
    }

    /// Removes a workflow that was never published, archives any other one.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, or the database is unavailable.
    pub async fn delete(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        require_designer(actor)?;
        let template = self.find(id).await?;
        let never_published = template.published_version.is_none();
        if never_published
            && self
                .repo
                .remove_unpublished(&template.id, template.version)
                .await?
        {
            return Ok(());
        }
        self.set_status(id, WorkflowStatus::Archived).await.map(|_| ())
    }

    /// Hides a workflow from the catalog; running tickets go on.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, or the database is unavailable.
    pub async fn archive(&self, actor: &Actor, id: &str) -> Result<WorkflowTemplate, ServiceError> {
        require_designer(actor)?;
        self.set_status(id, WorkflowStatus::Archived).await
    }

    /// Shows an archived workflow again.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, it is not archived, or the database is unavailable.
    pub async fn unarchive(&self, actor: &Actor, id: &str) -> Result<WorkflowTemplate, ServiceError> {
        require_designer(actor)?;
        let template = self.find(id).await?;
        let status = match template.published_version {
            Some(_) => WorkflowStatus::Published,
            None => WorkflowStatus::Draft,
        };
        if template.status == status {
            return Ok(template);
        }
        self.set_status(id, status).await
    }

    async fn set_status(&self, id: &str, status: WorkflowStatus) -> Result<WorkflowTemplate, ServiceError> {
        self.change(id, None, |template, now| {
            template.status = status;
            template.updated_at = now;
        })
        .await
    }

    /// Applies a change by compare-and-set, again on what others have changed meanwhile unless a version was expected.
    async fn change(
        &self,
        id: &str,
        expected: Option<ExpectedVersion>,
        apply: impl Fn(&mut WorkflowTemplate, Timestamp),
    ) -> Result<WorkflowTemplate, ServiceError> {
        for attempt in 1..=ATTEMPTS {
            let mut template = self.find(id).await?;
            check_expected(expected, template.version)?;
            let before = template.version;
            apply(&mut template, self.clock.now());
            template.version += 1;
            if self.repo.replace(&template, before).await? {
                return Ok(template);
            }
            contention::pause(attempt).await;
        }
        Err(ServiceError::conflict(
            ErrorCode::ConcurrencyConflict,
            "others are changing this workflow; try again",
        ))
    }
}

/// Refuses a change that expects another version.
pub(super) fn check_expected(expected: Option<ExpectedVersion>, current: i64) -> Result<(), ServiceError> {
    match expected {
        None => Ok(()),
        Some(ExpectedVersion::IfMatch(version) | ExpectedVersion::Body(version)) if version == current => {
            Ok(())
        }
        Some(ExpectedVersion::IfMatch(_)) => Err(ServiceError::PreconditionFailed {
            current_version: current,
        }),
        Some(ExpectedVersion::Body(version)) => {
            let refusal = crate::domain::refusal::Refusal::ConcurrencyConflict {
                expected: version,
                current,
            };
            Err(refusal.into())
        }
    }
}

/// A draft without anything in it.
pub(super) fn no_definition() -> Report {
    let finding = validate::Finding {
        kind: "NO_DEFINITION",
        message: "the workflow has no draft yet".to_owned(),
        path: None,
        details: Map::new(),
    };
    Report {
        errors: vec![finding],
        warnings: Vec::new(),
    }
}

/// The draft as it is stored. What the studio could not show again is not stored: lists that are none, elements that are
/// no objects, edges and conditions that cannot be read (contract http-workflows 2.4, W6); nor is what is so large that
/// looking at it would take long.
fn readable(definition: &Map<String, Value>) -> Result<Definition, ServiceError> {
    for key in ["steps", "transitions"] {
        let whole = match definition.get(key) {
            None | Some(Value::Null) => true,
            Some(Value::Array(items)) => items.iter().all(Value::is_object),
            Some(_) => false,
        };
        if !whole {
            return Err(unreadable(&[format!("{key} must be a list of objects")]));
        }
    }
    if let Some(finding) = validate::too_large(definition) {
        return Err(unreadable(&[finding.message]));
    }
    let normal = validate::normalise(definition);
    let compiled = validate::schema_findings(&normal);
    let broken: Vec<String> = compiled
        .into_iter()
        .filter(|finding| finding.path.starts_with("transitions"))
        .map(|finding| format!("{}: {}", finding.path, finding.message))
        .collect();
    if broken.is_empty() {
        Ok(normal)
    } else {
        Err(unreadable(&broken))
    }
}

fn unreadable(messages: &[String]) -> ServiceError {
    let errors: Vec<Value> = messages
        .iter()
        .map(|message| json!({"type": "SCHEMA_ERROR", "message": message}))
        .collect();
    let mut details = Map::new();
    details.insert("errors".to_owned(), Value::Array(errors));
    ServiceError::BadRequest {
        code: ErrorCode::WorkflowValidationError,
        message: messages.first().cloned().unwrap_or_default(),
        details,
    }
}
