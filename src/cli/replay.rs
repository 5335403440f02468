//! `workflow-ops replay`: every ticket built again from its recorded commands equals what is stored.

use super::print;
use crate::app::App;
use crate::config::Settings;
use crate::services::replay::{Replay, ReplayReport};
use crate::{lifecycle, telemetry};
use indicatif::{ProgressBar, ProgressStyle};

/// Replays every ticket of the database.
///
/// # Errors
/// The database cannot be used, or a ticket differs from the fold of its commands.
pub(super) async fn replay() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    telemetry::init_logging(&settings.log)?;
    let (app, embedded) = lifecycle::start(settings).await?;
    let replayed = replay_all(&app).await;
    lifecycle::finish(&app).await;
    if let Some(server) = embedded {
        server.stop().await;
    }
    replayed
}

async fn replay_all(app: &App) -> anyhow::Result<()> {
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template(
        "{spinner} {pos} tickets replayed, {per_sec}, {elapsed}",
    )?);
    let report = Replay::of(app)
        .all(|report| bar.set_position(report.tickets))
        .await?;
    bar.finish_and_clear();
    tell(&report)
}

fn tell(report: &ReplayReport) -> anyhow::Result<()> {
    for ticket in &report.different {
        let difference = ticket.difference.as_deref().unwrap_or_default();
        print(&format!("{}: {difference}", ticket.ticket_id))?;
    }
    let (tickets, commands) = (report.tickets, report.commands);
    let different = report.different.len();
    print(&format!(
        "{tickets} tickets, {commands} commands, {different} differ"
    ))?;
    anyhow::ensure!(
        different == 0,
        "{different} tickets differ from the fold of their commands"
    );
    Ok(())
}
