//! Administrators and designers (contract http-admin-notifications 6).

use super::{Done, body_email, changed_by, path_email};
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiJson, ApiPath, ApiQueries, Caller, ClientAddress, WindowQuery};
use crate::api::view::page::SkipPage;
use crate::api::view::wire_time::{wire_time, wire_time_option};
use crate::app::App;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::AdminRole;
use crate::repositories::admin_user_repo::{AdminUserRow, role_word};
use crate::services::access::{GrantAdmin, require_admin, require_super_admin};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_designers, create_designer))
        .routes(routes!(delete_designer))
        .routes(routes!(list_admins, create_admin))
        .routes(routes!(delete_admin))
}

/// A person with an administrator's role.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's fields")]
pub(super) struct AdminUser {
    /// The public id, `ADM-…`.
    admin_user_id: String,
    /// The directory's object id, when known.
    aad_id: Option<String>,
    /// The address.
    email: String,
    /// The name.
    display_name: String,
    /// `SUPER_ADMIN`, `ADMIN` or `DESIGNER`.
    role: &'static str,
    /// The address of who gave the role, or `SYSTEM_SETUP`.
    granted_by: Option<String>,
    /// When.
    granted_at: String,
    /// Whether it holds.
    is_active: bool,
    /// When it was taken away.
    deactivated_at: Option<String>,
    /// The address of who took it away.
    deactivated_by: Option<String>,
}

impl From<&AdminUserRow> for AdminUser {
    fn from(row: &AdminUserRow) -> Self {
        Self {
            admin_user_id: row.admin_user_id.as_str().to_owned(),
            aad_id: row.aad_id.clone(),
            email: row.email.as_str().to_owned(),
            display_name: row.display_name.clone(),
            role: role_word(row.role),
            granted_by: row.granted_by.clone(),
            granted_at: wire_time(row.granted_at),
            is_active: row.is_active,
            deactivated_at: wire_time_option(row.deactivated_at),
            deactivated_by: row.deactivated_by.clone(),
        }
    }
}

/// That a role was given.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminDone {
    /// What was done, for people.
    pub(super) message: String,
    /// The row after the change.
    pub(super) admin: AdminUser,
}

/// Which rows are wanted.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Also rows that were taken away.
    #[garde(skip)]
    #[serde(default)]
    #[param(default = false)]
    include_inactive: bool,
}

/// Whom to give a role.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
struct RoleGrant {
    /// The address.
    #[garde(length(chars, min = 1, max = 254))]
    #[schema(format = Email, min_length = 1, max_length = 254)]
    email: String,
    /// The name.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    display_name: String,
    /// The directory's object id, when known.
    #[garde(length(chars, max = 100))]
    #[schema(max_length = 100)]
    aad_id: Option<String>,
    /// `ADMIN` (the default) or `SUPER_ADMIN`, in any case.
    #[schema(pattern = "^([Aa][Dd][Mm][Ii][Nn]|[Ss][Uu][Pp][Ee][Rr]_[Aa][Dd][Mm][Ii][Nn])$")]
    role: Option<String>,
}

/// Who is to design workflows.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
struct DesignerGrant {
    /// The address.
    #[garde(length(chars, min = 1, max = 254))]
    #[schema(format = Email, min_length = 1, max_length = 254)]
    email: String,
    /// The name.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    display_name: String,
    /// The directory's object id, when known.
    #[garde(length(chars, max = 100))]
    #[schema(max_length = 100)]
    aad_id: Option<String>,
}

impl From<DesignerGrant> for RoleGrant {
    fn from(grant: DesignerGrant) -> Self {
        Self {
            email: grant.email,
            display_name: grant.display_name,
            aad_id: grant.aad_id,
            role: None,
        }
    }
}

impl RoleGrant {
    fn into_grant(self, role: AdminRole) -> Result<GrantAdmin, ServiceError> {
        Ok(GrantAdmin {
            email: body_email(&self.email)?,
            display_name: self.display_name,
            aad_id: self.aad_id.filter(|id| !id.is_empty()),
            role,
        })
    }
}

/// People who may design workflows by a role, newest first.
#[utoipa::path(get, path = "/designers", tag = "access", operation_id = "list_designers", params(Which, WindowQuery),
    responses((status = 200, body = SkipPage<AdminUser>)))]
async fn list_designers(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((which, window)): ApiQueries<(Which, WindowQuery)>,
) -> ApiResult<Json<SkipPage<AdminUser>>> {
    require_admin(&caller)?;
    page(&app, Some(AdminRole::Designer), &which, window).await
}

/// Lets a person design workflows.
#[utoipa::path(post, path = "/designers", tag = "access", operation_id = "create_designer", request_body = DesignerGrant,
    responses((status = 200, body = AdminDone)))]
async fn create_designer(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiJson(grant): ApiJson<DesignerGrant>,
) -> ApiResult<Json<AdminDone>> {
    require_admin(&caller)?;
    let grant = RoleGrant::from(grant).into_grant(AdminRole::Designer)?;
    let row = app
        .access
        .grant_admin(&grant, &changed_by(&caller, address))
        .await?;
    Ok(Json(done(&row)))
}

/// Takes a designer's role away.
#[utoipa::path(delete, path = "/designers/{email}", tag = "access", operation_id = "delete_designer",
    params(("email" = String, Path)), responses((status = 200, body = Done)))]
async fn delete_designer(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiPath(email): ApiPath<String>,
) -> ApiResult<Json<Done>> {
    require_admin(&caller)?;
    let by = changed_by(&caller, address);
    let row = app.access.revoke_designer(&path_email(&email), &by).await?;
    Ok(Json(taken(&row)))
}

/// People with any administrator's role, the highest first.
#[utoipa::path(get, path = "/admins", tag = "access", operation_id = "list_admins", params(Which, WindowQuery),
    responses((status = 200, body = SkipPage<AdminUser>)))]
async fn list_admins(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((which, window)): ApiQueries<(Which, WindowQuery)>,
) -> ApiResult<Json<SkipPage<AdminUser>>> {
    require_admin(&caller)?;
    page(&app, None, &which, window).await
}

/// Makes a person an administrator.
#[utoipa::path(post, path = "/admins", tag = "access", operation_id = "create_admin", request_body = RoleGrant,
    responses((status = 200, body = AdminDone)))]
async fn create_admin(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiJson(grant): ApiJson<RoleGrant>,
) -> ApiResult<Json<AdminDone>> {
    require_super_admin(&caller)?;
    let role = wanted_role(grant.role.as_deref())?;
    let grant = grant.into_grant(role)?;
    let row = app
        .access
        .grant_admin(&grant, &changed_by(&caller, address))
        .await?;
    Ok(Json(done(&row)))
}

/// Takes an administrator's role away; the own one and the last super administrator's stay.
#[utoipa::path(delete, path = "/admins/{email}", tag = "access", operation_id = "delete_admin",
    params(("email" = String, Path)), responses((status = 200, body = Done)))]
async fn delete_admin(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiPath(email): ApiPath<String>,
) -> ApiResult<Json<Done>> {
    require_super_admin(&caller)?;
    let by = changed_by(&caller, address);
    let row = app.access.revoke_admin(&path_email(&email), &by).await?;
    Ok(Json(taken(&row)))
}

async fn page(
    app: &App,
    role: Option<AdminRole>,
    which: &Which,
    window: WindowQuery,
) -> ApiResult<Json<SkipPage<AdminUser>>> {
    let (skip, limit) = (window.skipped(), window.limit);
    let (rows, total) = app
        .access
        .list_admins(role, which.include_inactive, skip, limit)
        .await?;
    Ok(Json(SkipPage {
        items: rows.iter().map(AdminUser::from).collect(),
        total,
        skip,
        limit,
    }))
}

fn wanted_role(text: Option<&str>) -> Result<AdminRole, ServiceError> {
    match text.map(str::to_ascii_uppercase).as_deref() {
        None | Some("ADMIN") => Ok(AdminRole::Admin),
        Some("SUPER_ADMIN") => Ok(AdminRole::SuperAdmin),
        Some(_) => Err(ServiceError::bad_request(
            ErrorCode::ValidationError,
            "the role must be ADMIN or SUPER_ADMIN",
        )),
    }
}

fn done(row: &AdminUserRow) -> AdminDone {
    AdminDone {
        message: format!("{} now has the role {}.", row.display_name, role_word(row.role)),
        admin: AdminUser::from(row),
    }
}

fn taken(row: &AdminUserRow) -> Done {
    Done {
        message: format!(
            "{} no longer has the role {}.",
            row.display_name,
            role_word(row.role)
        ),
    }
}
