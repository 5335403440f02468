//! No request occupies the service for ever; the SPA gives up after 30 seconds, so an answer after that is for nobody.

use crate::api::envelope::plain_error;
use crate::domain::error::ErrorCode;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Duration;

/// Uploads over slow lines may take longer than other requests.
const UPLOAD: Duration = Duration::from_mins(5);

/// Answers 503 when the answer's head is not there in time; bodies of answers may stream on.
pub(super) async fn bound(State(usual): State<Duration>, request: Request, next: Next) -> Response {
    let limit = if is_upload(&request) { UPLOAD } else { usual };
    if let Ok(response) = tokio::time::timeout(limit, next.run(request)).await {
        return response;
    }
    tracing::error!(timeout_ms = limit.as_millis(), "request not answered in time");
    let text = "The request took too long. It may still take effect; look before you repeat it.";
    let mut response = plain_error(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::RequestTimeout, text);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn is_upload(request: &Request) -> bool {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|kind| kind.starts_with("multipart/form-data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::post;
    use axum::{Router, middleware};
    use tower::ServiceExt;

    async fn status_of(kind: &str) -> Response {
        let slow = post(async || tokio::time::sleep(Duration::from_mins(1)).await);
        let bounded = middleware::from_fn_with_state(Duration::from_secs(28), bound);
        let router: Router = Router::new().route("/", slow).layer(bounded);
        let request = Request::builder()
            .method("POST")
            .uri("/")
            .header(CONTENT_TYPE, kind);
        router
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_told_to_come_back() {
        let response = status_of("application/json").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_may_take_longer() {
        assert_eq!(
            status_of("multipart/form-data; boundary=x").await.status(),
            StatusCode::OK
        );
    }
}
