//! The set-up of the first super administrator (contract http-admin-notifications 4).

use super::admins::{AdminDone, AdminUser};
use super::{Done, body_email};
use crate::api::envelope::{ApiError, ApiResult, ErrorBody};
use crate::api::extract::{ApiJson, ClientAddress};
use crate::app::App;
use crate::domain::error::ServiceError;
use crate::services::access::{BootstrapLogin, SetupRequest};
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use garde::Validate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_setup_status))
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(setup))
}

/// The token of the header `X-Bootstrap-Token`, checked.
struct BootstrapToken(SecretString);

impl FromRequestParts<App> for BootstrapToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let header = parts
            .headers
            .get("x-bootstrap-token")
            .and_then(|value| value.to_str().ok());
        let token = header.filter(|text| !text.is_empty() && text.len() <= 256);
        let missing = ServiceError::Unauthenticated("the bootstrap token is missing, unknown or has ended");
        let token = SecretString::from(token.ok_or(missing)?);
        app.access.check_bootstrap_token(&token).await?;
        Ok(Self(token))
    }
}

/// Whether the first super administrator still has to be named.
#[derive(Debug, Serialize, ToSchema)]
struct SetupStatusView {
    /// There is an active super administrator.
    super_admin_exists: bool,
    /// There is none and never was.
    requires_setup: bool,
}

/// The credentials of the service's settings.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
struct Credentials {
    /// The user name.
    #[garde(length(chars, max = 512))]
    #[schema(max_length = 512)]
    username: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// The outcome of a log-in; a refusal is no error.
#[derive(Serialize, ToSchema)]
struct LoginAnswer {
    /// Whether it succeeded.
    success: bool,
    /// The token for `X-Bootstrap-Token`.
    token: Option<String>,
    /// How long the token is good.
    expires_in_minutes: Option<i64>,
    /// What happened, for people.
    message: &'static str,
}

/// Who becomes the first super administrator.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[expect(clippy::struct_field_names, reason = "the contract's fields")]
struct Setup {
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
    /// The further secret, when the settings ask for one.
    #[schema(value_type = Option<String>, format = Password)]
    setup_key: Option<SecretString>,
}

/// Whether the first super administrator still has to be named.
#[utoipa::path(get, path = "/setup-status", tag = "access", operation_id = "get_setup_status", security(()),
    responses((status = 200, body = SetupStatusView)))]
async fn get_setup_status(State(app): State<App>) -> ApiResult<Json<SetupStatusView>> {
    let status = app.access.setup_status().await?;
    Ok(Json(SetupStatusView {
        super_admin_exists: status.super_admin_exists,
        requires_setup: status.requires_setup,
    }))
}

/// Logs in to the set-up; wrong credentials answer 200 with `success: false`, too many of them 429.
#[utoipa::path(post, path = "/bootstrap/login", tag = "access", operation_id = "create_bootstrap_login", security(()),
    request_body = Credentials, responses((status = 200, body = LoginAnswer)))]
async fn login(
    State(app): State<App>,
    address: ClientAddress,
    ApiJson(credentials): ApiJson<Credentials>,
) -> ApiResult<Json<LoginAnswer>> {
    let client = address
        .0
        .map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    let outcome = app
        .access
        .bootstrap_login(&credentials.username, &credentials.password, &client)
        .await?;
    Ok(Json(match outcome {
        BootstrapLogin::Accepted(token, minutes) => LoginAnswer {
            success: true,
            token: Some(token.expose_secret().to_owned()),
            expires_in_minutes: Some(minutes),
            message: "Logged in. Name the first super administrator now.",
        },
        BootstrapLogin::Refused(message) => LoginAnswer {
            success: false,
            token: None,
            expires_in_minutes: None,
            message,
        },
    }))
}

/// Ends the token.
#[utoipa::path(post, path = "/bootstrap/logout", tag = "access", operation_id = "delete_bootstrap_login", security(()),
    params(("X-Bootstrap-Token" = String, Header)), responses((status = 200, body = Done),
        (status = 401, description = "No or no valid token of the set-up", body = ErrorBody)))]
async fn logout(State(app): State<App>, token: BootstrapToken) -> ApiResult<Json<Done>> {
    app.access.bootstrap_logout(&token.0).await?;
    Ok(Json(Done {
        message: "Logged out.".to_owned(),
    }))
}

/// Names the first super administrator and closes the set-up for good.
#[utoipa::path(post, path = "/bootstrap/setup", tag = "access", operation_id = "create_first_super_admin", security(()),
    params(("X-Bootstrap-Token" = String, Header)), request_body = Setup, 
    responses((status = 200, body = AdminDone),
        (status = 401, description = "No or no valid token of the set-up", body = ErrorBody),
        (status = 403, description = "The set-up key is not right", body = ErrorBody)))]
async fn setup(
    State(app): State<App>,
    token: BootstrapToken,
    address: ClientAddress,
    ApiJson(setup): ApiJson<Setup>,
) -> ApiResult<Json<AdminDone>> {
    let request = SetupRequest {
        email: body_email(&setup.email)?,
        display_name: setup.display_name,
        aad_id: setup.aad_id.filter(|id| !id.is_empty()),
        setup_key: setup.setup_key,
        ip_address: address.0.map(|address| address.to_string()),
    };
    let row = app.access.bootstrap_setup(&token.0, &request).await?;
    Ok(Json(AdminDone {
        message: format!("{} is now a super administrator.", row.display_name),
        admin: AdminUser::from(&row),
    }))
}
