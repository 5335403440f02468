//! Actions on the ticket as a whole, and who has worked on it.

use super::action::CommandContext;
use super::request::{AddNote, Cancel, attachments};
use super::view::{ActionResponse, PreviousAgentView};
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiJson, ApiPath, Caller};
use crate::app::App;
use crate::engine::Command;
use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(cancel_ticket))
        .routes(routes!(add_requester_note))
        .routes(routes!(list_previous_agents))
}

/// Cancels the ticket.
#[utoipa::path(post, path = "/{ticket_id}/cancel", tag = "tickets", operation_id = "cancel_ticket",
    params(("ticket_id" = String, Path)), request_body = Cancel,
    responses((status = 200, body = ActionResponse)))]
async fn cancel_ticket(
    State(app): State<App>,
    context: CommandContext,
    ApiPath(ticket): ApiPath<String>,
    ApiJson(body): ApiJson<Cancel>,
) -> ApiResult<Json<ActionResponse>> {
    let command = Command::Cancel {
        reason: body.reason.clone(),
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Writes a message on the ticket as its requester.
#[utoipa::path(post, path = "/{ticket_id}/add-requester-note", tag = "tickets", operation_id = "add_requester_note",
    params(("ticket_id" = String, Path)), request_body = AddNote,
    responses((status = 200, body = ActionResponse)))]
async fn add_requester_note(
    State(app): State<App>,
    context: CommandContext,
    ApiPath(ticket): ApiPath<String>,
    ApiJson(body): ApiJson<AddNote>,
) -> ApiResult<Json<ActionResponse>> {
    let attachment_ids = attachments(&body.attachment_ids)?;
    let command = Command::AddRequesterNote {
        content: body.content.clone(),
        attachment_ids,
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Everybody who has worked on the ticket, the latest first.
#[utoipa::path(get, path = "/{ticket_id}/previous-agents", tag = "tickets", operation_id = "list_previous_agents",
    params(("ticket_id" = String, Path)), responses((status = 200, body = Vec<PreviousAgentView>)))]
async fn list_previous_agents(
    State(app): State<App>,
    caller: Caller,
    ApiPath(ticket): ApiPath<String>,
) -> ApiResult<Json<Vec<PreviousAgentView>>> {
    let agents = app.tickets.previous_agents(&caller, &ticket).await?;
    Ok(Json(agents.iter().map(Into::into).collect()))
}
