//! `workflow-ops outbox`: mails that were given up.

use super::print;
use crate::config::Settings;
use crate::domain::time::Clock;
use crate::repositories::admin_audit_repo::{AdminAuditEvent, AdminAuditRepo};
use crate::repositories::outbox_repo::OutboxRepo;
use crate::services::access::ChangedBy;
use crate::{lifecycle, telemetry};
use clap::Subcommand;
use mongodb::Database;
use serde_json::json;

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
    let done = requeue(&open.database, command).await;
    if let Some(server) = open.embedded {
        server.stop().await;
    }
    print(&format!("{} mails will be sent again", done?))
}

/// The audit row comes first: should the program die in between, the log rather says too much than too little.
async fn requeue(database: &Database, command: OutboxCommand) -> anyhow::Result<u64> {
    let OutboxCommand::Requeue {
        notification_ids,
        within_hours,
    } = command;
    let (outbox, now) = (OutboxRepo::new(database), Clock::System.now());
    let details =
        json!({"bulk_retry": true, "notification_ids": &notification_ids, "within_hours": within_hours});
    let operator = ChangedBy::operator().person;
    let event = AdminAuditEvent::new("RETRY_NOTIFICATION", &operator, details, now);
    AdminAuditRepo::new(database).insert_absent(&[event]).await?;
    if notification_ids.is_empty() {
        let since = within_hours.map(|hours| now.plus_minutes(-i64::from(hours) * 60));
        return Ok(outbox.retry_all(since, now).await?);
    }
    Ok(outbox.retry_many(&notification_ids, now).await?)
}
