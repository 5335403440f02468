//! When a mail is tried again (contract http-admin-notifications 13.2).

use crate::domain::time::Timestamp;
use std::time::Duration;

/// Longest pause between attempts, in minutes.
const LONGEST_PAUSE_MINUTES: i64 = 60;

/// When failed attempt number `failures` is followed by the next: 2^(n-1) minutes up to an hour, a tenth more or less
/// (`draw` in 0..1), never before the transport allows.
pub(super) fn next_attempt(
    now: Timestamp,
    failures: i32,
    retry_after: Option<Duration>,
    draw: f64,
) -> Timestamp {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0).min(10);
    let pause_ms = (1_i64 << doublings).min(LONGEST_PAUSE_MINUTES) * 60_000;
    #[expect(clippy::cast_possible_truncation, reason = "the value lies between 0 and 200")]
    let share_per_mille = (draw.clamp(0.0, 1.0) * 200.0) as i64;
    let jittered = pause_ms * (900 + share_per_mille) / 1_000;
    let asked = retry_after
        .and_then(|wait| i64::try_from(wait.as_millis()).ok())
        .unwrap_or(0);
    now.plus_millis(jittered.max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn pauses_double_from_one_minute_to_an_hour_with_a_tenth_of_jitter() {
        let minutes = |failures, draw| next_attempt(NOW, failures, None, draw).millis();
        assert_eq!(
            [1, 2, 3, 4].map(|n| minutes(n, 0.5)),
            [60_000, 120_000, 240_000, 480_000]
        );
        assert_eq!((minutes(1, 0.0), minutes(1, 1.0)), (54_000, 66_000));
        assert_eq!(minutes(40, 0.5), 3_600_000);
    }

    #[test]
    fn a_longer_wait_that_the_transport_asks_for_is_honoured() {
        let wait = Some(Duration::from_mins(10));
        assert_eq!(next_attempt(NOW, 1, wait, 0.5).millis(), 600_000);
    }
}
