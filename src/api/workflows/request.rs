//! What the workflow routes take.

use crate::api::schema::Word;
use crate::domain::workflow::WorkflowStatus;
use crate::services::workflows::{CatalogFilter, NewWorkflow, Words};
use garde::Validate;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// A new workflow.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct CreateWorkflow {
    /// The name.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200, example = "Laptop request")]
    name: String,
    /// What it is for.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Where the catalog lists it.
    #[garde(length(chars, max = 100))]
    #[schema(max_length = 100)]
    category: Option<String>,
    /// Words to find it by.
    #[garde(length(max = 20), inner(length(chars, max = 50)))]
    #[serde(default)]
    #[schema(max_items = 20)]
    tags: Vec<String>,
}

impl From<CreateWorkflow> for NewWorkflow {
    fn from(body: CreateWorkflow) -> Self {
        Self {
            name: body.name,
            description: body.description,
            category: body.category,
            tags: body.tags,
        }
    }
}

type StatusWord = Word<WorkflowStatus>;

/// What the studio's list is filtered by.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WorkflowQuery {
    /// Only workflows with this status.
    #[garde(skip)]
    #[param(value_type = Option<StatusWord>, inline)]
    pub(super) status: Option<WorkflowStatus>,
}

/// What the catalog is filtered by.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CatalogQuery {
    /// Exactly this category.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    category: Option<String>,
    /// Tags, separated by commas; all of them must be there.
    #[garde(length(chars, max = 1100))]
    #[param(max_length = 1100)]
    tags: Option<String>,
    /// Text in name or description.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    q: Option<String>,
}

impl From<CatalogQuery> for CatalogFilter {
    fn from(query: CatalogQuery) -> Self {
        let tags = query.tags.unwrap_or_default();
        let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        Self {
            category: query.category,
            tags: tags.map(str::to_owned).collect(),
            q: query.q,
        }
    }
}

/// Which workflow is left out.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EmbeddingQuery {
    /// Usually the workflow that is being edited.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    pub(super) exclude_workflow_id: Option<String>,
}

/// A draft to save.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct SaveDraft {
    /// `steps`, `transitions` and `start_step_id`.
    #[garde(skip)]
    #[schema(value_type = Object)]
    pub(super) definition: Map<String, Value>,
    /// What has changed; shown with the next version.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    pub(super) change_summary: Option<String>,
    /// The version that this draft is based on; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

/// What the caller expects to change.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct Expectation {
    /// The version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

/// New words for a workflow; absent ones stay.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct RenameWorkflow {
    /// The name.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it is for; empty clears it.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Where the catalog lists it; empty clears it.
    #[garde(length(chars, max = 100))]
    #[schema(max_length = 100)]
    category: Option<String>,
    /// Words to find it by.
    #[garde(length(max = 20), inner(inner(length(chars, max = 50))))]
    #[schema(max_items = 20)]
    tags: Option<Vec<String>>,
    /// The version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

impl From<RenameWorkflow> for Words {
    fn from(body: RenameWorkflow) -> Self {
        Self {
            name: body.name,
            description: body.description,
            category: body.category,
            tags: body.tags,
        }
    }
}
