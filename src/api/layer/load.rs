//! A bound on requests served at the same time: better some are told to come back than all become slow.

use crate::api::envelope::ApiError;
use crate::domain::error::ServiceError;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Answers 503 with `Retry-After` above the bound; health is always answered, or a busy process would be taken for a
/// dead one.
pub(super) async fn shed(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == "/health" || path.starts_with("/health/") || path == "/metrics" {
        return next.run(request).await;
    }
    let Ok(_place) = places.try_acquire() else {
        metrics::counter!("http_requests_shed_total").increment(1);
        let busy = ServiceError::Unavailable {
            retry_after: Duration::from_secs(1),
            source: Some(anyhow::anyhow!("too many requests at the same time")),
        };
        return ApiError(busy).into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt;

    #[tokio::test]
    async fn above_the_bound_requests_are_shed_and_health_is_answered() {
        let places = Arc::new(Semaphore::new(1));
        let shedding = middleware::from_fn_with_state(Arc::clone(&places), shed);
        let router: Router = Router::new()
            .route("/", get(async || ()))
            .route("/health/live", get(async || ()))
            .layer(shedding);
        let status = async |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status()
        };
        assert_eq!(status("/").await, StatusCode::OK);
        let taken = places.try_acquire().unwrap();
        assert_eq!(status("/").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status("/health/live").await, StatusCode::OK);
        drop(taken);
        assert_eq!(status("/").await, StatusCode::OK);
    }
}
