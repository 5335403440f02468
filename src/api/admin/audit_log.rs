//! The administrators' audit log (contract http-admin-notifications 8).

use super::changed_by;
use crate::api::envelope::ApiResult;
use crate::api::export::{ExportRow, FormatQuery, file};
use crate::api::extract::{ApiQueries, Caller, ClientAddress, WindowQuery};
use crate::api::view::page::SkipPage;
use crate::api::view::wire_time::{RequestInstant, wire_time};
use crate::app::App;
use crate::repositories::admin_audit_repo::AdminAuditEvent;
use crate::repositories::admin_audit_search::AdminAuditFilter;
use crate::services::access::{AuditQuery, require_admin};
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
        .routes(routes!(list_audit_log))
        .routes(routes!(export_audit_log))
}

/// What administrators do.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum AdminAction {
    GrantDesignerAccess,
    RevokeDesignerAccess,
    GrantManagerAccess,
    RevokeManagerAccess,
    GrantAgentAccess,
    RevokeAgentAccess,
    UpdateUserAccess,
    GrantAdminAccess,
    RevokeAdminAccess,
    UpdateSystemConfig,
    UpdateEmailTemplate,
    ViewAuditLog,
    RetryNotification,
    CancelNotification,
    SuperAdminCreated,
    AutoOnboardManager,
    AutoOnboardAgent,
    ReassignApproval,
}

impl AdminAction {
    /// The word on the wire.
    fn word(self) -> Option<String> {
        let word = serde_json::to_value(self).ok()?;
        word.as_str().map(str::to_owned)
    }
}

/// Which events are wanted.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Search {
    /// Exactly this action.
    #[garde(skip)]
    #[param(inline)]
    action: Option<AdminAction>,
    /// Part of the actor's address or name, in any case.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    actor_email: Option<String>,
    /// Part of the target's address or name, in any case.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    target_email: Option<String>,
    /// Not before this date or instant.
    #[garde(skip)]
    #[param(inline)]
    from_date: Option<RequestInstant>,
    /// Not after this date (its end) or instant.
    #[garde(skip)]
    #[param(inline)]
    to_date: Option<RequestInstant>,
}

/// An event of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminAuditView {
    /// The public id, `AAE-…`.
    audit_id: String,
    /// What was done.
    action: String,
    /// The address of who did it.
    actor_email: String,
    /// The name of who did it.
    actor_display_name: String,
    /// The address of whom it concerns.
    target_email: Option<String>,
    /// The name of whom it concerns.
    target_display_name: Option<String>,
    /// Facts of the event.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
    /// When.
    timestamp: String,
    /// From where.
    ip_address: Option<String>,
}

impl From<AdminAuditEvent> for AdminAuditView {
    fn from(event: AdminAuditEvent) -> Self {
        Self {
            audit_id: event.audit_id.as_str().to_owned(),
            action: event.action,
            actor_email: event.actor_email,
            actor_display_name: event.actor_display_name,
            target_email: event.target_email,
            target_display_name: event.target_display_name,
            details: event.details.into_map(),
            timestamp: wire_time(event.timestamp),
            ip_address: event.ip_address,
        }
    }
}

/// What administrators did, newest first; reading it is logged too.
#[utoipa::path(get, path = "/audit-log", tag = "access", operation_id = "list_admin_audit_log",
    params(Search, WindowQuery), responses((status = 200, body = SkipPage<AdminAuditView>)))]
async fn list_audit_log(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiQueries((search, window)): ApiQueries<(Search, WindowQuery)>,
) -> ApiResult<Json<SkipPage<AdminAuditView>>> {
    require_admin(&caller)?;
    let query = AuditQuery {
        filter: search.into(),
        skip: window.skipped(),
        limit: window.limit,
    };
    let page = app
        .access
        .read_audit_log(&query, &changed_by(&caller, address))
        .await?;
    Ok(Json(SkipPage {
        items: page.events.into_iter().map(AdminAuditView::from).collect(),
        total: page.total,
        skip: query.skip,
        limit: query.limit,
    }))
}

impl From<Search> for AdminAuditFilter {
    fn from(search: Search) -> Self {
        Self {
            action: search.action.and_then(AdminAction::word),
            actor: filled(search.actor_email),
            target: filled(search.target_email),
            from: search.from_date.map(RequestInstant::from),
            until: search.to_date.map(RequestInstant::until),
        }
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

impl ExportRow for AdminAuditView {
    const COLUMNS: &'static [&'static str] = &[
        "audit_id",
        "action",
        "actor_email",
        "actor_display_name",
        "target_email",
        "target_display_name",
        "details",
        "timestamp",
        "ip_address",
    ];
}

/// What administrators did as a file, newest first, at most 100 000 events; the export is logged too.
#[utoipa::path(get, path = "/audit-log/export", tag = "access", operation_id = "export_admin_audit_log",
    params(Search, FormatQuery),
    responses((status = 200, content((String = "text/csv"), (AdminAuditView = "application/x-ndjson")))))]
async fn export_audit_log(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiQueries((search, form)): ApiQueries<(Search, FormatQuery)>,
) -> ApiResult<Response> {
    require_admin(&caller)?;
    let filter = search.into();
    let by = changed_by(&caller, address);
    let events = app.access.export_audit_log(&filter, &by).await?;
    let rows = events.map_ok(AdminAuditView::from).boxed();
    file(&app, rows, form.format, "audit-log").await
}
