//! One line and one measurement for each request, and its correlation id on the answer.

use crate::api::extract::RequestContext;
use crate::app::App;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use std::net::SocketAddr;
use std::time::Instant;
use tracing::Instrument;

const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

/// Gives the request its context, and records how it went.
pub(super) async fn record(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|peer| peer.0.ip());
    let hops = app.settings.server.trusted_proxy_hops;
    let context = RequestContext::of(request.headers(), peer, hops, app.clock.now());
    let method = request.method().clone();
    let route = route_of(&request);
    let span = tracing::info_span!("request", correlation_id = %context.correlation_id, http.method = %method, http.route = %route);
    request.extensions_mut().insert(context.clone());
    let begun = Instant::now();
    metrics::gauge!("http_requests_in_flight").increment(1.0);
    let in_flight = InFlight;
    let mut response = next.run(request).instrument(span.clone()).await;
    drop(in_flight);
    let status = response.status().as_u16();
    let elapsed = begun.elapsed();
    let labels = [
        ("method", method.to_string()),
        ("route", route),
        ("status", status.to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(elapsed.as_secs_f64());
    let milliseconds = elapsed.as_secs_f64() * 1_000.0;
    span.in_scope(|| {
        tracing::info!(
            actor.id = context.actor(),
            http.status = status,
            duration_ms = milliseconds,
            "request served"
        );
    });
    if let Ok(id) = HeaderValue::from_str(&context.correlation_id) {
        response.headers_mut().insert(CORRELATION, id);
    }
    response
}

/// The route's pattern, so that ids neither fill the logs nor the metrics.
fn route_of(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned())
}

/// Counts down also when the client went away and the request was dropped.
struct InFlight;

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("http_requests_in_flight").decrement(1.0);
    }
}
