//! `/tickets`: raising, reading and acting on tickets (contract http-tickets).

mod action;
mod agent;
mod dashboard_view;
mod export;
mod list;
mod manager;
mod personal;
mod request;
mod step_actions;
mod ticket_actions;
mod view;
mod wanted;

use super::envelope::ApiResult;
use super::extract::{ApiJson, ApiPath, Caller};
use super::layer::{RenderedJson, Versioned};
use crate::app::App;
use crate::domain::person::Actor;
use crate::services::tickets::TicketDetail;
pub(crate) use action::CommandContext;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use request::CreateTicket;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use view::{TicketCreated, TicketDetailView};

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list_tickets, create_ticket))
        .merge(export::router())
        .merge(manager::router())
        .merge(agent::router())
        .merge(personal::router())
        .routes(routes!(get_ticket))
        .merge(ticket_actions::router())
        .merge(step_actions::router())
}

/// Raises a ticket from the catalog.
#[utoipa::path(post, path = "", tag = "tickets", operation_id = "create_ticket", request_body = CreateTicket,
    responses((status = 201, body = TicketCreated)))]
async fn create_ticket(
    State(app): State<App>,
    context: CommandContext,
    ApiJson(body): ApiJson<CreateTicket>,
) -> ApiResult<(StatusCode, Json<TicketCreated>)> {
    let fingerprint = context.fingerprint(&body);
    let idempotency = context.idempotency(&fingerprint);
    let new = body.into_new(fingerprint)?;
    let executed = app
        .tickets
        .raise(context.actor, new, context.correlation_id, idempotency)
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(TicketCreated {
            ticket_id: executed.ticket.id.to_string(),
        }),
    ))
}

/// A ticket with its steps, questions, newest audit events and what the caller can do.
#[utoipa::path(get, path = "/{ticket_id}", tag = "tickets", operation_id = "get_ticket",
    params(("ticket_id" = String, Path)), responses((status = 200, body = TicketDetailView)))]
async fn get_ticket(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Versioned<RenderedJson>> {
    let render =
        |detail: &TicketDetail, actor: &Actor| serde_json::to_vec(&TicketDetailView::of(detail, actor));
    let page = app.tickets.page(&caller, &id, render).await?;
    Ok(Versioned {
        version: page.version,
        body: RenderedJson(page.json.clone()),
    })
}
