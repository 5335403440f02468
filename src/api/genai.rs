//! `/genai`: drafts of workflows from descriptions (contract http-workflows 7). Nothing is stored by these calls.

use super::envelope::ApiResult;
use super::extract::{ApiJson, Caller};
use super::view::validation::ValidationView;
use crate::app::App;
use crate::services::drafting::hints::{self, DescriptionAdvice, StepSuggestion};
use crate::services::drafting::{Draft, DraftWish, MadeBy};
use crate::services::workflows::require_designer;
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(draft_workflow))
        .routes(routes!(generate_workflow))
        .routes(routes!(refine_workflow))
        .routes(routes!(suggest_steps))
        .routes(routes!(validate_description))
}

/// What a draft is made of.
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct DraftRequest {
    /// What the workflow is for.
    #[garde(length(chars, min = 10, max = 5000))]
    #[schema(
        min_length = 10,
        max_length = 5000,
        example = "Employees ask for a laptop, their manager approves, IT delivers it."
    )]
    prompt_text: String,
    /// Further wishes; at most 16 KiB.
    #[garde(skip)]
    #[schema(value_type = Option<Object>)]
    constraints: Option<Map<String, Value>>,
    /// Descriptions with their definitions; the first two are used.
    #[garde(length(max = 20), dive)]
    #[serde(default)]
    #[schema(max_items = 20)]
    examples: Option<Vec<DraftExample>>,
}

/// A description and the definition it stands for.
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct DraftExample {
    /// The description.
    #[garde(length(chars, max = 5000))]
    #[schema(max_length = 5000)]
    description: String,
    /// `steps`, `transitions` and `start_step_id`; at most 128 KiB.
    #[garde(skip)]
    #[schema(value_type = Object)]
    definition: Map<String, Value>,
}

impl From<DraftRequest> for DraftWish {
    fn from(body: DraftRequest) -> Self {
        let examples = body.examples.unwrap_or_default().into_iter();
        Self {
            description: body.prompt_text,
            constraints: body.constraints,
            examples: examples
                .map(|example| (example.description, example.definition))
                .collect(),
        }
    }
}

/// A change of a definition.
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct RefineRequest {
    /// `steps`, `transitions` and `start_step_id`; at most 128 KiB.
    #[garde(skip)]
    #[schema(value_type = Object)]
    current_definition: Map<String, Value>,
    /// What to change.
    #[garde(length(chars, min = 5, max = 2000))]
    #[schema(
        min_length = 5,
        max_length = 2000,
        example = "Add an approval by bob@example.com before the delivery."
    )]
    refinement_prompt: String,
}

/// Which steps there are.
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct SuggestRequest {
    /// Not used.
    #[garde(skip)]
    #[schema(value_type = Option<Value>)]
    #[expect(dead_code, reason = "clients send it, and the contract reads nothing of it")]
    context: Option<Value>,
    /// The steps so far.
    #[garde(length(max = 1000))]
    #[schema(value_type = Option<Vec<Value>>, max_items = 1000)]
    current_steps: Option<Vec<Value>>,
}

/// A description to look at.
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct DescriptionRequest {
    /// The description; absent means empty.
    #[garde(length(max = 100_000))]
    #[schema(max_length = 100_000)]
    description: Option<String>,
}

/// A draft.
#[derive(Debug, Serialize, ToSchema)]
struct DraftView {
    /// `steps`, `transitions` and `start_step_id`.
    #[schema(value_type = Object)]
    draft_definition: Value,
    /// What the rules of publishing say of it.
    validation: ValidationView,
    /// How it was made.
    ai_metadata: DraftMetadata,
    /// Whether the model made it; false for a plain draft or an unchanged definition.
    ai_powered: bool,
    /// What was decided where the description is silent.
    assumptions: Vec<String>,
    /// What was corrected in the model's answer.
    repairs: Vec<String>,
}

/// How a draft was made; keys that do not apply are absent.
#[derive(Debug, Default, Serialize, ToSchema)]
struct DraftMetadata {
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Tokens of all requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<u64>,
    /// Tokens of all answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens: Option<u64>,
    /// How often the model was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<usize>,
    /// True when a definition was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    refinement: Option<bool>,
    /// Why the model did not make it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl DraftView {
    fn of(draft: Draft, refinement: Option<bool>) -> Self {
        let ai_powered = matches!(draft.made_by, MadeBy::Model { .. });
        let ai_metadata = match draft.made_by {
            MadeBy::Model {
                name,
                usage,
                attempts,
            } => DraftMetadata {
                model: Some(name),
                prompt_tokens: Some(usage.prompt),
                completion_tokens: Some(usage.completion),
                attempts: Some(attempts),
                refinement,
                note: None,
            },
            MadeBy::Template { note } => DraftMetadata {
                refinement,
                note: Some(note.to_owned()),
                ..DraftMetadata::default()
            },
        };
        Self {
            draft_definition: Value::Object(draft.definition.0.into_map()),
            validation: draft.report.into(),
            ai_metadata,
            ai_powered,
            assumptions: draft.assumptions,
            repairs: draft.repairs,
        }
    }
}

/// Steps that could be added.
#[derive(Debug, Serialize, ToSchema)]
struct SuggestionsView {
    suggestions: Vec<SuggestionView>,
}

/// A step that could be added.
#[derive(Debug, Serialize, ToSchema)]
struct SuggestionView {
    /// The step's type.
    #[serde(rename = "type")]
    #[schema(example = "APPROVAL_STEP")]
    step_type: &'static str,
    /// A name.
    name: &'static str,
    /// What it is for.
    description: &'static str,
}

impl From<StepSuggestion> for SuggestionView {
    fn from(suggestion: StepSuggestion) -> Self {
        Self {
            step_type: suggestion.step_type,
            name: suggestion.name,
            description: suggestion.description,
        }
    }
}

/// What a description lacks.
#[derive(Debug, Serialize, ToSchema)]
struct AdviceView {
    /// Whether a draft can be made of it.
    is_valid: bool,
    /// The result in a sentence.
    message: &'static str,
    /// What would make it better.
    suggestions: Vec<&'static str>,
}

impl From<DescriptionAdvice> for AdviceView {
    fn from(advice: DescriptionAdvice) -> Self {
        Self {
            is_valid: advice.is_valid,
            message: advice.message,
            suggestions: advice.suggestions,
        }
    }
}

/// Drafts a workflow from a description. What is shown passes the rules of publishing and was played to its end.
#[utoipa::path(post, path = "/workflow-draft", tag = "genai", operation_id = "draft_workflow", request_body = DraftRequest,
    responses((status = 200, body = DraftView),
        (status = 429, description = "The person's share of the language model is used up", body = crate::api::envelope::ErrorBody),
        (status = 503, description = "The language model is busy", body = crate::api::envelope::ErrorBody)))]
async fn draft_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiJson(body): ApiJson<DraftRequest>,
) -> ApiResult<Json<DraftView>> {
    let draft = app.drafting.draft(&caller, &body.into()).await?;
    Ok(Json(DraftView::of(draft, None)))
}

/// The same as `POST /genai/workflow-draft`.
#[utoipa::path(post, path = "/generate-workflow", tag = "genai", operation_id = "generate_workflow", request_body = DraftRequest,
    responses((status = 200, body = DraftView),
        (status = 429, description = "The person's share of the language model is used up", body = crate::api::envelope::ErrorBody),
        (status = 503, description = "The language model is busy", body = crate::api::envelope::ErrorBody)))]
async fn generate_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiJson(body): ApiJson<DraftRequest>,
) -> ApiResult<Json<DraftView>> {
    let draft = app.drafting.draft(&caller, &body.into()).await?;
    Ok(Json(DraftView::of(draft, None)))
}

/// Changes a definition as asked and leaves everything else of it as it was.
#[utoipa::path(post, path = "/workflow-draft/refine", tag = "genai", operation_id = "refine_workflow_draft",
    request_body = RefineRequest,
    responses((status = 200, body = DraftView),
        (status = 429, description = "The person's share of the language model is used up", body = crate::api::envelope::ErrorBody),
        (status = 502, description = "The language model failed", body = crate::api::envelope::ErrorBody),
        (status = 503, description = "The language model is busy", body = crate::api::envelope::ErrorBody)))]
async fn refine_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiJson(body): ApiJson<RefineRequest>,
) -> ApiResult<Json<DraftView>> {
    let refining = app
        .drafting
        .refine(&caller, &body.current_definition, &body.refinement_prompt);
    Ok(Json(DraftView::of(refining.await?, Some(true))))
}

/// Types of steps that a workflow does not use yet.
#[utoipa::path(post, path = "/suggest-steps", tag = "genai", operation_id = "suggest_steps", request_body = SuggestRequest,
    responses((status = 200, body = SuggestionsView)))]
async fn suggest_steps(
    caller: Caller,
    ApiJson(body): ApiJson<SuggestRequest>,
) -> ApiResult<Json<SuggestionsView>> {
    require_designer(&caller)?;
    let suggestions = hints::suggest_steps(&body.current_steps.unwrap_or_default());
    Ok(Json(SuggestionsView {
        suggestions: suggestions.into_iter().map(Into::into).collect(),
    }))
}

/// Whether a description is long enough, and what it could say in addition.
#[utoipa::path(post, path = "/validate-description", tag = "genai", operation_id = "validate_description",
    request_body = DescriptionRequest, responses((status = 200, body = AdviceView)))]
async fn validate_description(
    caller: Caller,
    ApiJson(body): ApiJson<DescriptionRequest>,
) -> ApiResult<Json<AdviceView>> {
    require_designer(&caller)?;
    Ok(Json(hints::advise(&body.description.unwrap_or_default()).into()))
}
