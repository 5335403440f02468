//! Figures over everything: computed once for all processes, at most five seconds old while that is cheap (design 3).

use crate::app::Tasks;
use crate::domain::error::ServiceError;
use crate::domain::id::ClaimId;
use crate::domain::json::JsonObject;
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::lease_repo::LeaseRepo;
use crate::repositories::statistics_repo::{Figures, StatisticsRepo};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use mongodb::Database;
use mongodb::error::Error;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How old figures may be, in milliseconds, while computing them is cheap.
const FRESH_MS: i64 = 5_000;
/// What counts as cheap, in milliseconds.
const CHEAP_MS: i64 = 250;
/// Dearer figures are recomputed at most in one part of so many of the time.
const SHARE: i64 = 20;
/// How long a computation may take before another process tries, in milliseconds.
const LEASE_MS: i64 = 60_000;
/// How long a question waits for figures that were cheap the last time; after that it is answered the last ones.
const PATIENCE: Duration = Duration::from_secs(2);

/// Computes one set of figures.
pub type Compute =
    Arc<dyn Fn(Timestamp) -> BoxFuture<'static, mongodb::error::Result<JsonObject>> + Send + Sync>;

/// A computation that is under way.
type Computing = Shared<BoxFuture<'static, mongodb::error::Result<Figures>>>;

/// Keeps figures; cheap to clone. Of each set one computation is under way in a process, however many ask for it.
#[derive(Debug, Clone)]
pub struct Statistics {
    repo: StatisticsRepo,
    leases: LeaseRepo,
    clock: Clock,
    tasks: Tasks,
    running: Running,
}

/// What is under way, by name.
#[derive(Debug, Clone, Default)]
struct Running(Arc<Mutex<HashMap<&'static str, Computing>>>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Computing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a computation when it ends, by a panic too.
struct Ends(Running, &'static str);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.lock().remove(self.1);
    }
}

impl Statistics {
    /// Keeps figures in `database`.
    pub fn new(database: &Database, clock: &Clock, tasks: &Tasks) -> Self {
        Self {
            repo: StatisticsRepo::new(database),
            leases: LeaseRepo::new(database),
            clock: clock.clone(),
            tasks: tasks.clone(),
            running: Running::default(),
        }
    }

    /// The set `name`. Old figures are answered while new ones are computed in the background, unless that is cheap.
    pub async fn get(&self, name: &'static str, compute: &Compute) -> Result<Figures, ServiceError> {
        let kept = self.repo.load(name).await?;
        let now = self.clock.now();
        let Some(kept) = kept else {
            return Ok(self.computing(name, compute, None).await?);
        };
        if now.since(kept.generated_at).num_milliseconds() < fresh_for(kept.cost_ms) {
            return Ok(kept);
        }
        let was_dear = kept.cost_ms > CHEAP_MS;
        let computing = self.computing(name, compute, was_dear.then(|| kept.clone()));
        if was_dear {
            return Ok(kept);
        }
        match tokio::time::timeout(PATIENCE, computing).await {
            Ok(computed) => Ok(computed?),
            Err(_) => Ok(kept),
        }
    }

    /// The set `name` as it was last computed, however old.
    pub async fn kept(&self, name: &'static str) -> Result<Option<Figures>, ServiceError> {
        Ok(self.repo.load(name).await?)
    }

    /// The computation of a set: the one that is under way, else a new one, which goes on when nobody waits for it.
    fn computing(&self, name: &'static str, compute: &Compute, dear: Option<Figures>) -> Computing {
        let mut running = self.running.lock();
        if let Some(computing) = running.get(name) {
            return computing.clone();
        }
        let (this, compute, ends) = (
            self.clone(),
            Arc::clone(compute),
            Ends(self.running.clone(), name),
        );
        let task = self.tasks.tracker.spawn(async move {
            let _ends = ends;
            let computed = match dear {
                Some(kept) => this.recompute_alone(name, &compute, kept).await,
                None => this.recompute(name, &compute).await,
            };
            if let Err(error) = &computed {
                tracing::warn!(figures = name, error = %error, "figures could not be recomputed");
            }
            computed
        });
        let computing: Computing = async move {
            let broken_off = |error| Err(Error::custom(format!("figures were not computed: {error}")));
            task.await.unwrap_or_else(broken_off)
        }
        .boxed()
        .shared();
        running.insert(name, computing.clone());
        computing
    }

    /// Recomputes dear figures unless another process is at it.
    async fn recompute_alone(
        &self,
        name: &'static str,
        compute: &Compute,
        kept: Figures,
    ) -> mongodb::error::Result<Figures> {
        let now = self.clock.now();
        let (lease, holder) = (format!("statistics:{name}"), ClaimId::random().to_string());
        if !self
            .leases
            .acquire(&lease, &holder, now, now.plus_millis(LEASE_MS))
            .await?
        {
            return Ok(kept);
        }
        let computed = self.recompute(name, compute).await;
        self.leases.release(&lease, &holder, self.clock.now()).await?;
        computed
    }

    async fn recompute(&self, name: &'static str, compute: &Compute) -> mongodb::error::Result<Figures> {
        let now = self.clock.now();
        let begun = Instant::now();
        let values = compute(now).await?;
        let cost_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let figures = Figures {
            name: name.to_owned(),
            values,
            generated_at: now,
            cost_ms,
        };
        self.repo.store(&figures).await?;
        Ok(figures)
    }
}

fn fresh_for(cost_ms: i64) -> i64 {
    if cost_ms <= CHEAP_MS {
        FRESH_MS
    } else {
        FRESH_MS.max(cost_ms.saturating_mul(SHARE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_figures_are_recomputed_less_often() {
        assert_eq!(fresh_for(10), 5_000);
        assert_eq!(fresh_for(250), 5_000);
        assert_eq!(fresh_for(2_000), 40_000);
    }
}
