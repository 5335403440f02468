//! The administrators' audit log (contract http-admin-notifications 8).

use super::changed_by;
use crate::api::envelope::ApiResult;
use crate::api::export::{ExportFormat, ExportRow, file};
use crate::api::extract::{ApiQuery, Caller, ClientAddress};
use crate::api::schema::instant;
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
#[serde(default)]
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
    #[param(schema_with = instant)]
    from_date: Option<RequestInstant>,
    /// Not after this date (its end) or instant.
    #[garde(skip)]
    #[param(schema_with = instant)]
    to_date: Option<RequestInstant>,
    /// Rows left out before the window.
    #[garde(range(min = 0))]
    #[param(minimum = 0, default = 0)]
    skip: i64,
    /// Rows in the window.
    #[garde(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: i64,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            action: None,
            actor_email: None,
            target_email: None,
            from_date: None,
            to_date: None,
            skip: 0,
            limit: 50,
        }
    }
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
            details: event.details.0,
            timestamp: wire_time(event.timestamp),
            ip_address: event.ip_address,
        }
    }
}

/// What administrators did, newest first; reading it is logged too.
#[utoipa::path(get, path = "/audit-log", tag = "access", operation_id = "list_admin_audit_log", params(Search),
    responses((status = 200, body = SkipPage<AdminAuditView>)))]
async fn list_audit_log(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiQuery(search): ApiQuery<Search>,
) -> ApiResult<Json<SkipPage<AdminAuditView>>> {
    require_admin(&caller)?;
    let query = search.into_query();
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

impl Search {
    fn into_query(self) -> AuditQuery {
        AuditQuery {
            filter: AdminAuditFilter {
                action: self.action.and_then(AdminAction::word),
                actor: filled(self.actor_email),
                target: filled(self.target_email),
                from: self.from_date.map(RequestInstant::from),
                until: self.to_date.map(RequestInstant::until),
            },
            skip: self.skip.unsigned_abs(),
            limit: self.limit,
        }
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Which events are wanted, and in which form.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// `csv` or `jsonl`.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<ExportFormat>, inline)]
    format: ExportFormat,
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
    #[param(schema_with = instant)]
    from_date: Option<RequestInstant>,
    /// Not after this date (its end) or instant.
    #[garde(skip)]
    #[param(schema_with = instant)]
    to_date: Option<RequestInstant>,
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
    params(ExportQuery),
    responses((status = 200, content((String = "text/csv"), (AdminAuditView = "application/x-ndjson")))))]
async fn export_audit_log(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiQuery(query): ApiQuery<ExportQuery>,
) -> ApiResult<Response> {
    require_admin(&caller)?;
    let filter = AdminAuditFilter {
        action: query.action.and_then(AdminAction::word),
        actor: filled(query.actor_email),
        target: filled(query.target_email),
        from: query.from_date.map(RequestInstant::from),
        until: query.to_date.map(RequestInstant::until),
    };
    let by = changed_by(&caller, address);
    let events = app.access.export_audit_log(&filter, &by).await?;
    let rows = events.map_ok(AdminAuditView::from).boxed();
    file(&app, rows, query.format, "audit-log").await
}
