//! `/directory`: people (contract http-workflows 5, D1 to D4).

use super::envelope::ApiResult;
use super::extract::{ApiPath, ApiQuery, Caller};
use crate::api::schema::Address;
use crate::app::App;
use crate::domain::directory_user::DirectoryUser;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::Email;
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_me))
        .routes(routes!(get_my_manager))
        .routes(routes!(search_users))
        .routes(routes!(get_user))
}

/// A person.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct UserInfo {
    aad_id: Option<String>,
    email: String,
    display_name: String,
    job_title: Option<String>,
    department: Option<String>,
}

impl From<DirectoryUser> for UserInfo {
    fn from(user: DirectoryUser) -> Self {
        Self {
            aad_id: user.aad_id,
            email: user.email.as_str().to_owned(),
            display_name: user.display_name,
            job_title: user.job_title,
            department: user.department,
        }
    }
}

/// A manager.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct ManagerInfo {
    aad_id: Option<String>,
    email: String,
    display_name: String,
}

/// People who were found.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct UsersFound {
    items: Vec<UserInfo>,
}

/// Whom to look for.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Part of a name or address, at least two characters.
    #[garde(length(chars, min = 2, max = 200))]
    #[param(min_length = 2, max_length = 200)]
    q: String,
    /// 1 to 50.
    #[garde(range(min = 1, max = 50))]
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 50, default = 10)]
    limit: usize,
}

const fn usual_limit() -> usize {
    10
}

/// The caller, as the token says.
#[utoipa::path(get, path = "/me", tag = "directory", operation_id = "get_me", responses((status = 200, body = UserInfo)))]
async fn get_me(caller: Caller) -> Json<UserInfo> {
    Json(DirectoryUser::from(&caller.person).into())
}

/// The caller's manager, null when there is none or the directory does not answer.
#[utoipa::path(get, path = "/me/manager", tag = "directory", operation_id = "get_my_manager",
    responses((status = 200, body = Option<ManagerInfo>)))]
async fn get_my_manager(State(app): State<App>, caller: Caller) -> Json<Option<ManagerInfo>> {
    let manager = app.directory.manager_of(&caller.person, &caller.person).await;
    Json(manager.map(|manager| ManagerInfo {
        aad_id: manager.aad_id,
        email: manager.email.as_str().to_owned(),
        display_name: manager.display_name,
    }))
}

/// People by part of a name or address.
#[utoipa::path(get, path = "/users/search", tag = "directory", operation_id = "search_users", params(SearchQuery),
    responses((status = 200, body = UsersFound)))]
async fn search_users(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<SearchQuery>,
) -> ApiResult<Json<UsersFound>> {
    let found = app
        .directory
        .search(&caller.person, &query.q, query.limit)
        .await?;
    let items = found.into_iter().map(Into::into).collect();
    Ok(Json(UsersFound { items }))
}

/// A person by address.
#[utoipa::path(get, path = "/users/{email}", tag = "directory", operation_id = "get_user",
    params(("email" = inline(Address), Path)), responses((status = 200, body = UserInfo)))]
async fn get_user(
    State(app): State<App>,
    caller: Caller,
    ApiPath(email): ApiPath<String>,
) -> ApiResult<Json<UserInfo>> {
    let email = Email::try_from(email).map_err(|_| {
        ServiceError::bad_request(ErrorCode::ValidationError, "this is not an e-mail address")
    })?;
    Ok(Json(app.directory.user(&caller.person, &email).await?.into()))
}
