//! How the jobs of this process are doing, for health answers.

use crate::domain::id::ClaimId;
use crate::domain::time::Timestamp;
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
    /// Whether the last runs went well, newest last.
    recent: Vec<bool>,
    last_tick: Option<Instant>,
    last_end: Option<Instant>,
}

impl JobStatus {
    fn new(every: Duration) -> Self {
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
            last_tick: None,
            last_end: None,
        }
    }

    /// Whether one of the last three runs failed.
    pub fn has_failed_lately(&self) -> bool {
        self.recent.contains(&false)
    }

    /// How much later than planned the next run is.
    pub fn lag(&self) -> Duration {
        self.last_end
            .map_or(Duration::ZERO, |end| end.elapsed().saturating_sub(self.every))
    }

    fn is_silent(&self) -> bool {
        let patience = (self.every * SILENT_INTERVALS).max(Duration::from_secs(5));
        self.last_tick.is_none_or(|tick| tick.elapsed() > patience)
    }

    fn ended(&mut self, at: Timestamp, took: Duration, well: bool) {
        self.is_running = false;
        self.runs += 1;
        self.last_run_at = Some(at);
        self.last_duration = Some(took);
        self.last_end = Some(Instant::now());
        self.recent.push(well);
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

    pub(super) fn register(&self, name: &'static str, every: Duration) {
        let mut jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(name, JobStatus::new(every));
    }

    pub(super) fn ticked(&self, name: &'static str) {
        self.change(name, |job| job.last_tick = Some(Instant::now()));
    }

    pub(super) fn overlapped(&self, name: &'static str) {
        self.change(name, |job| job.overlaps += 1);
    }

    pub(super) fn started(&self, name: &'static str, _at: Timestamp) {
        self.change(name, |job| job.is_running = true);
    }

    pub(super) fn succeeded(&self, name: &'static str, at: Timestamp, took: Duration, handled: u64) {
        self.change(name, |job| {
            job.ended(at, took, true);
            job.last_handled = Some(handled);
        });
    }

    pub(super) fn failed(&self, name: &'static str, at: Timestamp, took: Duration) {
        self.change(name, |job| {
            job.ended(at, took, false);
            job.failures += 1;
            job.last_failure_at = Some(at);
        });
    }

    /// Another process holds the lease and does the work.
    pub(super) fn left_to_another(&self, name: &'static str, at: Timestamp) {
        self.change(name, |job| {
            job.last_run_at = Some(at);
            job.last_end = Some(Instant::now());
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

    const AT: Timestamp = Timestamp::from_millis(1);

    #[test]
    fn a_failure_shows_for_three_runs() {
        let registry = JobRegistry::default();
        registry.register("a", Duration::from_secs(1));
        registry.failed("a", AT, Duration::ZERO);
        for _ in 0..2 {
            registry.succeeded("a", AT, Duration::ZERO, 0);
            assert!(registry.snapshot()["a"].has_failed_lately());
        }
        registry.succeeded("a", AT, Duration::ZERO, 0);
        assert!(!registry.snapshot()["a"].has_failed_lately());
        assert_eq!(registry.snapshot()["a"].failures, 1);
    }

    #[test]
    fn a_process_without_jobs_does_not_tick() {
        let registry = JobRegistry::default();
        assert!(!registry.is_ticking());
        registry.register("a", Duration::from_mins(1));
        assert!(!registry.is_ticking());
        registry.ticked("a");
        assert!(registry.is_ticking());
    }
}
