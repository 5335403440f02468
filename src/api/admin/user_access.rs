//! Personas (contract http-admin-notifications 7).

use super::{Done, body_email, changed_by, path_email};
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiJson, ApiPath, ApiQueries, Caller, ClientAddress, WindowQuery};
use crate::api::view::page::SkipPage;
use crate::api::view::wire_time::{wire_time, wire_time_option};
use crate::app::App;
use crate::repositories::user_access_repo::{AccessSource, UserAccessRow};
use crate::services::access::{GrantPersonas, PersonaFlags, require_admin};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_user_access, create_user_access))
        .routes(routes!(get_user_access, update_user_access, delete_user_access))
}

/// A person's personas.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "the contract's fields"
)]
struct UserAccess {
    /// The public id, `ua-…`.
    user_access_id: String,
    /// The directory's object id, when known.
    aad_id: Option<String>,
    /// The address.
    email: String,
    /// The name.
    display_name: String,
    /// May design workflows.
    has_designer_access: bool,
    /// Sees the manager's screens.
    has_manager_access: bool,
    /// Sees the agent's screens.
    has_agent_access: bool,
    /// How the designer persona was obtained: `MANUAL` by an administrator, anything else by a ticket.
    designer_source: Option<&'static str>,
    /// The address of who gave it.
    designer_granted_by: Option<String>,
    /// When.
    designer_granted_at: Option<String>,
    /// How the manager persona was obtained.
    manager_source: Option<&'static str>,
    /// The address of who gave it.
    manager_granted_by: Option<String>,
    /// When.
    manager_granted_at: Option<String>,
    /// How the agent persona was obtained.
    agent_source: Option<&'static str>,
    /// The address of who gave it.
    agent_granted_by: Option<String>,
    /// When.
    agent_granted_at: Option<String>,
    /// Where the record came from first.
    onboard_source: &'static str,
    /// The address of who triggered an automatic record.
    onboarded_by: Option<String>,
    /// The name of who triggered an automatic record.
    onboarded_by_display_name: Option<String>,
    /// The address of who gave the first persona.
    granted_by: String,
    /// When.
    granted_at: String,
    /// When the record changed last.
    updated_at: Option<String>,
    /// The address of who changed it.
    updated_by: Option<String>,
    /// False after a revocation.
    is_active: bool,
}

impl From<&UserAccessRow> for UserAccess {
    fn from(row: &UserAccessRow) -> Self {
        Self {
            user_access_id: row.user_access_id.as_str().to_owned(),
            aad_id: row.aad_id.clone(),
            email: row.email.as_str().to_owned(),
            display_name: row.display_name.clone(),
            has_designer_access: row.designer.granted,
            has_manager_access: row.manager.granted,
            has_agent_access: row.agent.granted,
            designer_source: row.designer.source.map(AccessSource::as_str),
            designer_granted_by: row.designer.by.clone(),
            designer_granted_at: wire_time_option(row.designer.at),
            manager_source: row.manager.source.map(AccessSource::as_str),
            manager_granted_by: row.manager.by.clone(),
            manager_granted_at: wire_time_option(row.manager.at),
            agent_source: row.agent.source.map(AccessSource::as_str),
            agent_granted_by: row.agent.by.clone(),
            agent_granted_at: wire_time_option(row.agent.at),
            onboard_source: row.onboard_source.as_str(),
            onboarded_by: row.onboarded_by.clone(),
            onboarded_by_display_name: row.onboarded_by_display_name.clone(),
            granted_by: row.granted_by.clone(),
            granted_at: wire_time(row.granted_at),
            updated_at: wire_time_option(row.updated_at),
            updated_by: row.updated_by.clone(),
            is_active: row.is_active,
        }
    }
}

/// That personas were changed.
#[derive(Debug, Serialize, ToSchema)]
struct UserAccessDone {
    /// What was done, for people.
    message: String,
    /// The record after the change.
    user_access: UserAccess,
}

/// A person's personas, if there are any.
#[derive(Debug, Serialize, ToSchema)]
struct UserAccessFound {
    /// Whether there is an active record.
    has_access: bool,
    /// The record.
    user_access: Option<UserAccess>,
}

/// Which records are wanted.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Also revoked records.
    #[garde(skip)]
    #[serde(default)]
    #[param(default = false)]
    include_inactive: bool,
}

/// Whom to give which personas; at least one.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
struct Grant {
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
    /// May design workflows.
    has_designer_access: Option<bool>,
    /// Sees the manager's screens.
    has_manager_access: Option<bool>,
    /// Sees the agent's screens.
    has_agent_access: Option<bool>,
}

/// Personas to set; absent or null leaves one as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
struct Update {
    /// May design workflows.
    has_designer_access: Option<bool>,
    /// Sees the manager's screens.
    has_manager_access: Option<bool>,
    /// Sees the agent's screens.
    has_agent_access: Option<bool>,
}

/// Everybody with personas, by address.
#[utoipa::path(get, path = "/user-access", tag = "access", operation_id = "list_user_access", params(Which, WindowQuery),
    responses((status = 200, body = SkipPage<UserAccess>)))]
async fn list_user_access(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((which, window)): ApiQueries<(Which, WindowQuery)>,
) -> ApiResult<Json<SkipPage<UserAccess>>> {
    require_admin(&caller)?;
    let (skip, limit) = (window.skipped(), window.limit);
    let (rows, total) = app
        .access
        .list_personas(which.include_inactive, skip, limit)
        .await?;
    Ok(Json(SkipPage {
        items: rows.iter().map(UserAccess::from).collect(),
        total,
        skip,
        limit,
    }))
}

/// Gives exactly these personas to a person.
#[utoipa::path(post, path = "/user-access", tag = "access", operation_id = "create_user_access", request_body = Grant,
    responses((status = 200, body = UserAccessDone)))]
async fn create_user_access(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiJson(grant): ApiJson<Grant>,
) -> ApiResult<Json<UserAccessDone>> {
    require_admin(&caller)?;
    let grant = GrantPersonas {
        email: body_email(&grant.email)?,
        display_name: grant.display_name,
        aad_id: grant.aad_id.filter(|id| !id.is_empty()),
        flags: PersonaFlags {
            designer: grant.has_designer_access,
            manager: grant.has_manager_access,
            agent: grant.has_agent_access,
        },
    };
    let row = app
        .access
        .grant_personas(&grant, &changed_by(&caller, address))
        .await?;
    Ok(Json(done(&row)))
}

/// The personas of one person.
#[utoipa::path(get, path = "/user-access/{email}", tag = "access", operation_id = "get_user_access",
    params(("email" = String, Path)), responses((status = 200, body = UserAccessFound)))]
async fn get_user_access(
    State(app): State<App>,
    caller: Caller,
    ApiPath(email): ApiPath<String>,
) -> ApiResult<Json<UserAccessFound>> {
    require_admin(&caller)?;
    let found = app.access.personas_of(&path_email(&email)).await?;
    Ok(Json(UserAccessFound {
        has_access: found.is_some(),
        user_access: found.as_ref().map(UserAccess::from),
    }))
}

/// Sets personas; all false takes the person's access away.
#[utoipa::path(put, path = "/user-access/{email}", tag = "access", operation_id = "update_user_access",
    params(("email" = String, Path)), request_body = Update, responses((status = 200, body = UserAccessDone)))]
async fn update_user_access(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiPath(email): ApiPath<String>,
    ApiJson(update): ApiJson<Update>,
) -> ApiResult<Json<UserAccessDone>> {
    require_admin(&caller)?;
    let flags = PersonaFlags {
        designer: update.has_designer_access,
        manager: update.has_manager_access,
        agent: update.has_agent_access,
    };
    let by = changed_by(&caller, address);
    let row = app
        .access
        .update_personas(&path_email(&email), flags, &by)
        .await?;
    Ok(Json(done(&row)))
}

/// Takes all personas away.
#[utoipa::path(delete, path = "/user-access/{email}", tag = "access", operation_id = "delete_user_access",
    params(("email" = String, Path)), responses((status = 200, body = Done)))]
async fn delete_user_access(
    State(app): State<App>,
    caller: Caller,
    address: ClientAddress,
    ApiPath(email): ApiPath<String>,
) -> ApiResult<Json<Done>> {
    require_admin(&caller)?;
    let by = changed_by(&caller, address);
    let row = app.access.revoke_personas(&path_email(&email), &by).await?;
    Ok(Json(Done {
        message: format!("{} no longer has access.", row.display_name),
    }))
}

fn done(row: &UserAccessRow) -> UserAccessDone {
    UserAccessDone {
        message: format!("The access of {} was updated.", row.display_name),
        user_access: UserAccess::from(row),
    }
}
