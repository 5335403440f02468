//! The listener: takes connections up to a bound, and lets no client hold one for nothing.
//!
//! A client has a bounded time to send the head of its next request, which ends idle connections too, and an answer
//! that nobody takes is given up. Bodies have their time from `layer::timeout`.

use super::router;
use crate::app::App;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a client may take no byte of its answer.
const LONGEST_STALL: Duration = Duration::from_mins(1);
/// How long the listener rests when the system gives it no connection, because files or memory are short.
const SHORTAGE: Duration = Duration::from_secs(1);

/// Serves until `stopping` is cancelled and the requests under way are answered.
///
/// # Errors
/// The listener fails.
pub async fn serve(app: App, listener: TcpListener, stopping: CancellationToken) -> anyhow::Result<()> {
    let service = router::service(&app);
    let places = Arc::new(Semaphore::new(app.settings.server.max_connections));
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(app.settings.server.header_timeout);
    let ending = GracefulShutdown::new();
    loop {
        let next = next_connection(&listener, &places);
        let (stream, peer, place) = tokio::select! {
            () = stopping.cancelled() => break,
            next = next => next?,
        };
        let service = TowerToHyperService::new(with_peer(service.clone(), peer));
        let connection = protocol.serve_connection(TokioIo::new(Box::pin(bounded(stream))), service);
        let connection = ending.watch(connection);
        app.tasks.tracker.spawn(async move {
            metrics::gauge!("http_connections").increment(1.0);
            if let Err(error) = connection.await {
                tracing::debug!(error.text = %error, "a connection ended early");
            }
            metrics::gauge!("http_connections").decrement(1.0);
            drop(place);
        });
    }
    drop(listener);
    ending.shutdown().await;
    Ok(())
}

/// The next connection, once there is a place for it; until then the system lets clients wait.
async fn next_connection(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> anyhow::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Ok((stream, peer, place)),
            Err(error) if is_of_the_client(error.kind()) => {}
            Err(error) => {
                tracing::error!(error.text = %error, "no connection could be taken");
                tokio::time::sleep(SHORTAGE).await;
            }
        }
    }
}

/// Whether the client has gone before it was taken.
fn is_of_the_client(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

fn bounded(stream: TcpStream) -> TimeoutStream<TcpStream> {
    // Answers are written whole, so waiting for more to send gains nothing.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(LONGEST_STALL));
    stream
}

/// The service as one client sees it.
fn with_peer(
    service: Router,
    peer: SocketAddr,
) -> impl tower::Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone
+ Send {
    service.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    })
}
