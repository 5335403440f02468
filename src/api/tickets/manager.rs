//! `/tickets/manager` (contract http-tickets 10).

use super::dashboard_view::ManagerDashboardView;
use super::view::{ApprovalItemView, DecisionView, HandoverItemView, Paged, StepItemView};
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiQueries, ApiQuery, Caller, PageQuery};
use crate::app::App;
use crate::domain::ticket::TicketStatus;
use crate::services::tickets::QueuePage;
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_approvals))
        .routes(routes!(list_assignments))
        .routes(routes!(list_handovers))
        .routes(routes!(get_manager_dashboard))
        .routes(routes!(list_decisions))
}

/// A page of a queue as answered.
pub(super) fn paged<T, V>(
    found: &QueuePage<T>,
    page: u64,
    page_size: i64,
    view: impl Fn(&T) -> Option<V>,
) -> Paged<V> {
    let total = u64::try_from(found.total).unwrap_or(u64::MAX);
    Paged {
        items: found.items.iter().filter_map(view).collect(),
        page,
        page_size,
        total,
    }
}

/// Approvals that wait for the caller, the oldest first.
#[utoipa::path(get, path = "/manager/approvals", tag = "manager", operation_id = "list_approvals", params(PageQuery),
    responses((status = 200, body = Paged<ApprovalItemView>)))]
async fn list_approvals(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> ApiResult<Json<Paged<ApprovalItemView>>> {
    let found = app.tickets.approvals(&caller, query.page, query.size()).await?;
    Ok(Json(paged(&found, query.page, query.page_size, |item| {
        Some(item.into())
    })))
}

/// Unassigned tasks that the caller may assign.
#[utoipa::path(get, path = "/manager/assignments", tag = "manager", operation_id = "list_assignments",
    params(PageQuery), responses((status = 200, body = Paged<StepItemView>)))]
async fn list_assignments(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> ApiResult<Json<Paged<StepItemView>>> {
    let found = app.tickets.assignments(&caller, query.page, query.size()).await?;
    Ok(Json(paged(&found, query.page, query.page_size, |item| {
        Some(item.into())
    })))
}

/// Handovers that the caller may decide.
#[utoipa::path(get, path = "/manager/handovers", tag = "manager", operation_id = "list_handovers",
    params(PageQuery), responses((status = 200, body = Paged<HandoverItemView>)))]
async fn list_handovers(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> ApiResult<Json<Paged<HandoverItemView>>> {
    let found = app
        .tickets
        .handovers_to_decide(&caller, query.page, query.size())
        .await?;
    Ok(Json(paged(&found, query.page, query.page_size, |item| {
        Some(item.into())
    })))
}

/// The manager's dashboard.
#[utoipa::path(get, path = "/manager/dashboard", tag = "manager", operation_id = "get_manager_dashboard",
    responses((status = 200, body = ManagerDashboardView)))]
async fn get_manager_dashboard(
    State(app): State<App>,
    caller: Caller,
) -> ApiResult<Json<ManagerDashboardView>> {
    let dashboard = app.tickets.manager_dashboard(&caller).await?;
    Ok(Json((&dashboard).into()))
}

/// What the history is filtered by.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// A ticket status, or `all`.
    #[garde(length(chars, max = 50))]
    #[param(max_length = 50)]
    status: Option<String>,
    /// Literal text in id, title, requester or workflow name.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    q: Option<String>,
}

/// The caller's decisions, newest first.
#[utoipa::path(get, path = "/manager/history", tag = "manager", operation_id = "list_decisions",
    params(HistoryQuery, PageQuery),
    responses((status = 200, body = Paged<DecisionView>)))]
async fn list_decisions(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((query, page)): ApiQueries<(HistoryQuery, PageQuery)>,
) -> ApiResult<Json<Paged<DecisionView>>> {
    let wanted = query
        .status
        .filter(|status| !status.is_empty() && status != "all");
    // A word that is no status filters everything out, as it always did.
    let status: Option<Result<TicketStatus, _>> =
        wanted.map(|status| serde_json::from_value(Value::String(status)));
    let Ok(status) = status.transpose() else {
        return Ok(Json(Paged {
            items: Vec::new(),
            page: page.page,
            page_size: page.page_size,
            total: 0,
        }));
    };
    let q = query.q.filter(|q| !q.trim().is_empty());
    let found = app
        .tickets
        .decisions(&caller, status, q.as_deref(), page.page, page.size())
        .await?;
    Ok(Json(paged(&found, page.page, page.page_size, |item| {
        Some(item.into())
    })))
}
