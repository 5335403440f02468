//! The lease that keeps a job in one process at a time.

use super::job::Job;
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::repositories::lease_repo::{JobRun, LeaseRepo};
use std::time::Duration;

/// A lease that this process holds.
pub(super) struct Lease {
    repo: LeaseRepo,
    taken_at: Timestamp,
}

/// Who may run a job now.
pub(super) enum Turn {
    /// This process.
    Ours(Lease),
    /// Another one, whose last runs ended like this, newest last.
    Anothers(Vec<JobRun>),
}

/// Takes the lease of `job` for as long as a run may take, unless another process holds it.
pub(super) async fn take(app: &App, job: &Job) -> mongodb::error::Result<Turn> {
    let repo = LeaseRepo::new(&app.database);
    let taken_at = app.clock.now();
    let until = taken_at.plus_millis(millis(job.time_limit));
    let taken = repo
        .acquire(job.name, app.jobs.process(), taken_at, until)
        .await?;
    if taken {
        return Ok(Turn::Ours(Lease { repo, taken_at }));
    }
    Ok(Turn::Anothers(repo.runs(job.name).await?))
}

impl Lease {
    /// Notes how the run ended and shortens the lease to just before this process's next run, so that the others' ticks
    /// in between stay idle and one of them takes over when this process is gone.
    pub(super) async fn keep_until_next_run(self, app: &App, job: &Job, run: &JobRun) {
        if let Err(error) = self.end(app, job, run).await {
            tracing::debug!(job = job.name, error = %error, "a job's lease could not be shortened");
        }
    }

    async fn end(&self, app: &App, job: &Job, run: &JobRun) -> mongodb::error::Result<()> {
        let now = app.clock.now();
        let process = app.jobs.process();
        self.repo.note_run(job.name, process, run).await?;
        if app.tasks.stopping.is_cancelled() {
            return self.repo.release(job.name, process, now).await;
        }
        let until = self.taken_at.plus_millis(millis(job.every * 9 / 10));
        self.repo.acquire(job.name, process, now, until).await.map(|_| ())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
