//! `Idempotency-Key` on every POST but those whose keys are stored with what they make: commands of tickets, and uploads,
//! which stream and are known by their content (design 8).

use crate::api::envelope::ApiError;
use crate::api::extract::{Caller, IdempotencyKey, whole_body};
use crate::app::App;
use crate::repositories::idempotency_repo::RecordedAnswer;
use crate::services::idempotency::{Admission, MarkedAction, Run};
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Larger answers are not kept; none of the routes gives one.
const MAX_KEPT_BYTES: u64 = 1 << 20;

/// Answers a repeat as the first time, and lets everything else through.
pub(super) async fn recognise(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_marked = request.headers().contains_key("idempotency-key");
    // Without a person there is nobody whose key it could be: the public routes.
    let has_person = request.headers().contains_key(AUTHORIZATION);
    if request.method() != Method::POST || !is_marked || !has_person || keeps_its_own(request.uri().path()) {
        return next.run(request).await;
    }
    answer(&app, request, next)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

/// Ticket commands and uploads store their key with what they change.
fn keeps_its_own(path: &str) -> bool {
    let Some(route) = path.strip_prefix("/api/v1/") else {
        return true;
    };
    let family = route.split('/').next();
    let is_upload = matches!(route, "attachments/upload" | "attachments/upload-multiple");
    is_upload || matches!(family, Some("tickets" | "change-requests"))
}

async fn answer(app: &App, request: Request, next: Next) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, app).await?;
    let IdempotencyKey(key) = IdempotencyKey::from_request_parts(&mut parts, app).await?;
    let whole = whole_body(Request::from_parts(parts.clone(), body), app).await?;
    let content = vec![parts.uri.to_string(), hex::encode(&whole)];
    let request = Request::from_parts(parts, Body::from(whole));
    let pattern = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let action = MarkedAction {
        key: key.unwrap_or_default(),
        route: format!("POST {}", pattern.unwrap_or_default()),
        content,
        longest_minutes: longest_minutes(app.settings.server.request_timeout),
    };
    match app.idempotency.admit(&caller.person, action).await? {
        Admission::Replay(recorded) => Ok(replay(recorded)),
        Admission::Run(run) => Ok(keep(app, &run, next.run(request).await).await),
    }
}

/// Longer than any request may take.
fn longest_minutes(request_timeout: Duration) -> i64 {
    i64::try_from(request_timeout.as_secs() / 60).map_or(i64::MAX, |minutes| minutes.saturating_add(1))
}

/// Keeps a success and forgets everything else. When that fails the action has still taken effect, so the client gets
/// its answer; its repeat then waits for the run's time to end.
async fn keep(app: &App, run: &Run, response: Response) -> Response {
    let length = response.body().size_hint().exact();
    let may_keep = response.status().is_success() && length.is_some_and(|bytes| bytes <= MAX_KEPT_BYTES);
    if !may_keep {
        if let Err(error) = app.idempotency.failed(run).await {
            tracing::warn!(error.text = %error, "an idempotency record could not be removed");
        }
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return ApiError(crate::domain::error::ServiceError::defect(
            "a buffered body failed",
        ))
        .into_response();
    };
    let kind = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let recorded = RecordedAnswer {
        status: parts.status.as_u16(),
        content_type: kind.unwrap_or_default().to_owned(),
        body: bson::Binary {
            subtype: bson::spec::BinarySubtype::Generic,
            bytes: bytes.to_vec(),
        },
    };
    if let Err(error) = app.idempotency.succeeded(run, &recorded).await {
        tracing::warn!(error.text = %error, "an idempotency record could not be kept");
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn replay(recorded: RecordedAnswer) -> Response {
    let status = StatusCode::from_u16(recorded.status).unwrap_or(StatusCode::OK);
    let mut response = (status, recorded.body.bytes).into_response();
    if let Ok(kind) = HeaderValue::from_str(&recorded.content_type) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
        .headers_mut()
        .insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ticket_commands_keep_their_own_keys() {
        for path in [
            "/api/v1/tickets",
            "/api/v1/tickets/TKT-1/cancel",
            "/api/v1/change-requests",
            "/api/v1/attachments/upload",
            "/dev/token",
        ] {
            assert!(keeps_its_own(path), "{path}");
        }
        for path in ["/api/v1/workflows", "/api/v1/ticketsy"] {
            assert!(!keeps_its_own(path), "{path}");
        }
    }
}
