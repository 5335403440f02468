//! Who has done something sees it, through any process, whatever becomes of the database meanwhile: nothing that was
//! read across an election of its primary is answered.

use crate::api::envelope::ApiError;
use crate::app::App;
use crate::domain::error::ServiceError;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// How often a read is repeated.
const TRIES: usize = 3;

/// Reads again what was read across an election. A refusal that was decided across one is none: the caller is told to
/// come back. What took effect was committed by its version, so it stands.
pub(super) async fn see_to(State(app): State<App>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/v1/") {
        return next.run(request).await;
    }
    if request.method() != Method::GET {
        let term = match app.primary.settled(&app.database).await {
            Ok(term) => term,
            Err(error) => return ApiError(error.into()).into_response(),
        };
        let response = next.run(request).await;
        let is_certain = !response.status().is_client_error() || app.primary.is_still(term);
        return if is_certain { response } else { come_back() };
    }
    let (parts, _no_body) = request.into_parts();
    for _ in 0..TRIES {
        let term = match app.primary.settled(&app.database).await {
            Ok(term) => term,
            Err(error) => return ApiError(error.into()).into_response(),
        };
        let again = Request::from_parts(parts.clone(), Body::empty());
        let response = next.clone().run(again).await;
        if app.primary.is_still(term) {
            return response;
        }
    }
    come_back()
}

fn come_back() -> Response {
    let what = anyhow::anyhow!("the database has elected another primary meanwhile");
    ApiError(ServiceError::unavailable(what)).into_response()
}
