//! The gauges of `/metrics`: how much waits, and for how long.

use crate::app::App;
use crate::domain::time::Timestamp;
use crate::repositories::ticket_repo::TicketRepo;
use metrics::gauge;

/// A timer counts as overdue when it is this late.
const OVERDUE_MINUTES: i64 = 1;

/// Reads everything anew, waiting mails and late timers counted up to 10 000; returns how many gauges were set.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) async fn refresh(app: App) -> anyhow::Result<u64> {
    let now = app.clock.now();
    let tickets = TicketRepo::new(&app.database);
    let (waiting, oldest) = app.notifications.outbox.depth(now).await?;
    let relay = app.execute.relay().health().await?;
    let overdue = tickets
        .count_overdue_timers(now.plus_minutes(-OVERDUE_MINUTES))
        .await?;
    gauge!("workflow_outbox_depth").set(waiting as f64);
    gauge!("workflow_outbox_oldest_due_seconds").set(oldest.map_or(0.0, |since| seconds(now, since)));
    gauge!("workflow_outbox_in_flight").set(app.notifications.drain.in_flight() as f64);
    let away = app.notifications.drain.away_since();
    gauge!("workflow_mail_transport_away_seconds").set(away.map_or(0.0, |since| seconds(now, since)));
    gauge!("workflow_relay_open_tickets").set(relay.open as f64);
    gauge!("workflow_relay_parked").set(relay.parked as f64);
    gauge!("workflow_timers_overdue").set(overdue as f64);
    gauge!("workflow_timers_in_trouble").set(app.timers.in_trouble().await? as f64);
    gauge!("workflow_tasks_orphaned").set(app.admin.agent_metrics.orphaned_tasks().await? as f64);
    let tasks = app.tasks.tracker.len();
    gauge!("workflow_background_tasks").set(tasks as f64);
    Ok(10)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a few years are far below 2^53"
)]
fn seconds(now: Timestamp, since: Timestamp) -> f64 {
    now.since(since).num_milliseconds() as f64 / 1_000.0
}
