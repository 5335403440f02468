//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Returns when the condition holds; fails the test with `what` when it never does.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    eventually_within(PATIENCE, what, condition).await;
}

/// The same with a bound of one's own.
pub(crate) async fn eventually_within(
    patience: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < patience, "never happened: {what}");
        tokio::time::sleep(LOOK).await;
    }
}
