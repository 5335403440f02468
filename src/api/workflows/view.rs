//! What the workflow routes answer.

use crate::api::schema::words;
use crate::api::view::person::UserSnapshot;
pub(super) use crate::api::view::validation::ValidationView;
use crate::api::view::wire_time::wire_time;
use crate::domain::workflow::{Definition, WorkflowTemplate, WorkflowVersion};
use crate::repositories::workflow_repo::Page;
use crate::services::workflows::{DraftSaved, Embeddable, FormChain};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The id of a new workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Created {
    /// The id.
    #[schema(example = "WF-1a2b3c4d5e6f")]
    pub(super) workflow_id: String,
}

/// A published version's id and number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Published {
    /// The version's id.
    #[schema(example = "WFV-1a2b3c4d5e6f")]
    pub(super) workflow_version_id: String,
    /// The version's number.
    pub(super) version: i32,
}

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateView {
    /// The workflow's id.
    workflow_id: String,
    /// Its name.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Where it is listed.
    category: Option<String>,
    /// Words it is found by.
    tags: Vec<String>,
    /// Where it stands.
    #[schema(schema_with = words::<crate::domain::workflow::WorkflowStatus>)]
    status: crate::domain::workflow::WorkflowStatus,
    /// The draft; on pages of one workflow.
    #[schema(value_type = Option<Object>)]
    definition: Option<Value>,
    created_by: UserSnapshot,
    /// When it came to be.
    created_at: String,
    /// When it last changed.
    updated_at: String,
    /// The number of the version that new tickets follow.
    published_version: Option<i32>,
    /// The same number, under another name.
    current_version: Option<i32>,
    /// How often the draft has changed, as a number that grows.
    version: i64,
}

impl From<WorkflowTemplate> for TemplateView {
    fn from(template: WorkflowTemplate) -> Self {
        Self {
            workflow_id: template.id.to_string(),
            name: template.name,
            description: template.description,
            category: template.category,
            tags: template.tags,
            status: template.status,
            definition: template.definition.map(shown),
            created_by: (&template.created_by).into(),
            created_at: wire_time(template.created_at),
            updated_at: wire_time(template.updated_at),
            published_version: template.published_version,
            current_version: template.published_version,
            version: template.version,
        }
    }
}

fn shown(definition: Definition) -> Value {
    Value::Object(definition.0.into_map())
}

/// A page of workflows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplatePage {
    /// The page.
    items: Vec<TemplateView>,
    /// Which page, from 1.
    page: u64,
    /// How many a page holds at most.
    page_size: i64,
    /// How many there are in all; counting over everybody stops at 10 000.
    total: u64,
}

impl TemplatePage {
    pub(super) fn of(found: Page<WorkflowTemplate>, page: u64, page_size: i64) -> Self {
        Self {
            items: found.items.into_iter().map(Into::into).collect(),
            page,
            page_size,
            total: found.total,
        }
    }

    /// The same without definitions: drafts are not for everybody.
    pub(super) fn without_drafts(mut found: Page<WorkflowTemplate>, page: u64, page_size: i64) -> Self {
        for template in &mut found.items {
            template.definition = None;
        }
        Self::of(found, page, page_size)
    }
}

/// A saved draft.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DraftSavedView {
    workflow_id: String,
    validation: ValidationView,
    draft_updated_at: String,
}

impl From<DraftSaved> for DraftSavedView {
    fn from(saved: DraftSaved) -> Self {
        Self {
            workflow_id: saved.template.id.to_string(),
            validation: saved.report.into(),
            draft_updated_at: wire_time(saved.template.updated_at),
        }
    }
}

/// A published version; the last five keys are kept for older clients.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionView {
    /// The version's id.
    workflow_version_id: String,
    version_id: Option<String>,
    /// The workflow.
    workflow_id: String,
    /// Its number, from 1.
    version_number: i32,
    /// The workflow's name in it.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Where it is listed.
    category: Option<String>,
    /// Words it is found by.
    tags: Vec<String>,
    /// Steps, transitions and forms as they were published.
    #[schema(value_type = Object)]
    definition: Value,
    published_by: UserSnapshot,
    /// When it was published.
    published_at: String,
    created_by: Option<UserSnapshot>,
    /// Absent: a version comes to be when it is published.
    created_at: Option<String>,
    /// What changed, in a line.
    change_summary: Option<String>,
    /// What changed, at length.
    change_notes: Option<String>,
    status: Option<String>,
}

impl From<WorkflowVersion> for VersionView {
    fn from(version: WorkflowVersion) -> Self {
        Self {
            workflow_version_id: version.id.to_string(),
            version_id: None,
            workflow_id: version.workflow_id.to_string(),
            version_number: version.version_number,
            name: version.name,
            description: version.description,
            category: version.category,
            tags: version.tags,
            definition: shown(version.definition),
            published_by: (&version.published_by).into(),
            published_at: wire_time(version.published_at),
            created_by: None,
            created_at: None,
            change_summary: version.change_summary,
            change_notes: None,
            status: None,
        }
    }
}

/// A page of versions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionPage {
    /// The page.
    items: Vec<VersionView>,
    /// Which page, from 1.
    page: u64,
    /// How many a page holds at most.
    page_size: i64,
}

impl VersionPage {
    pub(super) fn of(versions: Vec<WorkflowVersion>, page: u64, page_size: i64) -> Self {
        Self {
            items: versions.into_iter().map(Into::into).collect(),
            page,
            page_size,
        }
    }
}

/// A workflow that may be embedded.
#[derive(Debug, Serialize, ToSchema)]
struct EmbeddingView {
    /// The workflow's id.
    workflow_id: String,
    /// Its name.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Where it is listed.
    category: Option<String>,
    /// Words it is found by.
    tags: Vec<String>,
    /// The number of the current version.
    current_version: i32,
    /// How many steps that version has.
    step_count: u64,
    /// How many of each kind.
    step_counts: BTreeMap<&'static str, u64>,
    /// When the current version was published.
    published_at: String,
    /// Who published it.
    published_by: String,
}

/// Workflows that may be embedded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Embeddings {
    items: Vec<EmbeddingView>,
    total: usize,
}

impl From<Vec<Embeddable>> for Embeddings {
    fn from(found: Vec<Embeddable>) -> Self {
        let items: Vec<EmbeddingView> = found
            .into_iter()
            .map(|one| EmbeddingView {
                workflow_id: one.template.id.to_string(),
                name: one.version.name,
                description: one.version.description,
                category: one.version.category,
                tags: one.version.tags,
                current_version: one.version.version_number,
                step_count: one.step_counts.values().sum(),
                step_counts: one.step_counts,
                published_at: wire_time(one.version.published_at),
                published_by: one.version.published_by.display_name,
            })
            .collect();
        Self {
            total: items.len(),
            items,
        }
    }
}

/// The forms that raise a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InitialForms {
    /// The forms as published.
    #[schema(value_type = Vec<Object>)]
    initial_forms: Vec<Map<String, Value>>,
    /// The first step behind them, when it is known before they are submitted.
    first_non_form_step_id: Option<String>,
    /// How many forms.
    total_form_count: usize,
}

impl From<FormChain> for InitialForms {
    fn from(chain: FormChain) -> Self {
        Self {
            total_form_count: chain.forms.len(),
            initial_forms: chain.forms,
            first_non_form_step_id: chain.next.map(|key| key.0),
        }
    }
}

/// The forms from a step on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConsecutiveForms {
    /// The forms as published.
    #[schema(value_type = Vec<Object>)]
    consecutive_forms: Vec<Map<String, Value>>,
    /// The first step behind them, when it is known before they are submitted.
    next_non_form_step_id: Option<String>,
    /// How many forms.
    total_form_count: usize,
}

impl From<FormChain> for ConsecutiveForms {
    fn from(chain: FormChain) -> Self {
        Self {
            total_form_count: chain.forms.len(),
            consecutive_forms: chain.forms,
            next_non_form_step_id: chain.next.map(|key| key.0),
        }
    }
}
