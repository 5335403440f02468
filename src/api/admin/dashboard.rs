//! `/admin/dashboard` (contract http-admin-notifications 10).

use super::audit_log::AdminAuditView;
use crate::api::envelope::ApiResult;
use crate::api::extract::Caller;
use crate::app::App;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_admin_dashboard))
}

/// Who administers, and what was changed last.
#[derive(Debug, Serialize, ToSchema)]
struct AdminDashboardView {
    users: AdminCounts,
    /// The ten newest changes.
    recent_activity: Vec<AdminAuditView>,
}

/// Active people by the administrators' role they have.
#[derive(Debug, Serialize, ToSchema)]
struct AdminCounts {
    super_admins: u64,
    admins: u64,
    designers: u64,
    total: u64,
}

/// Who administers, and what was changed last.
#[utoipa::path(get, path = "/dashboard", tag = "admin", operation_id = "get_admin_dashboard",
    responses((status = 200, body = AdminDashboardView)))]
async fn get_admin_dashboard(State(app): State<App>, caller: Caller) -> ApiResult<Json<AdminDashboardView>> {
    let shown = app.admin.dashboard.show(&caller).await?;
    Ok(Json(AdminDashboardView {
        users: AdminCounts {
            super_admins: shown.super_admins,
            admins: shown.admins,
            designers: shown.designers,
            total: shown.super_admins + shown.admins + shown.designers,
        },
        recent_activity: shown.recent.into_iter().map(Into::into).collect(),
    }))
}
