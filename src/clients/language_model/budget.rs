//! The time that all calls of one request share.

use super::error::ModelError;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// A moment after which nobody waits any more; waits, calls and retries share it.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    deadline: Instant,
}

impl Budget {
    /// A budget of `total` from now on.
    pub fn start(total: Duration) -> Self {
        Self {
            deadline: Instant::now() + total,
        }
    }

    /// What is left, zero when it is used up.
    pub fn left(self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits for `work` as long as the budget lasts; dropping the future cancels the work.
    ///
    /// # Errors
    /// [`ModelError::TimedOut`] at its end.
    pub async fn spend<T>(self, work: impl Future<Output = Result<T, ModelError>>) -> Result<T, ModelError> {
        match tokio::time::timeout_at(self.deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ModelError::TimedOut),
        }
    }
}
