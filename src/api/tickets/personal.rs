//! Questions put to the caller outside of tasks (contract http-tickets 10.6, C9: every open question appears somewhere).

use super::view::QuestionView;
use crate::api::envelope::ApiResult;
use crate::api::extract::Caller;
use crate::app::App;
use crate::domain::ticket::TargetRole;
use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_my_info_requests))
}

/// Open questions to the caller as an approver or as somebody from outside, newest first.
#[utoipa::path(get, path = "/my-info-requests", tag = "tickets", operation_id = "list_my_info_requests",
    responses((status = 200, body = Vec<QuestionView>)))]
async fn list_my_info_requests(State(app): State<App>, caller: Caller) -> ApiResult<Json<Vec<QuestionView>>> {
    let roles = [TargetRole::ApprovalStep, TargetRole::Unknown];
    let found = app.tickets.questions(&caller, &roles).await?;
    Ok(Json(found.iter().map(Into::into).collect()))
}
