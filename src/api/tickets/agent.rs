//! `/tickets/agent` (contract http-tickets 11).

use super::dashboard_view::AgentDashboardView;
use super::manager::paged;
use super::view::{AgentTaskView, HandoverItemView, Paged, QuestionView, StepItemView, Unpaged};
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiQueries, ApiQuery, Caller, PageQuery};
use crate::app::App;
use crate::domain::ticket::TargetRole;
use crate::services::tickets::HistoryWindow;
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_tasks))
        .routes(routes!(list_agent_questions))
        .routes(routes!(list_own_handovers))
        .routes(routes!(list_completed_tasks))
        .routes(routes!(get_agent_dashboard))
}

/// The caller's tasks, those due first at first.
#[utoipa::path(get, path = "/agent/tasks", tag = "agent", operation_id = "list_tasks", params(PageQuery),
    responses((status = 200, body = Paged<AgentTaskView>)))]
async fn list_tasks(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> ApiResult<Json<Paged<AgentTaskView>>> {
    let found = app.tickets.tasks(&caller, query.page, query.size()).await?;
    Ok(Json(paged(
        &found,
        query.page,
        query.page_size,
        AgentTaskView::of,
    )))
}

/// Open questions to the caller as an agent, newest first.
#[utoipa::path(get, path = "/agent/info-requests", tag = "agent", operation_id = "list_agent_questions",
    responses((status = 200, body = Vec<QuestionView>)))]
async fn list_agent_questions(State(app): State<App>, caller: Caller) -> ApiResult<Json<Vec<QuestionView>>> {
    let found = app.tickets.questions(&caller, &[TargetRole::TaskStep]).await?;
    Ok(Json(found.iter().map(Into::into).collect()))
}

/// The caller's handovers that are not decided, newest first.
#[utoipa::path(get, path = "/agent/pending-handovers", tag = "agent", operation_id = "list_own_handovers",
    responses((status = 200, body = Unpaged<HandoverItemView>)))]
async fn list_own_handovers(
    State(app): State<App>,
    caller: Caller,
) -> ApiResult<Json<Unpaged<HandoverItemView>>> {
    let found = app.tickets.own_handovers(&caller).await?;
    Ok(Json(Unpaged {
        items: found.iter().map(Into::into).collect(),
    }))
}

/// How far back the history goes.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// `today`, `week` or `month`; anything else means everything.
    #[garde(length(chars, max = 50))]
    #[param(max_length = 50)]
    date_filter: Option<String>,
}

/// Tasks that the caller has completed, newest first.
#[utoipa::path(get, path = "/agent/history", tag = "agent", operation_id = "list_completed_tasks",
    params(HistoryQuery, PageQuery), responses((status = 200, body = Paged<StepItemView>)))]
async fn list_completed_tasks(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((query, page)): ApiQueries<(HistoryQuery, PageQuery)>,
) -> ApiResult<Json<Paged<StepItemView>>> {
    let window = match query.date_filter.as_deref() {
        Some("today") => HistoryWindow::Today,
        Some("week") => HistoryWindow::Week,
        Some("month") => HistoryWindow::Month,
        Some(_) | None => HistoryWindow::Ever,
    };
    let found = app
        .tickets
        .completed_tasks(&caller, window, page.page, page.size())
        .await?;
    Ok(Json(paged(&found, page.page, page.page_size, |item| {
        Some(item.into())
    })))
}

/// The agent's dashboard.
#[utoipa::path(get, path = "/agent/dashboard", tag = "agent", operation_id = "get_agent_dashboard",
    responses((status = 200, body = AgentDashboardView)))]
async fn get_agent_dashboard(State(app): State<App>, caller: Caller) -> ApiResult<Json<AgentDashboardView>> {
    let dashboard = app.tickets.agent_dashboard(&caller).await?;
    Ok(Json((&dashboard).into()))
}
