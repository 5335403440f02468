//! What the caller may do (contract http-admin-notifications 5).

use crate::api::envelope::ApiResult;
use crate::api::extract::Caller;
use crate::app::App;
use crate::domain::person::AdminRole;
use crate::repositories::admin_user_repo::role_word;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_access))
        .routes(routes!(get_my_access))
}

/// The caller's administrator's role.
#[derive(Debug, Serialize, ToSchema)]
struct AdminAccess {
    /// May govern everything.
    is_super_admin: bool,
    /// May govern everything but the administrators themselves.
    is_admin: bool,
    /// May design workflows by a role.
    is_designer: bool,
    /// `SUPER_ADMIN`, `ADMIN`, `DESIGNER` or null.
    role: Option<&'static str>,
}

/// The areas the caller sees.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the contract's fields")]
struct MyAccess {
    /// The caller's address.
    email: String,
    /// May design workflows.
    has_designer_access: bool,
    /// Sees the manager's screens.
    has_manager_access: bool,
    /// Sees the agent's screens.
    has_agent_access: bool,
    /// May govern.
    is_admin: bool,
    /// `SUPER_ADMIN`, `ADMIN`, `DESIGNER` or null.
    admin_role: Option<&'static str>,
}

/// The caller's administrator's role.
#[utoipa::path(get, path = "/access", tag = "access", operation_id = "get_admin_access",
    responses((status = 200, body = AdminAccess)))]
async fn get_access(State(app): State<App>, caller: Caller) -> ApiResult<Json<AdminAccess>> {
    if caller.admin_role.is_some() {
        app.access.note_sign_in(&caller).await?;
    }
    Ok(Json(AdminAccess {
        is_super_admin: caller.admin_role == Some(AdminRole::SuperAdmin),
        is_admin: caller.is_admin(),
        is_designer: caller.admin_role.is_some(),
        role: caller.admin_role.map(role_word),
    }))
}

/// The areas the caller sees.
#[utoipa::path(get, path = "/my-access", tag = "access", operation_id = "get_my_access",
    responses((status = 200, body = MyAccess)))]
async fn get_my_access(caller: Caller) -> Json<MyAccess> {
    Json(MyAccess {
        email: caller.person.email.as_str().to_owned(),
        has_designer_access: caller.is_designer(),
        has_manager_access: caller.personas.manager,
        has_agent_access: caller.personas.agent,
        is_admin: caller.is_admin(),
        admin_role: caller.admin_role.map(role_word),
    })
}
