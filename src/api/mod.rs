//! The HTTP surface: extract, call one service method, answer.

pub mod admin;
pub mod attachments;
pub mod change_requests;
pub mod dev;
pub mod directory;
pub mod docs;
pub mod envelope;
pub mod extract;
pub mod genai;
pub mod health;
pub mod layer;
pub mod lookups;
pub mod metrics;
pub mod notifications;
pub mod openapi;
pub mod router;
pub mod tickets;
pub mod view;
pub mod workflows;

use crate::app::App;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until `stopping` is cancelled and the requests under way are answered.
///
/// # Errors
/// The listener fails.
pub async fn serve(app: App, listener: TcpListener, stopping: CancellationToken) -> anyhow::Result<()> {
    let service = router::service(&app).into_make_service_with_connect_info::<std::net::SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(stopping.cancelled_owned())
        .await?;
    Ok(())
}
