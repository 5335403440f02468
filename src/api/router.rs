//! The one list of routes; it makes both the router and the OpenAPI document.

use super::{health, openapi};
use crate::app::App;
use axum::Router;
use utoipa_axum::router::OpenApiRouter;

/// Every documented route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base()).merge(health::router())
}

/// The whole service.
pub fn service(app: App) -> Router {
    let (router, _document) = routes().split_for_parts();
    router.with_state(app)
}
