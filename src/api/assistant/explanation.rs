//! One ticket explained (contract http-workflows 8.4).

use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiPath, Caller};
use crate::api::schema::words;
use crate::api::view::wire_time::wire_time;
use crate::app::App;
use crate::domain::ticket::{StepState, TicketStatus};
use crate::domain::workflow::StepType;
use crate::services::assistant::{Confidence, ExplainedStep, Explanation};
use axum::Json;
use axum::extract::State;
use indexmap::IndexMap;
use serde::Serialize;
use utoipa::ToSchema;

/// Who acts where nobody does.
const NOBODY: &str = "Unassigned";

/// Where a ticket stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExplanationView {
    /// The ticket.
    ticket_id: String,
    /// At most 100 characters.
    title: String,
    /// Where it stands.
    #[schema(schema_with = words::<TicketStatus>)]
    status: TicketStatus,
    /// What the ticket's form says of it, `NORMAL` otherwise.
    priority: String,
    /// Who raised it, by name.
    requester: String,
    /// Its workflow.
    workflow_name: String,
    /// When it was raised.
    created_at: String,
    /// In a few sentences.
    summary: String,
    /// What happens now.
    current_state: String,
    /// The step that people are at work on.
    current_step_detail: Option<CurrentStepView>,
    /// What comes next.
    next_steps: Vec<String>,
    /// Every step, in the order of execution.
    workflow_steps: Vec<ExplainedStepView>,
    /// When to expect what.
    timeline_estimate: Option<String>,
    /// Facts by name.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    key_details: IndexMap<String, String>,
    /// Who has to do what.
    pending_actions: Vec<String>,
    /// `high`, `medium` or `low`.
    ai_confidence: &'static str,
    /// Whether the language model chose the words.
    ai_powered: bool,
    /// When this was written.
    generated_at: String,
}

/// The step that people are at work on.
#[derive(Debug, Serialize, ToSchema)]
struct CurrentStepView {
    name: String,
    #[serde(rename = "type")]
    #[schema(schema_with = words::<StepType>)]
    kind: StepType,
    #[schema(schema_with = words::<StepState>)]
    state: StepState,
    /// `Unassigned` when it is nobody's.
    assignee: String,
    /// Empty when it is nobody's.
    assignee_email: String,
}

/// A step.
#[derive(Debug, Serialize, ToSchema)]
struct ExplainedStepView {
    /// From 1.
    order: usize,
    /// The step's name.
    name: String,
    /// What kind of step it is.
    #[schema(schema_with = words::<StepType>)]
    step_type: StepType,
    /// Where it stands.
    #[schema(schema_with = words::<StepState>)]
    state: StepState,
    /// Who is to act, by name.
    assignee: Option<String>,
    /// Their address.
    assignee_email: Option<String>,
    /// Whether somebody is at work on it.
    is_current: bool,
    /// A remark on it.
    ai_insight: Option<&'static str>,
    /// The branch it belongs to.
    branch_name: Option<String>,
    /// The embedded workflow it comes from.
    from_sub_workflow: Option<String>,
}

impl From<ExplainedStep> for CurrentStepView {
    fn from(step: ExplainedStep) -> Self {
        Self {
            name: step.name,
            kind: step.kind,
            state: step.state,
            assignee: step.assignee.unwrap_or_else(|| NOBODY.to_owned()),
            assignee_email: step.assignee_email.unwrap_or_default(),
        }
    }
}

impl From<ExplainedStep> for ExplainedStepView {
    fn from(step: ExplainedStep) -> Self {
        Self {
            order: step.order,
            name: step.name,
            step_type: step.kind,
            state: step.state,
            assignee: step.assignee,
            assignee_email: step.assignee_email,
            is_current: step.is_current,
            ai_insight: Some(step.insight),
            branch_name: step.branch_name,
            from_sub_workflow: step.from_sub_workflow,
        }
    }
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        Self {
            ticket_id: explanation.ticket_id.to_string(),
            title: explanation.title,
            status: explanation.status,
            priority: explanation.priority,
            requester: explanation.requester,
            workflow_name: explanation.workflow_name,
            created_at: wire_time(explanation.created_at),
            summary: explanation.summary,
            current_state: explanation.current_state,
            current_step_detail: explanation.current_step.map(Into::into),
            next_steps: explanation.next_steps,
            workflow_steps: explanation.steps.into_iter().map(Into::into).collect(),
            timeline_estimate: explanation.timeline_estimate,
            key_details: explanation.key_details.into_iter().collect(),
            pending_actions: explanation.pending_actions,
            ai_confidence: match explanation.confidence {
                Confidence::High => "high",
                Confidence::Medium => "medium",
                Confidence::Low => "low",
            },
            ai_powered: explanation.is_by_model,
            generated_at: wire_time(explanation.generated_at),
        }
    }
}

/// Where a ticket stands, for whoever may see it.
#[utoipa::path(get, path = "/explain-ticket/{ticket_id}", tag = "assistant", operation_id = "explain_ticket",
    params(("ticket_id" = String, Path)), responses((status = 200, body = ExplanationView)))]
pub(super) async fn explain_ticket(
    State(app): State<App>,
    caller: Caller,
    ApiPath(ticket_id): ApiPath<String>,
) -> ApiResult<Json<ExplanationView>> {
    Ok(Json(app.assistant.explain(&caller, &ticket_id).await?.into()))
}
