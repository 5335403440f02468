//! The list of jobs (contract http-admin-notifications 16.1, design 3).

use super::gauges;
use super::job::{Job, Where};
use crate::app::App;
use crate::config::Settings;
use crate::repositories::inapp_repo::InappRepo;
use crate::repositories::lease_repo::LeaseRepo;
use std::time::Duration;

/// How old the gauges of `/metrics` may be.
const GAUGES: Duration = Duration::from_secs(15);
const MINUTE: Duration = Duration::from_mins(1);
/// The committing process hands entries over in memory, so the sweep only finds what a crash left behind.
const RELAY_SWEEP: Duration = Duration::from_secs(5);
const FIRE_TIMERS: Duration = Duration::from_secs(15);
const DAY_MINUTES: i64 = 24 * 60;

/// Every job of a process.
pub fn all(settings: &Settings) -> Vec<Job> {
    vec![
        Job::new(
            "outbox_drain",
            settings.scheduler.interval,
            Where::Everywhere,
            drain_outbox,
        ),
        Job::new("relay_sweep", RELAY_SWEEP, Where::Everywhere, sweep_relay),
        Job::new("fire_timers", FIRE_TIMERS, Where::Everywhere, fire_timers),
        Job::new("statistics", MINUTE, Where::OneProcess, refresh_statistics),
        Job::new("gauges", GAUGES, Where::Everywhere, gauges::refresh),
        Job::new(
            "rate_limit_upkeep",
            MINUTE,
            Where::Everywhere,
            forget_quiet_people,
        ),
        Job::new("lease_cleanup", 5 * MINUTE, Where::OneProcess, clean_up_leases),
        Job::new(
            "attachment_sweep",
            60 * MINUTE,
            Where::OneProcess,
            sweep_attachments,
        ),
        Job::new("retention", 60 * MINUTE, Where::OneProcess, apply_retention),
    ]
}

/// The cron tick is the drain's fallback; rows enqueued in this process wake it at once.
async fn drain_outbox(app: App) -> anyhow::Result<u64> {
    let started = app.notifications.drain.sweep().await?;
    Ok(u64::try_from(started).unwrap_or(u64::MAX))
}

/// Carries on what crashed processes or full queues left in the tails of tickets.
async fn sweep_relay(app: App) -> anyhow::Result<u64> {
    Ok(app.execute.relay().sweep().await?)
}

/// The bound on requests keeps a counter for each person; quiet ones are dropped.
async fn forget_quiet_people(app: App) -> anyhow::Result<u64> {
    app.rate_limits.forget_quiet();
    if let Some(model) = &app.model {
        model.forget_quiet();
    }
    Ok(0)
}

async fn fire_timers(app: App) -> anyhow::Result<u64> {
    Ok(app.timers.fire_due().await?)
}

/// Keeps the figures over everything from growing old while nobody looks; who looks gets fresher ones.
async fn refresh_statistics(app: App) -> anyhow::Result<u64> {
    // One set that cannot be taken does not keep the other from being.
    let (metrics, mails) = tokio::join!(
        app.admin.agent_metrics.refresh(),
        app.admin.outbox.refresh_figures()
    );
    metrics?;
    mails?;
    Ok(2)
}

/// Removes files that no ticket uses, and bytes of uploads that broke off.
async fn sweep_attachments(app: App) -> anyhow::Result<u64> {
    let files = app.attachments.sweep_loose_files().await?;
    Ok(files + app.attachments.sweep_loose_bytes().await?)
}

/// Administrators see a mail as being sent while it has a lease, so leases that ended are taken off.
async fn clean_up_leases(app: App) -> anyhow::Result<u64> {
    let now = app.clock.now();
    let repaired = app
        .notifications
        .outbox
        .repair_leases(now.plus_minutes(-1), now)
        .await?;
    let leases = LeaseRepo::new(&app.database);
    let removed = leases.remove_expired(now.plus_minutes(-DAY_MINUTES)).await?;
    Ok(repaired + removed)
}

/// Removes mails that were sent or cancelled long ago, and notices that expired (the TTL index does it too).
async fn apply_retention(app: App) -> anyhow::Result<u64> {
    let now = app.clock.now();
    let days = i64::from(app.settings.scheduler.outbox_retention_days);
    let mails = app
        .notifications
        .outbox
        .remove_done(now.plus_minutes(-days * DAY_MINUTES))
        .await?;
    let notices = InappRepo::new(&app.database).remove_expired(now).await?;
    Ok(mails + notices)
}
