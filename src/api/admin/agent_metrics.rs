//! `/admin/agent-metrics` (contract http-admin-notifications 10).

use crate::api::envelope::ApiResult;
use crate::api::extract::Caller;
use crate::api::view::wire_time::wire_time;
use crate::app::App;
use crate::domain::error::ServiceError;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_agent_metrics))
}

/// The service in figures.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AgentMetrics)]
struct AgentMetricsView {
    notifications: MetricsNotifications,
    tickets: MetricsTickets,
    sla: MetricsSla,
    stuck_tickets: MetricsStuckTickets,
    approvals: MetricsDecisions,
    handover_requests: MetricsDecisions,
    bootstrap_tokens: MetricsBootstrapTokens,
    assignments: MetricsAssignments,
    task_steps: MetricsSteps,
    form_steps: MetricsSteps,
    attachments: MetricsAttachments,
    users: MetricsUsers,
    audit: MetricsAudit,
    ai_conversations: MetricsConversations,
    info_requests: MetricsQuestions,
    workflows: MetricsWorkflows,
    /// When the figures were taken.
    #[serde(default)]
    generated_at: String,
}

/// The service in figures: a few seconds old, more when they are many.
#[utoipa::path(get, path = "/agent-metrics", tag = "admin", operation_id = "get_agent_metrics",
    responses((status = 200, body = AgentMetricsView)))]
async fn get_agent_metrics(State(app): State<App>, caller: Caller) -> ApiResult<Json<AgentMetricsView>> {
    let figures = app.admin.agent_metrics.show(&caller).await?;
    let mut view: AgentMetricsView = serde_json::from_value(figures.values.to_value())
        .map_err(|error| ServiceError::Defect(error.into()))?;
    view.generated_at = wire_time(figures.generated_at);
    Ok(Json(view))
}

/// Mails.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsNotifications {
    /// Mails that wait.
    pending: i64,
    /// Mails that were sent.
    sent: i64,
    /// Mails that were given up.
    failed: i64,
    /// Waiting mails that have failed before.
    retry_queue: i64,
    /// Given up in the last hour, counted up to 10 000.
    recent_failures: i64,
    /// How long ago the last one was sent.
    last_success_minutes_ago: Option<i64>,
    /// Whether mail is being sent.
    email_healthy: bool,
}

/// Tickets by status; active ones have not ended.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsTickets {
    /// All tickets.
    total: i64,
    /// Those that are not over.
    active: i64,
    /// Those that were completed.
    completed: i64,
    /// Those that are in progress.
    in_progress: i64,
    /// Those that wait for the requester.
    waiting_for_requester: i64,
    /// Those that were cancelled.
    cancelled: i64,
}

/// Due dates of active tickets; the rate is in per cent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsSla {
    overdue: i64,
    approaching: i64,
    on_track: i64,
    compliance_rate: f64,
}

/// Active tickets that nobody has changed for days.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsStuckTickets {
    idle_3_to_7_days: i64,
    idle_7_to_14_days: i64,
    idle_over_14_days: i64,
    total: i64,
}

/// What was decided, and what waits for a decision.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsDecisions {
    pending: i64,
    approved: i64,
    rejected: i64,
    total: i64,
}

/// Tokens of the first set-up.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsBootstrapTokens {
    total: i64,
    active: i64,
    expired: i64,
}

/// Assignments of agents.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsAssignments {
    total: i64,
    active: i64,
}

/// Steps of one type; pending ones have not ended.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsSteps {
    total: i64,
    pending: i64,
    completed: i64,
}

/// Uploaded files.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsAttachments {
    total: i64,
    today_uploads: i64,
}

/// Active people by what they may do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsUsers {
    /// People with a persona.
    total_access: i64,
    /// Designers.
    designers: i64,
    /// Managers.
    managers: i64,
    /// Agents.
    agents: i64,
    /// Administrators.
    admins: i64,
}

/// Events of tickets.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsAudit {
    today_events: i64,
    total_events: i64,
}

/// Sessions with the assistant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsConversations {
    total_sessions: i64,
    today_sessions: i64,
    total_messages: i64,
}

/// Questions asked on tickets.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsQuestions {
    pending: i64,
    responded: i64,
    total: i64,
}

/// Workflows and their published versions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct MetricsWorkflows {
    /// All workflows.
    total: i64,
    /// Those that may be requested.
    published: i64,
    /// Those that are drafts.
    draft: i64,
    /// Published versions.
    versions: i64,
    /// Steps of all drafts.
    total_steps: i64,
}
