//! Background jobs: what runs by itself, how often, and how it went.
//!
//! A tick of tokio-cron-scheduler only tries a one-permit semaphore and then spawns on the task tracker: the library
//! itself starts ticks while earlier ones still run, and does not wait at shutdown. A job that must not run in two
//! processes holds a lease document; one that dies with it lets it expire.

mod gauges;
pub mod job;
pub mod jobs;
mod lease;
pub mod status;

use crate::app::App;
use job::{Job, Ticker};
use std::sync::Arc;
use std::time::Duration;
use tokio_cron_scheduler::{Job as CronJob, JobScheduler};

/// How long the library's own shutdown may take.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Starts the jobs of this process, unless `SCHEDULER_ENABLED` forbids it.
///
/// # Errors
/// The scheduler library refuses to start.
pub async fn start(app: &App) -> anyhow::Result<()> {
    if !app.settings.scheduler.enabled {
        tracing::info!("background jobs are switched off (SCHEDULER_ENABLED)");
        return Ok(());
    }
    start_jobs(app, jobs::all(&app.settings)).await?;
    app.tasks.tracker.spawn(app.notifications.drain.clone().run());
    Ok(())
}

/// Starts these jobs; each runs at once and then in its rhythm, until shutdown begins.
///
/// # Errors
/// As [`start`].
pub async fn start_jobs(app: &App, jobs: Vec<Job>) -> anyhow::Result<()> {
    let mut cron = JobScheduler::new().await?;
    for job in jobs {
        let ticker = Ticker::new(app.clone(), job);
        cron.add(cron_job(&ticker)?).await?;
        // The library's first tick comes one interval after start.
        ticker.tick();
    }
    cron.start().await?;
    let stopping = app.tasks.stopping.clone();
    app.tasks.tracker.spawn(async move {
        stopping.cancelled().await;
        if let Ok(Err(error)) = tokio::time::timeout(SHUTDOWN, cron.shutdown()).await {
            tracing::warn!(error = %error, "the scheduler did not shut down");
        }
    });
    Ok(())
}

fn cron_job(ticker: &Arc<Ticker>) -> anyhow::Result<CronJob> {
    let ticker = Arc::clone(ticker);
    let job = CronJob::new_repeated_async(ticker.job().every, move |_, _| {
        let ticker = Arc::clone(&ticker);
        Box::pin(async move { ticker.tick() })
    })?;
    Ok(job)
}

/// Runs one job once, now, in the foreground: for tests and operators. Ignores leases.
///
/// # Errors
/// What the job reports.
pub async fn run_once(app: &App, job: &Job) -> anyhow::Result<u64> {
    (job.run)(app.clone()).await
}
