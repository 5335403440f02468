//! The OpenAPI document and two pages that show it, all from inside the program: no page loads anything from outside.

use super::envelope::plain_error;
use crate::app::App;
use crate::domain::error::ErrorCode;
use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use utoipa::openapi::OpenApi as Document;
use utoipa_swagger_ui::Config;

const POLICY: (HeaderName, &str) = (
    CONTENT_SECURITY_POLICY,
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; worker-src blob:; frame-ancestors 'none'",
);
const REVALIDATE: (HeaderName, &str) = (CACHE_CONTROL, "no-cache");
const IMMUTABLE: (HeaderName, &str) = (CACHE_CONTROL, "public, max-age=31536000, immutable");

/// The bundle of the npm package redoc 2.5.4 (MIT), `bundles/redoc.standalone.js`, compressed. One thing was changed:
/// the address of its logo on another host became `data:,`, so that no browser asks for it.
static REDOC_BUNDLE: &[u8] = include_bytes!("assets/redoc-2.5.4.standalone.js.gz");

const REDOC_PAGE: &str = include_str!("assets/redoc.html");

/// `/api/openapi.json`, `/api/docs` and `/api/redoc`.
pub fn router(document: &Document) -> Router<App> {
    let json: Arc<str> = document.to_json().unwrap_or_default().into();
    let config = Arc::new(
        Config::new(["/api/openapi.json"])
            .persist_authorization(true)
            .try_it_out_enabled(true)
            .display_request_duration(true)
            .validator_url("none"),
    );
    let page = Arc::clone(&config);
    Router::new()
        .route(
            "/api/openapi.json",
            get(move || async move { document_answer(&json) }),
        )
        .route(
            "/api/docs",
            get(|| async { (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/api/docs/")]) }),
        )
        .route("/api/docs/", get(move || async move { swagger_file("", page) }))
        .route(
            "/api/docs/{*file}",
            get(move |Path(file): Path<String>| async move { swagger_file(&file, config) }),
        )
        .route("/api/redoc", get(redoc_page))
        .route("/api/redoc/redoc-2.5.4.js", get(redoc_bundle))
}

fn document_answer(json: &Arc<str>) -> Response {
    ([(CONTENT_TYPE, "application/json"), REVALIDATE], json.to_string()).into_response()
}

fn swagger_file(file: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(file, config) {
        Ok(Some(found)) => {
            let mut response = (
                [(CONTENT_TYPE, found.content_type.as_str()), POLICY, REVALIDATE],
                found.bytes.into_owned(),
            )
                .into_response();
            if found.gzpipped {
                response
                    .headers_mut()
                    .insert(CONTENT_ENCODING, axum::http::HeaderValue::from_static("gzip"));
            }
            response
        }
        Ok(None) | Err(_) => plain_error(StatusCode::NOT_FOUND, ErrorCode::NotFound, "Not Found"),
    }
}

async fn redoc_page() -> Response {
    (
        [(CONTENT_TYPE, "text/html; charset=utf-8"), POLICY, REVALIDATE],
        REDOC_PAGE,
    )
        .into_response()
}

async fn redoc_bundle() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CONTENT_ENCODING, "gzip"),
        IMMUTABLE,
    ];
    (headers, REDOC_BUNDLE).into_response()
}
