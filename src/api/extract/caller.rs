//! The authenticated caller.

use super::RequestContext;
use crate::api::envelope::ApiError;
use crate::api::layer::Purpose;
use crate::app::App;
use crate::domain::error::ServiceError;
use crate::domain::person::{Actor, Person};
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use std::ops::Deref;

/// Who calls, proved by the bearer token, with what the service grants them.
///
/// 401 without a proof, 429 above the person's rate, 503 while nobody can be proved. It is worked out once a request.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

impl Deref for Caller {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.0
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let token = bearer_token(&parts.headers)?;
        let identity = app.authenticator.authenticate(token.expose_secret()).await?;
        if let Some(context) = parts.extensions.get::<RequestContext>() {
            context.note_actor(log_key(&identity.person));
        }
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let purpose = Purpose::of(&parts.method, route.unwrap_or_default());
        app.rate_limits.check(&identity.person, purpose)?;
        let ends_in = identity.expires_at.since(app.clock.now());
        let ends_in = ends_in.to_std().unwrap_or_default();
        app.directory.lend(&identity.person, &token, ends_in);
        let actor = app.access.actor_of(identity.person, identity.token_roles).await?;
        let caller = Self(actor);
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// The text after `Bearer `; without that prefix the whole header is the token (contract http-tickets 1.2).
fn bearer_token(headers: &HeaderMap) -> Result<SecretString, ServiceError> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.map(|text| text.strip_prefix("Bearer ").unwrap_or(text).trim());
    token
        .filter(|token| !token.is_empty())
        .map(SecretString::from)
        .ok_or(ServiceError::Unauthenticated(
            "sign in first: the Authorization header carries no bearer token",
        ))
}

/// Names the person in logs without an address: the object id.
fn log_key(person: &Person) -> String {
    person.aad_id.clone().unwrap_or_else(|| "unknown".to_owned())
}
