//! JSON bodies.

use super::lenient::Origin;
use super::read_valid;
use crate::api::envelope::ApiError;
use crate::domain::error::{ErrorCode, FieldError, ServiceError};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use garde::Validate;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Objects and lists inside each other at most; also what our own parser accepts back from storage.
const MAX_DEPTH: usize = 64;

/// A JSON body, read leniently (contract http-tickets 1.6) and validated; a missing content type is tolerated.
///
/// Faults answer 400 with every failing field, a body that is too large 413.
#[derive(Debug, Clone)]
pub struct ApiJson<T>(pub T);

/// A JSON body that may be left out.
#[derive(Debug, Clone)]
pub struct OptionalJson<T>(pub Option<T>);

impl<T, S> FromRequest<S> for ApiJson<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(read(&buffer(request, state).await?)?))
    }
}

/// A body that must be there.
fn read<T>(bytes: &Bytes) -> Result<T, ServiceError>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    if bytes.is_empty() {
        return Err(body_fault(Vec::new(), "missing", "Field required"));
    }
    read_valid(Origin::Body, &parse(bytes)?)
}

impl<T, S> FromRequest<S> for OptionalJson<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = buffer(request, state).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(None));
        }
        let value = parse(&bytes)?;
        if value.is_null() {
            return Ok(Self(None));
        }
        Ok(Self(Some(read_valid(Origin::Body, &value)?)))
    }
}

/// The whole body, within the route's limit.
pub(in crate::api) async fn buffer<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<Bytes, ServiceError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let is_too_large = matches!(
            rejection,
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_))
        );
        if is_too_large {
            return ServiceError::TooLarge {
                code: ErrorCode::PayloadTooLarge,
                message: "the request body is larger than this route accepts".to_owned(),
            };
        }
        body_fault(
            Vec::new(),
            "json_invalid",
            "the body could not be read to its end",
        )
    })
}

fn parse(bytes: &[u8]) -> Result<Value, ServiceError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let offset = byte_offset(bytes, error.line(), error.column());
        body_fault(vec![offset.to_string()], "json_invalid", json_message(&error))
    })?;
    if is_deeper_than(&value, MAX_DEPTH) {
        let text = format!("JSON may be nested {MAX_DEPTH} levels deep at most");
        return Err(body_fault(Vec::new(), "json_invalid", text));
    }
    Ok(value)
}

/// The parser's complaint without its position, which the location holds.
fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let cause = text.split(" at line ").next().unwrap_or_default();
    format!("JSON decode error: {cause}")
}

fn byte_offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let before: usize = bytes
        .split(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(|line| line.len() + 1)
        .sum();
    before + column.saturating_sub(1)
}

fn is_deeper_than(value: &Value, limit: usize) -> bool {
    let inside = |value: &Value| limit == 0 || is_deeper_than(value, limit - 1);
    match value {
        Value::Array(items) => items.iter().any(inside),
        Value::Object(entries) => entries.values().any(inside),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn body_fault(keys: Vec<String>, kind: &'static str, message: impl Into<String>) -> ServiceError {
    let mut location = vec!["body".to_owned()];
    location.extend(keys);
    ServiceError::InvalidInput(vec![FieldError {
        location,
        kind,
        message: message.into(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, Validate)]
    #[garde(allow_unvalidated)]
    struct Note {
        #[garde(length(chars, min = 1, max = 5))]
        text: String,
        #[garde(range(min = 1))]
        page: i64,
    }

    async fn faults(body: impl Into<Body>) -> Vec<(String, &'static str)> {
        let request = Request::new(body.into());
        let Err(ApiError(ServiceError::InvalidInput(faults))) =
            ApiJson::<Note>::from_request(request, &()).await
        else {
            return Vec::new();
        };
        faults
            .into_iter()
            .map(|fault| (fault.location.join("."), fault.kind))
            .collect()
    }

    #[tokio::test]
    async fn a_missing_body_is_a_missing_field() {
        assert_eq!(faults(Body::empty()).await, [("body".to_owned(), "missing")]);
    }

    #[tokio::test]
    async fn rules_and_types_are_reported_together() {
        let found = faults(r#"{"text": "too long", "page": "many"}"#).await;
        assert_eq!(
            found,
            [
                ("body.page".to_owned(), "int_parsing"),
                ("body.text".to_owned(), "string_too_long")
            ]
        );
    }

    #[tokio::test]
    async fn broken_json_names_the_place() {
        assert_eq!(
            faults("{\n\"text\": }").await,
            [("body.10".to_owned(), "json_invalid")]
        );
        assert_eq!(faults("[1e999]").await.len(), 1);
    }

    #[tokio::test]
    async fn deep_nesting_is_refused() {
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert_eq!(faults(deep).await, [("body".to_owned(), "json_invalid")]);
        let deeper = "[".repeat(100_000);
        assert_eq!(faults(deeper).await.len(), 1);
    }

    #[tokio::test]
    async fn an_absent_optional_body_is_nothing() {
        for empty in ["", "  ", "null"] {
            let read = OptionalJson::<Note>::from_request(Request::new(empty.into()), &())
                .await
                .unwrap();
            assert!(read.0.is_none(), "{empty:?}");
        }
    }
}
