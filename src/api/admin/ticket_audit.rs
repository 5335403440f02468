//! `/admin/ticket-audit` (contract http-admin-notifications 9).

use crate::api::envelope::ApiResult;
use crate::api::export::{FormatQuery, file};
use crate::api::extract::{ApiQueries, Caller, WindowQuery};
use crate::api::schema::{Words, words};
use crate::api::view::audit_trail::AuditTrailRow;
use crate::api::view::page::SkipPage;
use crate::api::view::person::UserSnapshot;
use crate::api::view::wire_time::{RequestInstant, wire_time};
use crate::app::App;
use crate::domain::audit::AuditEventType;
use crate::repositories::audit_repo::AuditRow;
use crate::services::admin::ticket_audit::TicketAuditQuery;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures::{StreamExt, TryStreamExt};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(search_ticket_audit))
        .routes(routes!(export_ticket_audit))
}

type EventTypes = Words<AuditEventType>;

/// Which events are wanted; a ticket, a correlation id or a range of at most 31 days is needed.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[garde(allow_unvalidated)]
struct Search {
    /// The ticket.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    ticket_id: Option<String>,
    /// The step.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    ticket_step_id: Option<String>,
    /// Any of these events.
    #[serde(default)]
    #[param(value_type = Option<EventTypes>, inline)]
    event_type: Vec<AuditEventType>,
    /// Text within the actor's address.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    actor_email: Option<String>,
    /// The request.
    #[garde(length(chars, max = 128))]
    #[param(max_length = 128)]
    correlation_id: Option<String>,
    /// Not older than this.
    #[param(inline)]
    from_date: Option<RequestInstant>,
    /// Not newer than this; a date means its end.
    #[param(inline)]
    to_date: Option<RequestInstant>,
}

impl From<Search> for TicketAuditQuery {
    fn from(search: Search) -> Self {
        Self {
            ticket_id: search.ticket_id,
            ticket_step_id: search.ticket_step_id,
            event_types: search.event_type,
            actor: search.actor_email.filter(|text| !text.trim().is_empty()),
            correlation_id: search.correlation_id,
            from: search.from_date.map(RequestInstant::from),
            to: search.to_date.map(RequestInstant::until),
        }
    }
}

/// Something that happened to a ticket.
#[derive(Debug, Serialize, ToSchema)]
struct TicketAuditView {
    /// The event's id.
    audit_event_id: String,
    /// The ticket.
    ticket_id: String,
    /// The step it is about.
    ticket_step_id: Option<String>,
    /// What happened.
    #[schema(schema_with = words::<AuditEventType>)]
    event_type: AuditEventType,
    actor: UserSnapshot,
    /// What else is known of it; its fields go with the kind of event.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
    /// When it happened.
    timestamp: String,
    /// The request that caused it.
    correlation_id: String,
}

impl From<AuditRow> for TicketAuditView {
    fn from(row: AuditRow) -> Self {
        Self {
            audit_event_id: row.body.public_id(&row.key).to_string(),
            ticket_id: row.ticket_id.to_string(),
            ticket_step_id: row.body.ticket_step_id.map(|id| id.to_string()),
            event_type: row.body.event_type,
            actor: (&row.body.actor).into(),
            details: row.body.details.into_map(),
            timestamp: wire_time(row.body.at),
            correlation_id: row.correlation_id,
        }
    }
}

/// What happened to tickets, newest first; counting stops at 10 000.
#[utoipa::path(get, path = "/ticket-audit", tag = "admin", operation_id = "search_ticket_audit",
    params(Search, WindowQuery), responses((status = 200, body = SkipPage<TicketAuditView>)))]
async fn search_ticket_audit(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((search, window)): ApiQueries<(Search, WindowQuery)>,
) -> ApiResult<Json<SkipPage<TicketAuditView>>> {
    let (skip, limit) = (window.skipped(), window.limit);
    let (rows, total) = app
        .admin
        .ticket_audit
        .search(&caller, search.into(), skip, limit)
        .await?;
    Ok(Json(SkipPage {
        items: rows.into_iter().map(Into::into).collect(),
        total,
        skip,
        limit,
    }))
}

/// What happened to tickets as a file, newest first, at most 100 000 events; all as they are at one moment.
#[utoipa::path(get, path = "/ticket-audit/export", tag = "admin", operation_id = "export_ticket_audit",
    params(Search, FormatQuery),
    responses((status = 200, content((String = "text/csv"), (AuditTrailRow = "application/x-ndjson")))))]
async fn export_ticket_audit(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((search, form)): ApiQueries<(Search, FormatQuery)>,
) -> ApiResult<Response> {
    let events = app.admin.ticket_audit.export(&caller, search.into()).await?;
    let rows = events.map_ok(AuditTrailRow::from).boxed();
    file(&app, rows, form.format, "ticket-audit").await
}
