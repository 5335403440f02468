//! `/dev`: tokens for the people of the development directory. The routes exist in development mode only (design 5).

use super::envelope::{ApiError, ApiResult, ErrorBody};
use super::extract::ApiJson;
use crate::api::schema::optional_words;
use crate::app::App;
use crate::auth::dev_issuer::DevIssuer;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::{AdminRole, Email};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(people))
        .routes(routes!(token))
        .routes(routes!(jwks))
}

/// Whom a token is wanted for.
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct TokenRequest {
    /// The address of a person of the development directory.
    #[garde(length(chars, min = 1, max = 254))]
    #[schema(format = Email, min_length = 1, max_length = 254, example = "ann.lee@example.com")]
    email: String,
}

/// A token, ready for the `Authorization` header.
#[derive(Debug, Serialize, ToSchema)]
struct TokenAnswer {
    /// The token; send it as `Authorization: Bearer <token>`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// When it ends.
    expires_at: String,
}

/// A person for whom a token can be had.
#[derive(Debug, Serialize, ToSchema)]
struct DevPerson {
    /// The directory's object id.
    aad_id: String,
    /// The address.
    email: String,
    /// The name.
    display_name: String,
    /// What the person does.
    job_title: String,
    /// Where the person works.
    department: String,
    /// The manager's address.
    manager_email: Option<String>,
    /// The personas that seeding grants: `designer`, `manager`, `agent`.
    personas: Vec<&'static str>,
    /// The administrator's role that seeding grants.
    #[schema(schema_with = optional_words::<AdminRole>)]
    admin_role: Option<AdminRole>,
}

/// The people of the development directory.
#[utoipa::path(get, path = "/people", tag = "development", operation_id = "list_dev_people", security(()),
    responses((status = 200, body = Vec<DevPerson>)))]
async fn people(State(app): State<App>) -> ApiResult<Json<Vec<DevPerson>>> {
    let issuer = issuer(&app)?;
    let people = issuer.people().people().iter().map(|person| {
        let held = person.granted_personas();
        let names = [
            ("designer", held.designer),
            ("manager", held.manager),
            ("agent", held.agent),
        ];
        DevPerson {
            aad_id: person.aad_id.clone(),
            email: person.email.as_str().to_owned(),
            display_name: person.display_name.clone(),
            job_title: person.job_title.clone(),
            department: person.department.clone(),
            manager_email: person
                .manager_email
                .as_ref()
                .map(|email| email.as_str().to_owned()),
            personas: names
                .into_iter()
                .filter(|(_, holds)| *holds)
                .map(|(name, _)| name)
                .collect(),
            admin_role: person.admin_role,
        }
    });
    Ok(Json(people.collect()))
}

/// A token for a person of the development directory.
#[utoipa::path(post, path = "/token", tag = "development", operation_id = "create_dev_token", security(()),
    request_body = TokenRequest, responses((status = 200, body = TokenAnswer),
        (status = 404, description = "Nobody in the development directory has this address", body = ErrorBody)))]
async fn token(
    State(app): State<App>,
    ApiJson(request): ApiJson<TokenRequest>,
) -> ApiResult<Json<TokenAnswer>> {
    let email = Email::try_from(request.email.as_str())
        .map_err(|error| ServiceError::invalid_field("email", error.to_string()))?;
    let minted = issuer(&app)?.mint(&email)?;
    Ok(Json(TokenAnswer {
        access_token: minted.token,
        token_type: "Bearer",
        expires_at: minted.expires_at.to_wire(),
    }))
}

/// The public key of the local issuer.
#[utoipa::path(get, path = "/jwks", tag = "development", operation_id = "get_dev_jwks", security(()),
    responses((status = 200, body = Object)))]
async fn jwks(State(app): State<App>) -> ApiResult<Json<serde_json::Value>> {
    Ok(Json(issuer(&app)?.jwks()))
}

fn issuer(app: &App) -> Result<&Arc<DevIssuer>, ApiError> {
    let missing = || ServiceError::not_found(ErrorCode::NotFound, "Not Found");
    app.authenticator.dev_issuer().ok_or_else(|| ApiError(missing()))
}
