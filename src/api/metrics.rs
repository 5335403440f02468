//! `/metrics` for Prometheus: served to this machine and to administrators, not part of the documented interface.

use super::envelope::ApiError;
use super::extract::{Caller, ClientAddress};
use crate::app::App;
use crate::services::access::require_admin;
use crate::telemetry;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// The route.
pub fn router() -> Router<App> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(ClientAddress(address): ClientAddress, caller: Result<Caller, ApiError>) -> Response {
    if !address.is_some_and(|address| address.is_loopback()) {
        let allowed = caller.and_then(|caller| require_admin(&caller).map_err(ApiError::from));
        if let Err(refused) = allowed {
            return refused.into_response();
        }
    }
    telemetry::rendered_metrics().map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        IntoResponse::into_response,
    )
}
