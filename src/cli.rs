//! The command line.

mod access;
mod import_legacy;
mod outbox;
mod replay;
mod seed;

use crate::app::App;
use crate::config::Settings;
use crate::repositories::embedded::EmbeddedServer;
use crate::repositories::indexes;
use crate::{api, lifecycle, scheduler, telemetry};
use access::{AdminCommand, BootstrapCommand};
use clap::{Parser, Subcommand};
use outbox::OutboxCommand;
use std::io::Write;

/// Enterprise workflow and ticketing backend.
#[derive(Debug, Parser)]
#[command(name = "workflow-ops", version, about)]
pub struct Cli {
    /// What to do; serves when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the HTTP interface and run background jobs.
    Serve,
    /// Fill a development database with people, workflows and tickets.
    Seed,
    /// Print a token of development for everybody in the development directory.
    Tokens,
    /// Print the OpenAPI document.
    Openapi,
    /// Print a token of development for a person of the development directory.
    Token {
        /// The person's address.
        email: String,
    },
    /// List, add or remove administrators.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// The set-up of the first super administrator.
    #[command(subcommand)]
    Bootstrap(BootstrapCommand),
    /// Mails that were given up.
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Bring the database of the backend that this service replaces over.
    ImportLegacy(import_legacy::ImportLegacy),
    /// Build every ticket again from its recorded commands and compare it with what is stored.
    Replay,
    /// Create missing indexes and end.
    Indexes,
    /// Check the settings and end.
    CheckConfig,
}

/// Carries out the command line.
///
/// # Errors
/// What went wrong, for standard error.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve().await,
        Command::Seed => seed::run().await,
        Command::Tokens => seed::tokens(),
        Command::Openapi => print(&api::openapi::document_json()?),
        Command::Token { email } => access::token(&email),
        Command::Admin(command) => access::admin(command).await,
        Command::Bootstrap(command) => access::bootstrap(command).await,
        Command::Outbox(command) => outbox::run(command).await,
        Command::ImportLegacy(wanted) => import_legacy::run(wanted).await,
        Command::Replay => replay::replay().await,
        Command::Indexes => build_indexes().await,
        Command::CheckConfig => {
            let settings = Settings::load()?;
            print(&format!(
                "the configuration for {} is usable",
                settings.environment.as_str()
            ))
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    telemetry::init_logging(&settings.log)?;
    let metrics = telemetry::init_metrics();
    let bind = settings.server.bind;
    let (app, embedded) = lifecycle::start(settings).await?;
    if let Some(handle) = metrics.clone() {
        app.tasks
            .tracker
            .spawn(telemetry::keep_metrics(handle, app.tasks.stopping.clone()));
    }
    scheduler::start(&app).await?;
    let listener = tokio::net::TcpListener::bind(bind).await;
    let listener = listener.map_err(|error| anyhow::anyhow!("cannot listen on {bind}: {error}"))?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    let served = serve_until_stopped(&app, listener, embedded).await;
    tracing::info!("stopped");
    served
}

async fn serve_until_stopped(
    app: &App,
    listener: tokio::net::TcpListener,
    embedded: Option<EmbeddedServer>,
) -> anyhow::Result<()> {
    let stopping = app.tasks.stopping.clone();
    // On the tracker, so that requests under way are waited for after a signal has come.
    let serving = app
        .tasks
        .tracker
        .spawn(api::serve(app.clone(), listener, stopping));
    let mut embedded = embedded;
    let database_died = async {
        match embedded.as_mut() {
            Some(server) => server.died().await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        served = serving => served?,
        () = lifecycle::signalled() => Ok(()),
        reason = database_died => Err(anyhow::anyhow!(reason)),
    };
    lifecycle::finish(app).await;
    if let Some(server) = embedded {
        server.stop().await;
    }
    ended
}

async fn build_indexes() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    telemetry::init_logging(&settings.log)?;
    let open = lifecycle::open_database(&settings).await?;
    let built = indexes::ensure(&open.database).await;
    if let Some(server) = open.embedded {
        server.stop().await;
    }
    built
}

/// Writes a line to standard output; a closed pipe is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
