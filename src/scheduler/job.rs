//! One job: its rhythm, and the rule that it never overlaps itself.

use super::lease::{self, Turn};
use crate::app::App;
use crate::repositories::lease_repo::JobRun;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What a job does; returns how many things it dealt with.
pub type Work = Arc<dyn Fn(App) -> BoxFuture<'static, anyhow::Result<u64>> + Send + Sync>;

/// In how many processes a job may run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In every process, each for itself or side by side.
    Everywhere,
    /// In one at a time, guarded by a lease.
    OneProcess,
}

/// A job.
#[derive(Clone)]
pub struct Job {
    /// Its name in health answers, logs and leases.
    pub name: &'static str,
    /// How often it runs.
    pub every: Duration,
    /// The longest one run may take.
    pub time_limit: Duration,
    /// Where it runs.
    pub place: Where,
    /// What it does.
    pub run: Work,
}

impl Job {
    /// A job that does `run` every so often.
    pub fn new<F, R>(name: &'static str, every: Duration, place: Where, run: F) -> Self
    where
        F: Fn(App) -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<u64>> + Send + 'static,
    {
        Self {
            name,
            every,
            time_limit: every.clamp(Duration::from_mins(1), Duration::from_mins(10)),
            place,
            run: Arc::new(move |app| run(app).boxed()),
        }
    }
}

/// Starts runs of one job, never two at a time.
pub struct Ticker {
    app: App,
    job: Job,
    free: Arc<Semaphore>,
}

impl Ticker {
    /// A ticker for `job`; nothing runs before the first [`Self::tick`].
    pub fn new(app: App, job: Job) -> Arc<Self> {
        app.jobs.register(job.name, job.every, app.clock.now());
        Arc::new(Self {
            app,
            job,
            free: Arc::new(Semaphore::new(1)),
        })
    }

    pub(super) const fn job(&self) -> &Job {
        &self.job
    }

    /// Starts a run unless one is still going on or the process ends.
    pub fn tick(self: &Arc<Self>) {
        self.app.jobs.ticked(self.job.name);
        if self.app.tasks.stopping.is_cancelled() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            self.app.jobs.overlapped(self.job.name);
            return;
        };
        let ticker = Arc::clone(self);
        self.app.tasks.tracker.spawn(async move {
            ticker.run().await;
            drop(permit);
        });
    }

    async fn run(&self) {
        let name = self.job.name;
        let lease = match self.job.place {
            Where::Everywhere => None,
            Where::OneProcess => match lease::take(&self.app, &self.job).await {
                Ok(Turn::Ours(lease)) => Some(lease),
                Ok(Turn::Anothers(runs)) => return self.app.jobs.left_to_another(name, &runs),
                Err(error) => {
                    self.report(Duration::ZERO, Err(error.into()));
                    return;
                }
            },
        };
        self.app.jobs.started(name);
        let begun = Instant::now();
        let work = AssertUnwindSafe((self.job.run)(self.app.clone())).catch_unwind();
        let ended = match tokio::time::timeout(self.job.time_limit, work).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_panic)) => Err(anyhow::anyhow!("the job panicked")),
            Err(_) => Err(anyhow::anyhow!("the job took too long")),
        };
        let run = self.report(begun.elapsed(), ended);
        if let Some(lease) = lease {
            lease.keep_until_next_run(&self.app, &self.job, &run).await;
        }
    }

    /// Says in health, metrics and logs how a run ended.
    fn report(&self, took: Duration, ended: anyhow::Result<u64>) -> JobRun {
        let name = self.job.name;
        let result = if ended.is_ok() { "ok" } else { "failed" };
        metrics::counter!("workflow_job_runs_total", "job" => name, "result" => result).increment(1);
        metrics::histogram!("workflow_job_seconds", "job" => name).record(took.as_secs_f64());
        if let Err(error) = &ended {
            let text = format!("{error:#}");
            tracing::error!(job = name, error = text, "a background job failed");
        }
        let run = JobRun {
            at: self.app.clock.now(),
            took_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            handled: ended
                .ok()
                .map(|handled| i64::try_from(handled).unwrap_or(i64::MAX)),
        };
        self.app.jobs.ended(name, &run);
        run
    }
}
