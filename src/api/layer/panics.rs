//! A panic in a handler is a defect and answers like one; where it happened is logged by the panic hook.

use crate::api::envelope::ApiError;
use crate::domain::error::ServiceError;
use axum::response::{IntoResponse, Response};
use std::any::Any;

/// The answer to a request whose handler panicked.
pub(super) fn answer(_: Box<dyn Any + Send + 'static>) -> Response {
    ApiError(ServiceError::defect("a handler panicked")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    #[tokio::test]
    async fn a_panic_answers_500_without_its_text() {
        let broken = get(async || -> () { panic!("secret invariant") });
        let router: Router = Router::new()
            .route("/", broken)
            .layer(CatchPanicLayer::custom(answer));
        let request = Request::builder().uri("/").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let text = String::from_utf8_lossy(&body);
        assert!(
            text.contains("INTERNAL_ERROR") && !text.contains("secret"),
            "{text}"
        );
    }
}
