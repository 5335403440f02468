//! What happens to every request before and after its handler.
//!
//! From the outside in: slashes, context and access log, CORS, security headers, panics, conditional answers,
//! compression, load, time-out, body limit, freshness, repeats. CORS is outside of everything that can answer, so a browser can read every error.

mod access_log;
mod compression;
mod conditional;
mod cors;
mod freshness;
mod idempotency;
mod load;
mod panics;
mod rate_limit;
mod security_headers;
mod slashes;
mod timeout;

pub use conditional::{RenderedJson, Versioned};
pub use rate_limit::{Purpose, RateLimits};

use crate::app::App;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::{Router, middleware};
use std::sync::Arc;
use tower::util::MapRequestLayer;
use tower::{Layer, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;

/// Largest JSON body, in bytes; uploads have their own limit.
pub const MAX_JSON_BYTES: usize = 5 << 20;

/// The router with everything around it.
pub fn around(router: Router, app: &App) -> Router {
    let rooms = Arc::new(load::Rooms::new(app.settings.server.max_concurrent_requests));
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(app.clone(), access_log::record))
        .layer(cors::layer(&app.settings.server))
        .layer(middleware::from_fn_with_state(app.clone(), security_headers::add))
        .layer(compression::layer())
        .layer(middleware::from_fn(conditional::answer))
        .layer(CatchPanicLayer::custom(panics::answer))
        .layer(middleware::from_fn_with_state(rooms, load::shed))
        .layer(middleware::from_fn_with_state(
            app.settings.server.request_timeout,
            timeout::bound,
        ))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(middleware::from_fn_with_state(app.clone(), freshness::see_to))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            idempotency::recognise,
        ));
    let inner = router.layer(layers);
    let normalised = MapRequestLayer::new(|request: Request| slashes::normalise(request)).layer(inner);
    Router::new().fallback_service(normalised)
}
