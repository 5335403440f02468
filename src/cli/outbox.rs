//! `workflow-ops outbox`: mails that were given up.

use super::print;
use crate::config::Settings;
use crate::domain::time::Clock;
use crate::repositories::outbox_repo::OutboxRepo;
use crate::{lifecycle, telemetry};
use clap::Subcommand;

/// What can be done with mails.
#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// Send failed mails again, with fresh attempts; a running service does the sending.
    Requeue {
        /// These mails (`NTF-…`); all failed ones when none is named.
        notification_ids: Vec<String>,
        /// Of all failed mails only those that failed within so many hours.
        #[arg(long, conflicts_with = "notification_ids")]
        within_hours: Option<u32>,
    },
}

/// Carries out the command.
pub(super) async fn run(command: OutboxCommand) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    telemetry::init_logging(&settings.log)?;
    let open = lifecycle::open_database(&settings).await?;
    let done = requeue(&OutboxRepo::new(&open.database), command).await;
    if let Some(server) = open.embedded {
        server.stop().await;
    }
    print(&format!("{} mails will be sent again", done?))
}

async fn requeue(outbox: &OutboxRepo, command: OutboxCommand) -> anyhow::Result<u64> {
    let OutboxCommand::Requeue {
        notification_ids,
        within_hours,
    } = command;
    let now = Clock::System.now();
    if notification_ids.is_empty() {
        let since = within_hours.map(|hours| now.plus_minutes(-i64::from(hours) * 60));
        return Ok(outbox.retry_all(since, now).await?);
    }
    Ok(outbox.retry_many(&notification_ids, now).await?)
}
