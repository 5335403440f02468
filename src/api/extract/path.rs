//! Path parameters.

use super::lenient::{self, Origin};
use crate::api::envelope::ApiError;
use crate::domain::error::{FieldError, ServiceError};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The parameters of the path: one value, a tuple in the order of the path, or a struct by name.
///
/// Faults answer 400 with every failing parameter. Ids are taken as text; a malformed one is simply not found.
#[derive(Debug, Clone)]
pub struct ApiPath<T>(pub T);

impl<T, S> FromRequestParts<S> for ApiPath<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let named = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| not_text())?;
        let named: Map<String, Value> = named
            .iter()
            .map(|(name, text)| (name.to_owned(), Value::String(text.to_owned())))
            .collect();
        match lenient::read(Origin::Path, &Value::Object(named)) {
            (Some(read), faults) if faults.is_empty() => Ok(Self(read)),
            (_, faults) => Err(ServiceError::InvalidInput(faults).into()),
        }
    }
}

fn not_text() -> ServiceError {
    ServiceError::InvalidInput(vec![FieldError {
        location: vec!["path".to_owned()],
        kind: "string_unicode",
        message: "The path is not valid UTF-8 after percent-decoding".to_owned(),
    }])
}
