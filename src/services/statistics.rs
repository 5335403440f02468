//! Figures over everything: computed once for all processes, at most five seconds old while that is cheap (design 3).

use crate::app::Tasks;
use crate::domain::error::ServiceError;
use crate::domain::id::ClaimId;
use crate::domain::json::JsonObject;
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::lease_repo::LeaseRepo;
use crate::repositories::statistics_repo::{Figures, StatisticsRepo};
use futures::future::BoxFuture;
use mongodb::Database;
use std::sync::Arc;
use std::time::Instant;

/// How old figures may be, in milliseconds, while computing them is cheap.
const FRESH_MS: i64 = 5_000;
/// What counts as cheap, in milliseconds.
const CHEAP_MS: i64 = 250;
/// Dearer figures are recomputed at most in one part of so many of the time.
const SHARE: i64 = 20;
/// How long a computation may take before another process tries, in milliseconds.
const LEASE_MS: i64 = 60_000;

/// Computes one set of figures.
pub type Compute =
    Arc<dyn Fn(Timestamp) -> BoxFuture<'static, mongodb::error::Result<JsonObject>> + Send + Sync>;

/// Keeps figures; cheap to clone.
#[derive(Debug, Clone)]
pub struct Statistics {
    repo: StatisticsRepo,
    leases: LeaseRepo,
    clock: Clock,
    tasks: Tasks,
    process: String,
}

impl Statistics {
    /// Keeps figures in `database`.
    pub fn new(database: &Database, clock: &Clock, tasks: &Tasks) -> Self {
        Self {
            repo: StatisticsRepo::new(database),
            leases: LeaseRepo::new(database),
            clock: clock.clone(),
            tasks: tasks.clone(),
            process: ClaimId::random().to_string(),
        }
    }

    /// The set `name`. Old figures are answered while new ones are computed in the background, unless that is cheap.
    pub async fn get(&self, name: &'static str, compute: &Compute) -> Result<Figures, ServiceError> {
        let now = self.clock.now();
        let Some(kept) = self.repo.load(name).await? else {
            return self.recompute(name, compute).await;
        };
        if now.since(kept.generated_at).num_milliseconds() < fresh_for(kept.cost_ms) {
            return Ok(kept);
        }
        if kept.cost_ms <= CHEAP_MS {
            return self.recompute(name, compute).await;
        }
        let (this, compute) = (self.clone(), Arc::clone(compute));
        self.tasks.tracker.spawn(async move {
            if let Err(error) = this.recompute_alone(name, &compute).await {
                tracing::warn!(figures = name, error = %error, "figures could not be recomputed");
            }
        });
        Ok(kept)
    }

    /// The set `name` as it was last computed, however old.
    pub async fn kept(&self, name: &'static str) -> Result<Option<Figures>, ServiceError> {
        Ok(self.repo.load(name).await?)
    }

    /// Recomputes unless another process is at it.
    async fn recompute_alone(&self, name: &'static str, compute: &Compute) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let lease = format!("statistics:{name}");
        if self
            .leases
            .acquire(&lease, &self.process, now, now.plus_millis(LEASE_MS))
            .await?
        {
            let computed = self.recompute(name, compute).await;
            self.leases
                .release(&lease, &self.process, self.clock.now())
                .await?;
            computed?;
        }
        Ok(())
    }

    async fn recompute(&self, name: &'static str, compute: &Compute) -> Result<Figures, ServiceError> {
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
