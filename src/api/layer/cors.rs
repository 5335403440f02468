//! Cross-origin rules (design 6, contract http-workflows 0.5).

use crate::config::ServerSettings;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, ETAG, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use std::time::Duration;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Echoes the origins of the settings with credentials allowed; every origin where the settings say `*`.
pub(super) fn layer(server: &ServerSettings) -> CorsLayer {
    let origins = match &server.cors_origins {
        None => AllowOrigin::mirror_request(),
        Some(origins) => AllowOrigin::list(
            origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok()),
        ),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods([
            Method::DELETE,
            Method::GET,
            Method::HEAD,
            Method::OPTIONS,
            Method::PATCH,
            Method::POST,
            Method::PUT,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            HeaderName::from_static("x-correlation-id"),
            CONTENT_DISPOSITION,
            CONTENT_LENGTH,
            ETAG,
            RETRY_AFTER,
        ])
        .max_age(Duration::from_mins(10))
}
