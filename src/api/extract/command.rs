//! Everything a ticket command needs from its request: the body, and what makes its repeat harmless.

use super::body::{self, ApiJson};
use super::{Caller, IdempotencyKey};
use crate::api::envelope::ApiError;
use crate::app::App;
use crate::services::execute::{IdempotencyKey as CommandIdempotency, fingerprint};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use garde::Validate;
use serde::de::DeserializeOwned;

/// The body of a ticket command as an [`ApiJson`] reads it, with the client's idempotency key and the fingerprint of
/// path and body. The caller is proved first, so that 401 comes before 400.
#[derive(Debug, Clone)]
pub struct ApiCommand<T> {
    /// The body.
    pub body: T,
    /// The client's key for this command, if it sent one.
    pub idempotency: Option<CommandIdempotency>,
    /// SHA-256 over path and body.
    pub fingerprint: String,
}

/// For commands without a body: none is needed, and any is passed over (contract http-tickets 1.6).
#[derive(Debug, Clone, Copy)]
pub struct NoBody;

/// How a command's body is read.
pub trait CommandBody: Sized {
    /// Reads the whole body.
    ///
    /// # Errors
    /// Every fault found in it.
    fn read(bytes: &Bytes) -> Result<Self, ApiError>;
}

impl CommandBody for NoBody {
    fn read(_: &Bytes) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

impl<T: DeserializeOwned + Validate<Context = ()>> CommandBody for ApiJson<T> {
    fn read(bytes: &Bytes) -> Result<Self, ApiError> {
        Ok(Self(body::read(bytes)?))
    }
}

impl<T: CommandBody> FromRequest<App> for ApiCommand<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (mut parts, stream) = request.into_parts();
        Caller::from_request_parts(&mut parts, app).await?;
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(&mut parts, app).await?;
        let pattern = parts
            .extensions
            .get::<MatchedPath>()
            .map(|path| path.as_str().to_owned());
        let path = parts.uri.path().to_owned();
        let route = format!("{} {}", parts.method, pattern.as_deref().unwrap_or(&path));
        let bytes = body::buffer(Request::from_parts(parts, stream), app).await?;
        let text = String::from_utf8_lossy(&bytes);
        let fingerprint = fingerprint(&[&path, &text]);
        Ok(Self {
            body: T::read(&bytes)?,
            idempotency: key.map(|key| CommandIdempotency {
                key,
                route,
                fingerprint: fingerprint.clone(),
            }),
            fingerprint,
        })
    }
}
