//! `GET /tickets/export` and `GET /tickets/{ticket_id}/audit/export`: lists as files, with the lists' filters.

use super::wanted::WantedTickets;
use crate::api::envelope::ApiResult;
use crate::api::export::{ExportRow, FormatQuery, file};
use crate::api::extract::{ApiPath, ApiQueries, ApiQuery, Caller};
use crate::api::schema::words;
use crate::api::view::audit_trail::AuditTrailRow;
use crate::api::view::wire_time::{wire_time, wire_time_option};
use crate::app::App;
use crate::domain::ticket::TicketStatus;
use crate::repositories::ticket_export::ExportedTicket;
use axum::extract::State;
use axum::response::Response;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(export_tickets))
        .routes(routes!(export_ticket_audit))
}

/// A ticket as a row of an export.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TicketRow {
    /// The ticket's id.
    ticket_id: String,
    /// What the requester called it.
    title: String,
    /// What the requester wrote about it.
    description: Option<String>,
    /// Where it stands.
    #[schema(schema_with = words::<TicketStatus>)]
    status: TicketStatus,
    /// The workflow.
    workflow_id: String,
    /// The workflow's name in that version.
    workflow_name: String,
    /// The published version's number.
    workflow_version: i32,
    /// Who raised it.
    requester_email: String,
    /// Their name.
    requester_display_name: String,
    /// The requester's manager when it was raised.
    manager_email: Option<String>,
    /// Their name.
    manager_display_name: Option<String>,
    /// The step of the workflow where it is.
    current_step_id: Option<String>,
    /// When it was raised.
    created_at: String,
    /// When it last changed.
    updated_at: String,
    /// When it was over.
    completed_at: Option<String>,
    /// When it is late.
    due_at: Option<String>,
    /// Whether a change request pauses it.
    has_pending_cr: bool,
    /// The number of the form data that counts.
    form_version: i32,
    /// Values of all submitted forms; JSON text in CSV.
    #[schema(value_type = Object)]
    form_values: Map<String, Value>,
}

impl From<ExportedTicket> for TicketRow {
    fn from(exported: ExportedTicket) -> Self {
        let ticket = exported.ticket;
        let manager = ticket.manager;
        Self {
            ticket_id: exported.id.to_string(),
            title: ticket.title,
            description: ticket.description,
            status: ticket.status,
            workflow_id: ticket.workflow.workflow_id.to_string(),
            workflow_name: ticket.workflow.name,
            workflow_version: ticket.workflow.version_number,
            requester_email: ticket.requester.email.to_string(),
            requester_display_name: ticket.requester.display_name,
            manager_email: manager.as_ref().map(|manager| manager.email.to_string()),
            manager_display_name: manager.map(|manager| manager.display_name),
            current_step_id: ticket.current_step_id.map(|id| id.to_string()),
            created_at: wire_time(ticket.created_at),
            updated_at: wire_time(ticket.updated_at),
            completed_at: wire_time_option(ticket.completed_at),
            due_at: wire_time_option(exported.work.figures.due_at),
            has_pending_cr: exported.work.has_pending_cr,
            form_version: ticket.form_version,
            form_values: ticket.form_values.into_map(),
        }
    }
}

impl ExportRow for TicketRow {
    const COLUMNS: &'static [&'static str] = &[
        "ticket_id",
        "title",
        "description",
        "status",
        "workflow_id",
        "workflow_name",
        "workflow_version",
        "requester_email",
        "requester_display_name",
        "manager_email",
        "manager_display_name",
        "current_step_id",
        "created_at",
        "updated_at",
        "completed_at",
        "due_at",
        "has_pending_cr",
        "form_version",
        "form_values",
    ];
}

/// Tickets as a file, the last changed first, at most 100 000; all as they are at one moment.
#[utoipa::path(get, path = "/export", tag = "tickets", operation_id = "export_tickets", params(WantedTickets, FormatQuery),
    responses((status = 200, content((String = "text/csv"), (TicketRow = "application/x-ndjson")))))]
async fn export_tickets(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((wanted, form)): ApiQueries<(WantedTickets, FormatQuery)>,
) -> ApiResult<Response> {
    let filter = wanted.filter(&caller)?;
    let tickets = app.tickets.export(&filter, wanted.text()).await?;
    let rows = tickets.map_ok(TicketRow::from).boxed();
    file(&app, rows, form.format, "tickets").await
}

/// Everything that happened to a ticket as a file, the oldest first.
#[utoipa::path(get, path = "/{ticket_id}/audit/export", tag = "tickets", operation_id = "export_audit_of_ticket",
    params(("ticket_id" = String, Path), FormatQuery),
    responses((status = 200, content((String = "text/csv"), (AuditTrailRow = "application/x-ndjson")))))]
async fn export_ticket_audit(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(form): ApiQuery<FormatQuery>,
) -> ApiResult<Response> {
    let events = app.tickets.audit_trail(&caller, &id).await?;
    let rows = events.map_ok(AuditTrailRow::from).boxed();
    file(&app, rows, form.format, &format!("{id}-audit")).await
}
