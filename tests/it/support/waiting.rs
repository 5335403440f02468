//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Returns when the condition holds; fails the test with `what` when it never does.
pub(crate) async fn eventually<F>(what: &str, condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    eventually_within(PATIENCE, what, condition).await;
}

/// The same with a bound of one's own.
pub(crate) async fn eventually_within<F>(patience: Duration, what: &str, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < patience, "never happened: {what}");
        tokio::time::sleep(LOOK).await;
    }
}
