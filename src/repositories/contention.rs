//! Writers of one document that meet: whoever comes second waits a little and decides anew on what the first has made.

use std::time::Duration;

/// How often a change is tried: with the pauses between some five seconds at most, in which two dozen writers of one
/// document get their turns on a machine that is busy with other things.
pub const ATTEMPTS: u32 = 20;

/// Waits before a change is tried again, the first time hardly, later up to a second; by chance, so that those who met do
/// not meet again.
pub async fn pause(attempt: u32) {
    let most = 4_u64 << attempt.min(8);
    let wait = rand::random_range(1..=most);
    tokio::time::sleep(Duration::from_millis(wait)).await;
}
