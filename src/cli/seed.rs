//! `workflow-ops seed` and `workflow-ops tokens`.

use super::print;
use crate::app::App;
use crate::auth;
use crate::clients::development_directory::DevelopmentDirectory;
use crate::config::{Environment, Settings};
use crate::domain::time::Clock;
use crate::services::seed;
use crate::{lifecycle, telemetry};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

/// Seeds people, workflows and tickets; development only.
///
/// # Errors
/// Not in development, a file cannot be read, or the database cannot be used.
pub(super) async fn run() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    anyhow::ensure!(
        settings.environment == Environment::Development,
        "seeding is for development only"
    );
    telemetry::init_logging(&settings.log)?;
    let (app, embedded) = lifecycle::start(settings).await?;
    let seeded = seed_with_progress(&app).await;
    lifecycle::finish(&app).await;
    if let Some(server) = embedded {
        server.stop().await;
    }
    seeded
}

async fn seed_with_progress(app: &App) -> anyhow::Result<()> {
    let bar =
        ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {pos} seeded: {msg}")?);
    let mut count: u64 = 0;
    seed::seed(app, |seeded| {
        count += 1;
        bar.set_position(count);
        bar.set_message(seeded.what);
    })
    .await?;
    bar.finish_and_clear();
    print(&format!(
        "seeded: {count} people, workflows and tickets are there"
    ))
}

/// Prints a token for every person of the development directory.
///
/// # Errors
/// Not in development mode, or the people file cannot be read.
pub(super) fn tokens() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let authenticator = auth::Authenticator::new(&settings, &Clock::System)?;
    let issuer = authenticator
        .dev_issuer()
        .context("tokens are minted in development only (AUTH_MODE=dev)")?;
    let directory = DevelopmentDirectory::load(&settings.directory.people_file)?;
    for person in directory.people() {
        let minted = issuer.mint(&person.email)?;
        print(&format!(
            "{} ({})\n  {}",
            person.email, person.job_title, minted.token
        ))?;
    }
    Ok(())
}
