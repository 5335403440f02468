//! What every command on a ticket shares: who sends it, under which key, expecting which version; and its answer.

use super::view::ActionResponse;
use crate::api::envelope::{ApiError, ApiResult};
use crate::api::extract::{Caller, Correlation, IdempotencyKey, IfMatch};
use crate::app::App;
use crate::domain::person::Actor;
use crate::engine::Command;
use crate::services::execute::{self, CommandRequest, Executed, ExpectedVersion};
use crate::services::tickets::ticket_id;
use axum::Json;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use serde::Serialize;

/// Who sends a command, and how.
#[derive(Debug, Clone)]
pub(crate) struct CommandContext {
    /// Who.
    pub(crate) actor: Actor,
    /// The request's correlation id.
    pub(crate) correlation_id: String,
    route: String,
    path: String,
    key: Option<String>,
    if_match: Option<i64>,
}

impl FromRequestParts<App> for CommandContext {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Caller(actor) = Caller::from_request_parts(parts, app).await?;
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(parts, app).await?;
        let IfMatch(if_match) = IfMatch::from_request_parts(parts, app).await?;
        let Ok(Correlation(correlation_id)) = Correlation::from_request_parts(parts, app).await;
        let matched = parts.extensions.get::<MatchedPath>();
        let route = format!(
            "{} {}",
            parts.method,
            matched.map_or(parts.uri.path(), MatchedPath::as_str)
        );
        Ok(Self {
            actor,
            correlation_id,
            route,
            path: parts.uri.path().to_owned(),
            key,
            if_match,
        })
    }
}

impl CommandContext {
    /// The fingerprint of path and body.
    pub(crate) fn fingerprint<T: Serialize>(&self, body: &T) -> String {
        let body = serde_json::to_string(body).unwrap_or_default();
        execute::fingerprint(&[&self.path, &body])
    }

    /// The client's idempotency key for a body with this fingerprint.
    pub(crate) fn idempotency(&self, fingerprint: &str) -> Option<execute::IdempotencyKey> {
        self.key.clone().map(|key| execute::IdempotencyKey {
            key,
            route: self.route.clone(),
            fingerprint: fingerprint.to_owned(),
        })
    }

    /// The version that the caller expects: the header wins over the body.
    pub(crate) fn expected(&self, body: Option<i64>) -> Option<ExpectedVersion> {
        self.if_match
            .map(ExpectedVersion::IfMatch)
            .or(body.map(ExpectedVersion::Body))
    }

    /// Sends a command.
    pub(crate) async fn execute(
        self,
        app: &App,
        ticket: &str,
        body: &impl Serialize,
        expected: Option<i64>,
        command: Command,
    ) -> ApiResult<Executed> {
        let fingerprint = self.fingerprint(body);
        let request = CommandRequest {
            ticket_id: ticket_id(ticket)?,
            command,
            idempotency: self.idempotency(&fingerprint),
            expected: self.expected(expected),
            correlation_id: self.correlation_id,
            actor: self.actor,
        };
        Ok(app.execute.run(request).await?)
    }

    /// Sends a command and shapes the answer of every ticket action.
    pub(crate) async fn act<T: Serialize>(
        self,
        app: &App,
        ticket: &str,
        body: &T,
        expected: Option<i64>,
        command: Command,
    ) -> ApiResult<Json<ActionResponse>> {
        let actor = self.actor.clone();
        let executed = self.execute(app, ticket, body, expected, command).await?;
        let events = app.tickets.newest_events(&executed).await?;
        let ticket = std::sync::Arc::unwrap_or_clone(executed.ticket);
        let opened = app.tickets.open(ticket).await?;
        Ok(Json(ActionResponse::of(&opened, &events, &actor)))
    }
}
