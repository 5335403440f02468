//! How the jobs of this process are doing, for health answers.

use crate::domain::id::ClaimId;
use crate::domain::time::Timestamp;
use crate::repositories::lease_repo::JobRun;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After how many failures in a row a job counts as failing for good.
const RECENT_RUNS: usize = 3;
/// How many intervals a job may be silent before the scheduler counts as stopped.
const SILENT_INTERVALS: u32 = 3;

/// How one job is doing.
#[derive(Debug, Clone)]
pub struct JobStatus {
    /// How often it runs.
    pub every: Duration,
    /// When its last run ended, here or, as far as known, in another process.
    pub last_run_at: Option<Timestamp>,
    /// How long its last run took.
    pub last_duration: Option<Duration>,
    /// How many things its last run dealt with.
    pub last_handled: Option<u64>,
    /// Whether it is running.
    pub is_running: bool,
    /// Runs of this process.
    pub runs: u64,
    /// Failed runs of this process.
    pub failures: u64,
    /// Ticks that found the previous run still going on.
    pub overlaps: u64,
    /// When it last failed.
    pub last_failure_at: Option<Timestamp>,
    /// Whether the last runs went well, here or in the process that the job is left to, newest last.
    recent: Vec<bool>,
    registered_at: Timestamp,
    last_tick: Option<Instant>,
}

impl JobStatus {
    fn new(every: Duration, registered_at: Timestamp) -> Self {
        Self {
            every,
            last_run_at: None,
            last_duration: None,
            last_handled: None,
            is_running: false,
            runs: 0,
            failures: 0,
            overlaps: 0,
            last_failure_at: None,
            recent: Vec::new(),
            registered_at,
            last_tick: None,
        }
    }

    /// Whether one of the last three runs failed.
    pub fn has_failed_lately(&self) -> bool {
        self.recent.contains(&false)
    }

    /// How much later than planned the next run is at `now`, wherever it takes place.
    pub fn lag(&self, now: Timestamp) -> Duration {
        let since = now.since(self.last_run_at.unwrap_or(self.registered_at));
        since.to_std().unwrap_or_default().saturating_sub(self.every)
    }

    fn is_silent(&self) -> bool {
        let patience = (self.every * SILENT_INTERVALS).max(Duration::from_secs(5));
        self.last_tick.is_none_or(|tick| tick.elapsed() > patience)
    }

    /// Takes over how a run ended, here or elsewhere.
    fn note(&mut self, run: &JobRun) {
        self.last_run_at = Some(run.at);
        self.last_duration = u64::try_from(run.took_ms).ok().map(Duration::from_millis);
        match run.handled {
            Some(handled) => self.last_handled = u64::try_from(handled).ok(),
            None => self.last_failure_at = Some(run.at),
        }
        self.recent.push(run.handled.is_some());
        if self.recent.len() > RECENT_RUNS {
            self.recent.remove(0);
        }
    }
}

/// How all jobs of this process are doing; cheap to clone.
#[derive(Debug, Clone)]
pub struct JobRegistry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    process: String,
    jobs: Mutex<BTreeMap<&'static str, JobStatus>>,
}

impl Default for JobRegistry {
    fn default() -> Self {
        Self(Arc::new(Inner {
            process: ClaimId::random().to_string(),
            jobs: Mutex::new(BTreeMap::new()),
        }))
    }
}

impl JobRegistry {
    /// The word under which this process holds leases.
    pub fn process(&self) -> &str {
        &self.0.process
    }

    /// Every job and how it is doing; empty when this process runs none.
    pub fn snapshot(&self) -> BTreeMap<&'static str, JobStatus> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the jobs of this process tick: none has been silent for three of its intervals.
    pub fn is_ticking(&self) -> bool {
        let jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        !jobs.is_empty() && !jobs.values().any(JobStatus::is_silent)
    }

    pub(super) fn register(&self, name: &'static str, every: Duration, now: Timestamp) {
        let mut jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(name, JobStatus::new(every, now));
    }

    pub(super) fn ticked(&self, name: &'static str) {
        self.change(name, |job| job.last_tick = Some(Instant::now()));
    }

    pub(super) fn overlapped(&self, name: &'static str) {
        self.change(name, |job| job.overlaps += 1);
    }

    pub(super) fn started(&self, name: &'static str) {
        self.change(name, |job| job.is_running = true);
    }

    pub(super) fn ended(&self, name: &'static str, run: &JobRun) {
        self.change(name, |job| {
            job.is_running = false;
            job.runs += 1;
            job.failures += u64::from(run.handled.is_none());
            job.note(run);
        });
    }

    /// Another process holds the lease and does the work; these were its last runs.
    pub(super) fn left_to_another(&self, name: &'static str, runs: &[JobRun]) {
        self.change(name, |job| {
            job.recent.clear();
            for run in runs {
                job.note(run);
            }
        });
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut JobStatus)) {
        let mut jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = jobs.get_mut(name) {
            change(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(0);
    const SECOND: Duration = Duration::from_secs(1);

    fn run(second: i64, handled: Option<i64>) -> JobRun {
        JobRun {
            at: START.plus_millis(second * 1_000),
            took_ms: 1,
            handled,
        }
    }

    #[test]
    fn a_failure_shows_for_three_runs() {
        let registry = JobRegistry::default();
        registry.register("a", SECOND, START);
        registry.ended("a", &run(1, None));
        for second in 2..4 {
            registry.ended("a", &run(second, Some(0)));
            assert!(registry.snapshot()["a"].has_failed_lately());
        }
        registry.ended("a", &run(4, Some(0)));
        assert!(!registry.snapshot()["a"].has_failed_lately());
        assert_eq!(registry.snapshot()["a"].failures, 1);
    }

    #[test]
    fn a_job_that_is_left_to_another_process_shows_what_became_of_it_there() {
        let registry = JobRegistry::default();
        registry.register("a", SECOND, START);
        registry.left_to_another("a", &[run(1, Some(3)), run(2, None)]);
        let job = registry.snapshot().remove("a").unwrap();
        assert!(job.has_failed_lately());
        assert_eq!((job.runs, job.failures, job.last_handled), (0, 0, Some(3)));
        assert_eq!(job.last_failure_at, Some(run(2, None).at));
    }

    #[test]
    fn a_job_that_has_not_run_for_long_lags_wherever_it_should_have_run() {
        let registry = JobRegistry::default();
        registry.register("a", SECOND, START);
        let lag = |second: i64| {
            registry.snapshot()["a"]
                .lag(START.plus_millis(second * 1_000))
                .as_secs()
        };
        assert_eq!((lag(1), lag(5)), (0, 4), "it has never run");
        registry.left_to_another("a", &[run(5, Some(0))]);
        assert_eq!((lag(6), lag(9)), (0, 3));
    }

    #[test]
    fn a_process_without_jobs_does_not_tick() {
        let registry = JobRegistry::default();
        assert!(!registry.is_ticking());
        registry.register("a", Duration::from_mins(1), START);
        assert!(!registry.is_ticking());
        registry.ticked("a");
        assert!(registry.is_ticking());
    }
}
