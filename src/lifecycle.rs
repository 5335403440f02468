//! The life of the process: connect, build indexes, serve, and stop in order.

use crate::app::App;
use crate::config::{DatabaseServer, Settings};
use crate::domain::time::Clock;
use crate::repositories::embedded::EmbeddedServer;
use crate::repositories::primary_watch::PrimaryWatch;
use crate::repositories::{indexes, mongo};
use mongodb::Database;
use std::time::Duration;

/// How long requests and tasks may take to finish after the first signal.
const GRACE: Duration = Duration::from_secs(30);

/// A database connection and, in development, the server behind it.
#[derive(Debug)]
pub struct OpenDatabase {
    /// The database.
    pub database: Database,
    /// Which of its members is primary.
    pub primary: PrimaryWatch,
    /// The child server, when the settings ask for one.
    pub embedded: Option<EmbeddedServer>,
}

/// Opens the database of the settings, starting the embedded server when asked for.
///
/// # Errors
/// One line that says what is wrong and what to do.
pub async fn open_database(settings: &Settings) -> anyhow::Result<OpenDatabase> {
    let (uri, embedded) = match &settings.database.server {
        DatabaseServer::At(uri) => (uri.clone(), None),
        DatabaseServer::Embedded { program } => {
            let folder = settings.storage_path.join("mongo");
            let server = EmbeddedServer::start(&folder, program.as_deref()).await?;
            (server.uri(), Some(server))
        }
    };
    let settings = &settings.database;
    match mongo::connect_watching(&uri, &settings.name, settings.max_pool_size).await {
        Ok((database, primary)) => Ok(OpenDatabase {
            database,
            primary,
            embedded,
        }),
        Err(error) => {
            if let Some(server) = embedded {
                server.stop().await;
            }
            Err(error.into())
        }
    }
}

/// Opens the database, makes sure of its indexes and builds the application.
///
/// # Errors
/// The database cannot be used, or an index cannot be built.
pub async fn start(settings: Settings) -> anyhow::Result<(App, Option<EmbeddedServer>)> {
    let OpenDatabase {
        database,
        primary,
        embedded,
    } = open_database(&settings).await?;
    if let Err(error) = indexes::ensure(&database).await {
        if let Some(server) = embedded {
            server.stop().await;
        }
        return Err(error);
    }
    match App::build_watching(settings, Clock::System, database, primary) {
        Ok(app) => Ok((app, embedded)),
        Err(error) => {
            if let Some(server) = embedded {
                server.stop().await;
            }
            Err(error)
        }
    }
}

/// Resolves at the first signal that asks the process to end.
pub async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Waits for every task after shutdown has begun: until they are done, 30 seconds are over, or a second signal comes.
pub async fn finish(app: &App) {
    app.tasks.stopping.cancel();
    app.tasks.tracker.close();
    tokio::select! {
        () = app.tasks.tracker.wait() => tracing::info!("all tasks have finished"),
        () = tokio::time::sleep(GRACE) => tracing::warn!("some tasks did not finish in time"),
        () = signalled() => tracing::warn!("told to stop at once"),
    }
}
