//! `/admin/health` (contract http-admin-notifications 17). Answers also while the database is away; people without a
//! valid token see statuses only.

use crate::api::envelope::ApiError;
use crate::api::extract::Caller;
use crate::api::health::{Condition, DatabaseHealth};
use crate::api::schema::all_or_nothing;
use crate::api::view::wire_time::{wire_time, wire_time_option};
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::repositories::ticket_repo::TicketRepo;
use crate::scheduler::status::JobStatus;
use crate::services::notifications::mail_health::{self, MailCondition, MailHealth};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long the figures of mail may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_admin_health))
}

/// The state of the service and its parts.
#[derive(Debug, Serialize, ToSchema)]
struct AdminHealth {
    /// `unhealthy` when the database is, `degraded` when another part is not healthy.
    status: Condition,
    mongo: MongoView,
    scheduler: SchedulerView,
    email: EmailView,
    tickets: TicketsView,
}

/// What follows from committed commands, and what time causes.
#[derive(Debug, Serialize, ToSchema)]
struct TicketsView {
    status: Condition,
    #[serde(flatten)]
    #[schema(schema_with = all_or_nothing::<TicketsDetails>)]
    details: Option<TicketsDetails>,
}

/// How the relay and the timers are doing.
#[derive(Debug, Serialize, ToSchema)]
struct TicketsDetails {
    /// Tickets with entries the relay has not carried on yet, counted up to 1 000.
    relay_open: u64,
    /// Entries that were set aside after many tries; somebody has to look at them.
    relay_parked: u64,
    /// Tickets with a timer that is more than a minute late.
    timers_overdue: u64,
    /// Tickets whose timers failed and wait for another try.
    timers_in_trouble: u64,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
struct MongoView {
    status: Condition,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<&'static str>,
}

/// The background jobs of the process that answers.
#[derive(Debug, Serialize, ToSchema)]
struct SchedulerView {
    status: Condition,
    /// Whether its jobs tick.
    running: bool,
    /// Whether it is configured to run jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run_at: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    jobs: BTreeMap<&'static str, JobView>,
}

/// One background job.
#[derive(Debug, Serialize, ToSchema)]
struct JobView {
    status: Condition,
    /// Whether it runs now.
    running: bool,
    /// How often it runs.
    every_seconds: u64,
    /// When it last ran.
    last_run_at: Option<String>,
    /// How long that took.
    last_duration_ms: Option<u64>,
    /// How many things the last run dealt with.
    last_handled: Option<u64>,
    /// How much later than planned the next run is.
    lag_seconds: u64,
    /// How often it has run in this process.
    runs: u64,
    /// How often it has failed.
    failures: u64,
    /// When it last failed.
    last_failure_at: Option<String>,
    /// Ticks that found the previous run still going on.
    overlaps: u64,
}

/// Mail.
#[derive(Debug, Serialize, ToSchema)]
struct EmailView {
    status: Condition,
    last_send: Option<String>,
    #[serde(flatten)]
    #[schema(schema_with = all_or_nothing::<EmailDetails>)]
    details: Option<EmailDetails>,
}

/// How mail is doing.
#[derive(Debug, Serialize, ToSchema)]
struct EmailDetails {
    /// `smtp`, `graph`, `log` or `disabled`.
    transport: &'static str,
    /// Mails that wait, counted up to 10 000.
    waiting: u64,
    /// Since when the oldest of them could have been sent.
    oldest_due_at: Option<String>,
    /// Mails that were given up in the last hour, counted up to 10 000.
    recent_failures: u64,
    /// Since when the transport has been away.
    away_since: Option<String>,
}

/// The state of the service; with a valid token the facts behind it.
#[utoipa::path(get, path = "/health", tag = "admin", operation_id = "get_admin_health", security((), ("bearer" = [])),
    responses((status = 200, body = AdminHealth)))]
async fn get_admin_health(State(app): State<App>, caller: Result<Caller, ApiError>) -> Json<AdminHealth> {
    let mongo = DatabaseHealth::of(&app).await;
    let (mail, tickets) = match mongo.status {
        Condition::Healthy => tokio::join!(look_at_mail(&app), look_at_tickets(&app)),
        Condition::Degraded | Condition::Unhealthy => (None, None),
    };
    let mut health = full(&app, &mongo, mail, tickets);
    if caller.is_err() {
        health.keep_statuses_only();
    }
    Json(health)
}

async fn look_at_mail(app: &App) -> Option<MailHealth> {
    let parts = &app.notifications;
    let looking = mail_health::look(&parts.outbox, &parts.drain, app.clock.now());
    tokio::time::timeout(PATIENCE, looking).await.ok()?.ok()
}

async fn look_at_tickets(app: &App) -> Option<TicketsDetails> {
    let repo = TicketRepo::new(&app.database);
    let late = app.clock.now().plus_minutes(-1);
    let looking = async {
        let relay = app.execute.relay().health().await.ok()?;
        Some(TicketsDetails {
            relay_open: relay.open,
            relay_parked: relay.parked,
            timers_overdue: repo.count_overdue_timers(late).await.ok()?,
            timers_in_trouble: app.timers.in_trouble().await.ok()?,
        })
    };
    tokio::time::timeout(PATIENCE, looking).await.ok().flatten()
}

fn full(
    app: &App,
    mongo: &DatabaseHealth,
    mail: Option<MailHealth>,
    tickets: Option<TicketsDetails>,
) -> AdminHealth {
    let scheduler = scheduler(app);
    let email = email(app, mail);
    let tickets = tickets_view(tickets);
    let parts = [scheduler.status, email.status, tickets.status];
    let status = match mongo.status {
        Condition::Unhealthy => Condition::Unhealthy,
        Condition::Healthy if parts.iter().all(|part| *part == Condition::Healthy) => Condition::Healthy,
        Condition::Healthy | Condition::Degraded => Condition::Degraded,
    };
    AdminHealth {
        status,
        mongo: MongoView {
            status: mongo.status,
            database: Some(app.database.name().to_owned()),
            connection: Some(mongo.connection),
        },
        scheduler,
        email,
        tickets,
    }
}

fn tickets_view(details: Option<TicketsDetails>) -> TicketsView {
    let is_well = details.as_ref().is_some_and(|details| {
        details.relay_parked == 0 && details.timers_overdue == 0 && details.timers_in_trouble == 0
    });
    TicketsView {
        status: if is_well {
            Condition::Healthy
        } else {
            Condition::Degraded
        },
        details,
    }
}

fn scheduler(app: &App) -> SchedulerView {
    let (jobs, now) = (app.jobs.snapshot(), app.clock.now());
    let enabled = app.settings.scheduler.enabled;
    let running = app.jobs.is_ticking();
    let is_well = !enabled || (running && !jobs.values().any(JobStatus::has_failed_lately));
    let last_run = jobs.values().filter_map(|job| job.last_run_at).max();
    SchedulerView {
        status: if is_well {
            Condition::Healthy
        } else {
            Condition::Degraded
        },
        running,
        enabled: Some(enabled),
        last_run_at: wire_time_option(last_run),
        jobs: jobs
            .into_iter()
            .map(|(name, job)| (name, job_view(&job, now)))
            .collect(),
    }
}

fn email(app: &App, mail: Option<MailHealth>) -> EmailView {
    let Some(mail) = mail else {
        return EmailView {
            status: Condition::Degraded,
            last_send: None,
            details: None,
        };
    };
    EmailView {
        status: match mail.condition {
            MailCondition::Healthy => Condition::Healthy,
            MailCondition::Degraded => Condition::Degraded,
            MailCondition::Unhealthy => Condition::Unhealthy,
        },
        last_send: wire_time_option(mail.last_sent_at),
        details: Some(EmailDetails {
            transport: app.notifications.drain.transport(),
            waiting: mail.waiting,
            oldest_due_at: wire_time_option(mail.oldest_due_at),
            recent_failures: mail.recent_failures,
            away_since: wire_time_option(mail.away_since),
        }),
    }
}

fn job_view(job: &JobStatus, now: Timestamp) -> JobView {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    JobView {
        status: if job.has_failed_lately() {
            Condition::Degraded
        } else {
            Condition::Healthy
        },
        running: job.is_running,
        every_seconds: job.every.as_secs(),
        last_run_at: job.last_run_at.map(wire_time),
        last_duration_ms: job.last_duration.map(millis),
        last_handled: job.last_handled,
        lag_seconds: job.lag(now).as_secs(),
        runs: job.runs,
        failures: job.failures,
        last_failure_at: wire_time_option(job.last_failure_at),
        overlaps: job.overlaps,
    }
}

impl AdminHealth {
    /// What anybody may see.
    fn keep_statuses_only(&mut self) {
        self.mongo.database = None;
        self.mongo.connection = None;
        self.scheduler.enabled = None;
        self.scheduler.last_run_at = None;
        self.scheduler.jobs.clear();
        self.email.last_send = None;
        self.email.details = None;
        self.tickets.details = None;
    }
}
