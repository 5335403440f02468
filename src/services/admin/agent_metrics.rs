//! The command centre's figures (contract http-admin-notifications 10).

use super::outbox_figures::StatusCounts;
use crate::domain::error::ServiceError;
use crate::domain::json::JsonObject;
use crate::domain::person::Actor;
use crate::domain::time::Timestamp;
use crate::repositories::outbox_row::OutboxStatus;
use crate::repositories::outbox_search::OutboxGroup;
use crate::repositories::statistics_repo::Figures;
use crate::repositories::{admin_figures, ticket_figures};
use crate::services::access::require_admin;
use crate::services::notifications::Notifications;
use crate::services::notifications::mail_health;
use crate::services::statistics::{Compute, Statistics};
use bson::{Bson, Document};
use futures::FutureExt;
use mongodb::Database;
use mongodb::error::Result;
use serde_json::{Value, json};
use std::sync::Arc;

/// The figure of open tasks that nobody may assign; for gauges, not for the command centre.
const ORPHANED: &str = "orphaned_tasks";
/// The set's name.
const NAME: &str = "agent_metrics";
const TERMINAL: [&str; 4] = ["COMPLETED", "REJECTED", "SKIPPED", "CANCELLED"];

/// Serves the command centre; cheap to clone.
#[derive(Clone)]
pub struct AgentMetrics {
    statistics: Statistics,
    compute: Compute,
}

impl std::fmt::Debug for AgentMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentMetrics").finish_non_exhaustive()
    }
}

impl AgentMetrics {
    /// Figures over everything in `database`.
    pub fn new(database: &Database, notifications: &Notifications, statistics: Statistics) -> Self {
        let (database, notifications) = (database.clone(), notifications.clone());
        let compute: Compute = Arc::new(move |now| {
            let (database, notifications) = (database.clone(), notifications.clone());
            async move { compute(&database, &notifications, now).await }.boxed()
        });
        Self { statistics, compute }
    }

    /// Takes the figures anew when they are old.
    pub async fn refresh(&self) -> std::result::Result<(), ServiceError> {
        self.statistics.get(NAME, &self.compute).await.map(|_| ())
    }

    /// How many open tasks nobody may assign, as of the last figures.
    pub async fn orphaned_tasks(&self) -> std::result::Result<i64, ServiceError> {
        let kept = self.statistics.kept(NAME).await?;
        let orphaned = kept.and_then(|figures| figures.values.get(ORPHANED).and_then(Value::as_i64));
        Ok(orphaned.unwrap_or_default())
    }

    /// The figures, with when they were taken.
    pub async fn show(&self, actor: &Actor) -> std::result::Result<Figures, ServiceError> {
        require_admin(actor)?;
        self.statistics.get(NAME, &self.compute).await
    }
}

async fn compute(database: &Database, notifications: &Notifications, now: Timestamp) -> Result<JsonObject> {
    let (by_status, mail, others) = tokio::try_join!(
        ticket_figures::by_status(database, now),
        mail_figures(notifications, now),
        admin_figures::collect(database, now),
    )?;
    let mut figures = tickets(&by_status);
    figures.insert(
        ORPHANED.to_owned(),
        sum(&by_status, "tasks_orphaned", |_| true).into(),
    );
    figures.insert("notifications".to_owned(), mail);
    figures.extend(others);
    Ok(JsonObject::from(figures))
}

async fn mail_figures(notifications: &Notifications, now: Timestamp) -> Result<Value> {
    let (groups, health) = tokio::try_join!(
        notifications.outbox.groups(None, None),
        mail_health::look(&notifications.outbox, &notifications.drain, now),
    )?;
    let counts = StatusCounts::of(&groups);
    let retried = |group: &&OutboxGroup| {
        group.is(OutboxStatus::Pending) && group.retry_count.is_some_and(|count| count > 0)
    };
    Ok(json!({
        "pending": counts.pending,
        "sent": counts.sent,
        "failed": counts.failed,
        "retry_queue": groups.iter().filter(retried).map(|group| group.count).sum::<i64>(),
        "recent_failures": health.recent_failures,
        "last_success_minutes_ago": health.last_sent_at.map(|at| now.since(at).num_minutes().max(0)),
        "email_healthy": health.is_getting_through,
    }))
}

/// What the covered aggregation over all tickets says.
fn tickets(by_status: &[Document]) -> serde_json::Map<String, Value> {
    let all = |name: &str| sum(by_status, name, |_| true);
    let of = |status: &str| sum(by_status, "count", |known| known == status);
    let live = |name: &str| sum(by_status, name, |status| !TERMINAL.contains(&status));
    let (active, completed, overdue) = (live("count"), of("COMPLETED"), live("overdue"));
    let approaching = live("approaching");
    let (idle_3, idle_7, idle_14) = (live("idle_3"), live("idle_7"), live("idle_14"));
    let decided = ["approvals_pending", "approvals_approved", "approvals_rejected"].map(all);
    let questions = ["questions_open", "questions_answered"].map(all);
    let steps = |kind: &str| json!({"total": all(kind), "pending": all(&format!("{kind}_open")), "completed": all(&format!("{kind}_done"))});
    let figures = json!({
        "tickets": {
            "total": all("count"), "active": active, "completed": completed, "in_progress": of("IN_PROGRESS"),
            "waiting_for_requester": of("WAITING_FOR_REQUESTER"), "cancelled": of("CANCELLED"),
        },
        "sla": {
            "overdue": overdue, "approaching": approaching, "on_track": (active - overdue - approaching).max(0),
            "compliance_rate": compliance_rate(active + completed, overdue),
        },
        "stuck_tickets": {
            "idle_3_to_7_days": idle_3 - idle_7, "idle_7_to_14_days": idle_7 - idle_14, "idle_over_14_days": idle_14,
            "total": idle_3,
        },
        "approvals": {
            "pending": decided[0], "approved": decided[1], "rejected": decided[2], "total": decided.iter().sum::<i64>(),
        },
        "handover_requests": {
            "pending": all("handovers_pending"), "approved": all("handovers_approved"),
            "rejected": all("handovers_rejected"), "total": all("handovers"),
        },
        "assignments": {"total": all("assignments"), "active": all("assignments_active")},
        "info_requests": {
            "pending": questions[0], "responded": questions[1], "total": questions.iter().sum::<i64>(),
        },
        "task_steps": steps("tasks"),
        "form_steps": steps("forms"),
    });
    figures.as_object().cloned().unwrap_or_default()
}

fn sum(by_status: &[Document], name: &str, wanted: impl Fn(&str) -> bool) -> i64 {
    let rows = by_status
        .iter()
        .filter(|row| row.get_str("_id").is_ok_and(&wanted));
    rows.map(|row| number(row, name)).sum()
}

fn number(row: &Document, name: &str) -> i64 {
    let value = row.get(name);
    let wide = value.and_then(Bson::as_i64);
    wide.or_else(|| value.and_then(Bson::as_i32).map(i64::from))
        .unwrap_or_default()
}

/// The share of tracked tickets that are not overdue, in per cent with one decimal; 100 when none is tracked.
#[expect(clippy::cast_precision_loss, reason = "counts of tickets are far below 2^53")]
fn compliance_rate(tracked: i64, overdue: i64) -> f64 {
    if tracked == 0 {
        return 100.0;
    }
    ((tracked - overdue) as f64 * 1_000.0 / tracked as f64).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    #[test]
    fn ended_tickets_are_neither_active_nor_overdue_nor_stuck() {
        let rows = [
            doc! {"_id": "IN_PROGRESS", "count": 4, "overdue": 1, "approaching": 1, "idle_3": 3, "idle_7": 2, "idle_14": 1},
            doc! {"_id": "REJECTED", "count": 5, "overdue": 5, "approaching": 0, "idle_3": 5, "idle_7": 5, "idle_14": 5},
            doc! {"_id": "COMPLETED", "count": 2, "tasks": 7_i64, "tasks_done": 6},
        ];
        let figures = tickets(&rows);
        assert_eq!(figures["tickets"]["total"], 11);
        assert_eq!(figures["tickets"]["active"], 4);
        assert_eq!(
            figures["sla"],
            json!({"overdue": 1, "approaching": 1, "on_track": 2, "compliance_rate": 83.3})
        );
        assert_eq!(figures["stuck_tickets"]["total"], 3);
        assert_eq!(figures["stuck_tickets"]["idle_3_to_7_days"], 1);
        assert_eq!(
            figures["task_steps"],
            json!({"total": 7, "pending": 0, "completed": 6})
        );
    }

    #[test]
    fn nothing_tracked_is_fully_compliant() {
        assert!((compliance_rate(0, 0) - 100.0).abs() < f64::EPSILON);
    }
}
