//! A panic in a handler is a defect and answers like one; where it happened is logged by the panic hook.

use crate::api::envelope::ApiError;
use crate::domain::error::ServiceError;
use axum::response::{IntoResponse, Response};
use std::any::Any;

/// The answer to a request whose handler panicked.
pub(super) fn answer(_: Box<dyn Any + Send + 'static>) -> Response {
    ApiError(ServiceError::defect("a handler panicked")).into_response()
}
