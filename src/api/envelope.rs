//! Errors on the wire: the one mapping of [`ServiceError`] to status, headers and body.
//!
//! Every error has the superset envelope of contract http-workflows 0.2, which satisfies all readers of the SPA:
//! `{"detail":{"message","error":{code,message,details}},"error":{code,message,details}}`. Only lookup routes keep
//! `detail` a plain text ([`LookupApiError`]). The text of a 5xx is constant; its cause is logged here, once.

use crate::domain::error::{ErrorCode, FieldError, ServiceError};
use crate::domain::refusal::Refusal;
use axum::Json;
use axum::http::header::{ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::time::Duration;
use utoipa::ToSchema;

/// What a handler returns.
pub type ApiResult<T> = Result<T, ApiError>;

/// A [`ServiceError`] on its way to the client.
#[derive(Debug)]
pub struct ApiError(pub ServiceError);

/// The same for lookup routes, whose `detail` is a plain text (contract http-workflows 4.2).
#[derive(Debug)]
pub struct LookupApiError(pub ServiceError);

/// What went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorObject {
    /// A stable code, for example `VALIDATION_ERROR`.
    #[schema(example = "VALIDATION_ERROR")]
    pub code: String,
    /// What is wrong, for people.
    #[schema(example = "The request is not valid.")]
    pub message: String,
    /// Facts for programs; for `VALIDATION_ERROR` a list `errors` of `{type, loc, msg}`.
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
}

/// The body of every error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The message again, and the error again, where older clients look for them.
    pub detail: ErrorDetail,
    /// What went wrong.
    pub error: ErrorObject,
}

/// The part of [`ErrorBody`] that older clients read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// What is wrong, for people.
    pub message: String,
    /// What went wrong.
    pub error: ErrorObject,
}

/// The body of an error of a lookup route.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LookupErrorBody {
    /// What is wrong, for people.
    pub detail: String,
    /// What went wrong.
    pub error: ErrorObject,
}

impl From<ErrorObject> for ErrorBody {
    fn from(error: ErrorObject) -> Self {
        Self {
            detail: ErrorDetail {
                message: error.message.clone(),
                error: error.clone(),
            },
            error,
        }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        Self(error)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.into())
    }
}

impl From<ServiceError> for LookupApiError {
    fn from(error: ServiceError) -> Self {
        Self(error)
    }
}

impl From<ApiError> for LookupApiError {
    fn from(error: ApiError) -> Self {
        Self(error.0)
    }
}

impl ApiError {
    /// The body alone, for an answer whose head is sent already.
    pub fn to_body(&self) -> ErrorBody {
        log(&self.0);
        describe(&self.0).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (status(&self.0), Json(self.to_body())).into_response();
        add_headers(&self.0, &mut response);
        response
    }
}

impl IntoResponse for LookupApiError {
    fn into_response(self) -> Response {
        // The SPA's session renewal and field errors expect the common form everywhere.
        if matches!(
            self.0,
            ServiceError::Unauthenticated(_) | ServiceError::InvalidInput(_)
        ) {
            return ApiError(self.0).into_response();
        }
        log(&self.0);
        let error = describe(&self.0);
        let body = LookupErrorBody {
            detail: error.message.clone(),
            error,
        };
        let mut response = (status(&self.0), Json(body)).into_response();
        add_headers(&self.0, &mut response);
        response
    }
}

/// An answer with the common error body that is not the outcome of a use case: unknown routes, limits, panics.
pub fn plain_error(status: StatusCode, code: ErrorCode, message: &str) -> Response {
    let error = ErrorObject {
        code: code.as_str(),
        message: message.to_owned(),
        details: Map::new(),
    };
    (status, Json(ErrorBody::from(error))).into_response()
}

/// The status of an error (design 8, contract http-workflows 0.2).
pub fn status(error: &ServiceError) -> StatusCode {
    match error {
        ServiceError::Refused(refusal) => refusal_status(refusal),
        ServiceError::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        ServiceError::Forbidden { .. } => StatusCode::FORBIDDEN,
        ServiceError::NotFound { .. } => StatusCode::NOT_FOUND,
        ServiceError::InvalidInput(_) | ServiceError::BadRequest { .. } => StatusCode::BAD_REQUEST,
        ServiceError::Conflict { .. } => StatusCode::CONFLICT,
        ServiceError::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
        ServiceError::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        ServiceError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        ServiceError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        ServiceError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        ServiceError::External { .. } => StatusCode::BAD_GATEWAY,
        ServiceError::Defect(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn refusal_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::TicketNotFound
        | Refusal::StepNotFound
        | Refusal::NotFound { .. }
        | Refusal::WorkflowNotFound { .. } => StatusCode::NOT_FOUND,
        Refusal::PermissionDenied(_) => StatusCode::FORBIDDEN,
        Refusal::InvalidState(_)
        | Refusal::InfoRequestOpen
        | Refusal::AlreadyExists(_)
        | Refusal::ConcurrencyConflict { .. }
        | Refusal::LimitReached { .. }
        | Refusal::TicketTooLarge => StatusCode::CONFLICT,
        Refusal::Validation { .. }
        | Refusal::TransitionNotFound { .. }
        | Refusal::ApproverResolution(_)
        | Refusal::ManagerNotFound
        | Refusal::AttachmentRefused(_) => StatusCode::BAD_REQUEST,
    }
}

pub(super) fn describe(error: &ServiceError) -> ErrorObject {
    let (code, details) = match error {
        ServiceError::Refused(refusal) => (refusal.code(), refusal.details()),
        ServiceError::Unauthenticated(_) => (ErrorCode::AuthenticationError, Map::new()),
        ServiceError::Forbidden { .. } => (ErrorCode::PermissionDenied, Map::new()),
        ServiceError::NotFound { code, .. }
        | ServiceError::TooLarge { code, .. }
        | ServiceError::External { code, .. } => (*code, Map::new()),
        ServiceError::InvalidInput(fields) => (ErrorCode::ValidationError, field_details(fields)),
        ServiceError::BadRequest { code, details, .. } | ServiceError::Conflict { code, details, .. } => {
            (*code, details.clone())
        }
        ServiceError::PreconditionFailed { current_version } => (
            ErrorCode::PreconditionFailed,
            one("current_version", json!(current_version)),
        ),
        ServiceError::IdempotencyKeyReused => (ErrorCode::IdempotencyKeyReused, Map::new()),
        ServiceError::RateLimited { retry_after } => {
            let seconds = whole_seconds(*retry_after);
            (
                ErrorCode::RateLimitExceeded,
                one("retry_after_seconds", json!(seconds)),
            )
        }
        ServiceError::Unavailable { .. } => (ErrorCode::ServiceUnavailable, Map::new()),
        ServiceError::Defect(_) => {
            let hint = "Try again; if it stays, give the support team the X-Correlation-Id of this answer.";
            (ErrorCode::InternalError, one("hint", json!(hint)))
        }
    };
    ErrorObject {
        code: code.as_str(),
        message: message(error),
        details,
    }
}

/// The text for people; that of a defect says nothing of its cause.
fn message(error: &ServiceError) -> String {
    match error {
        ServiceError::Defect(_) => "An unexpected error occurred.".to_owned(),
        ServiceError::Unavailable { .. } => {
            "The service is busy or its database is unavailable; try again in a moment.".to_owned()
        }
        ServiceError::InvalidInput(fields) => match fields.as_slice() {
            [field] => format!("{}: {}", field.location.join("."), field.message),
            fields => format!("The request is not valid: {} fields are wrong.", fields.len()),
        },
        ServiceError::Refused(_)
        | ServiceError::Unauthenticated(_)
        | ServiceError::Forbidden { .. }
        | ServiceError::NotFound { .. }
        | ServiceError::BadRequest { .. }
        | ServiceError::Conflict { .. }
        | ServiceError::PreconditionFailed { .. }
        | ServiceError::IdempotencyKeyReused
        | ServiceError::TooLarge { .. }
        | ServiceError::RateLimited { .. }
        | ServiceError::External { .. } => error.to_string(),
    }
}

/// `errors: [{type, loc, msg}]` (contract http-tickets 1.6); inputs are never echoed.
fn field_details(fields: &[FieldError]) -> Map<String, Value> {
    let errors = fields.iter().map(|field| {
        let loc = field.location.iter().map(|part| position_or_key(part));
        json!({"type": field.kind, "loc": loc.collect::<Vec<_>>(), "msg": field.message})
    });
    one("errors", Value::Array(errors.collect()))
}

/// Positions in lists are numbers on the wire.
fn position_or_key(part: &str) -> Value {
    part.parse::<u32>()
        .map_or_else(|_| json!(part), |position| json!(position))
}

fn one(key: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(key.to_owned(), value)])
}

/// Seconds for `Retry-After`, rounded up and at least one.
fn whole_seconds(duration: Duration) -> u64 {
    let rounded_up = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    rounded_up.max(1)
}

fn add_headers(error: &ServiceError, response: &mut Response) {
    let headers = response.headers_mut();
    match error {
        ServiceError::Unauthenticated(_) => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        ServiceError::RateLimited { retry_after } | ServiceError::Unavailable { retry_after, .. } => {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(*retry_after)));
        }
        ServiceError::PreconditionFailed { current_version } => {
            if let Ok(tag) = HeaderValue::from_str(&format!("\"{current_version}\"")) {
                headers.insert(ETAG, tag);
            }
        }
        ServiceError::Refused(_)
        | ServiceError::Forbidden { .. }
        | ServiceError::NotFound { .. }
        | ServiceError::InvalidInput(_)
        | ServiceError::BadRequest { .. }
        | ServiceError::Conflict { .. }
        | ServiceError::IdempotencyKeyReused
        | ServiceError::TooLarge { .. }
        | ServiceError::External { .. }
        | ServiceError::Defect(_) => {}
    }
}

/// 4xx are the client's business and logged for debugging only; 5xx are logged with their causes.
fn log(error: &ServiceError) {
    let status = status(error).as_u16();
    if status < 500 {
        tracing::debug!(http.status = status, error.code = %describe(error).code, "request refused");
        return;
    }
    tracing::error!(http.status = status, error.causes = %causes(error), "request not served");
}

/// The error and its sources, from the outside in.
fn causes(error: &ServiceError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    async fn body(response: Response) -> Value {
        serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn every_reader_finds_message_and_code() {
        let error = ServiceError::not_found(ErrorCode::WorkflowNotFound, "workflow not found");
        let response = ApiError(error).into_response();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = body(response).await;
        assert_eq!(body["detail"]["message"], "workflow not found");
        assert_eq!(body["detail"]["error"]["message"], "workflow not found");
        assert_eq!(body["detail"]["error"]["code"], "WORKFLOW_NOT_FOUND");
        assert_eq!(body["error"]["code"], "WORKFLOW_NOT_FOUND");
        assert_eq!(body["error"]["details"], json!({}));
    }

    #[tokio::test]
    async fn a_lookup_error_has_a_plain_detail() {
        let error = ServiceError::conflict(ErrorCode::AlreadyExists, "this key exists");
        let body = body(LookupApiError(error).into_response()).await;
        assert_eq!(body["detail"], "this key exists");
        assert_eq!(body["error"]["code"], "ALREADY_EXISTS");
    }

    #[tokio::test]
    async fn a_defect_tells_the_client_nothing() {
        let response = ApiError(ServiceError::defect("secret invariant")).into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body(response).await.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn field_errors_name_type_location_and_text() {
        let fields = vec![FieldError {
            location: vec!["body".into(), "steps".into(), "0".into(), "name".into()],
            kind: "missing",
            message: "Field required".into(),
        }];
        let body = body(ApiError(ServiceError::InvalidInput(fields)).into_response()).await;
        assert_eq!(
            body["error"]["details"]["errors"],
            json!([{"type": "missing", "loc": ["body", "steps", 0, "name"], "msg": "Field required"}])
        );
    }

    #[test]
    fn waiting_is_at_least_one_second() {
        assert_eq!(whole_seconds(Duration::from_millis(20)), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1_001)), 2);
    }

    #[test]
    fn unavailable_and_limited_say_when_to_come_back() {
        let limited = ApiError(ServiceError::RateLimited {
            retry_after: Duration::from_secs(3),
        });
        assert_eq!(limited.into_response().headers()[RETRY_AFTER], "3");
        let unauthenticated = ApiError(ServiceError::Unauthenticated("sign in"));
        assert_eq!(
            unauthenticated.into_response().headers()[WWW_AUTHENTICATE],
            "Bearer"
        );
    }
}
