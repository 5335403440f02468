//! Whether mail gets through (contract http-admin-notifications 10 and 17).

use super::outbox_drain::OutboxDrain;
use crate::domain::time::Timestamp;
use crate::repositories::outbox_repo::OutboxRepo;
use mongodb::error::Result;

/// More failures than this in an hour are a sign of trouble.
const MANY_FAILURES: u64 = 5;
/// More waiting mails than this, with none sent for a day, are a sign of trouble.
const MANY_WAITING: u64 = 10;
const HOUR_MINUTES: i64 = 60;
const DAY_MINUTES: i64 = 24 * 60;
/// A transport away for longer than this counts as broken.
const LONG_OUTAGE_MINUTES: i64 = 15;

/// Whether mail gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailCondition {
    /// Yes, or it is not meant to.
    Healthy,
    /// Something is wrong, or the transport has just gone away.
    Degraded,
    /// The transport has been away for long.
    Unhealthy,
}

/// How mail is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailHealth {
    /// The verdict.
    pub condition: MailCondition,
    /// When a mail was last accepted.
    pub last_sent_at: Option<Timestamp>,
    /// Mails that were given up in the last hour, counted up to 10 000.
    pub recent_failures: u64,
    /// Mails that wait, counted up to 10 000.
    pub waiting: u64,
    /// Since when the oldest of them could have been sent.
    pub oldest_due_at: Option<Timestamp>,
    /// Since when the transport has been away, as this process sees it.
    pub away_since: Option<Timestamp>,
    /// The simpler verdict of the command centre: not many failures, and not many waiting without any sent.
    pub is_getting_through: bool,
}

/// Looks how mail is doing.
pub async fn look(outbox: &OutboxRepo, drain: &OutboxDrain, now: Timestamp) -> Result<MailHealth> {
    let (recent_failures, last_sent_at, (waiting, oldest_due_at)) = tokio::try_join!(
        outbox.failed_since(now.plus_minutes(-HOUR_MINUTES)),
        outbox.last_sent_at(),
        outbox.depth(now),
    )?;
    let sent_lately = last_sent_at.is_some_and(|at| at > now.plus_minutes(-DAY_MINUTES));
    let is_getting_through = recent_failures <= MANY_FAILURES && (waiting <= MANY_WAITING || sent_lately);
    let away_since = drain.away_since();
    Ok(MailHealth {
        condition: judge(drain.is_remote(), is_getting_through, away_since, now),
        last_sent_at,
        recent_failures,
        waiting,
        oldest_due_at,
        away_since,
        is_getting_through,
    })
}

fn judge(
    is_remote: bool,
    is_getting_through: bool,
    away_since: Option<Timestamp>,
    now: Timestamp,
) -> MailCondition {
    match away_since {
        _ if !is_remote => MailCondition::Healthy,
        Some(since) if since < now.plus_minutes(-LONG_OUTAGE_MINUTES) => MailCondition::Unhealthy,
        None if is_getting_through => MailCondition::Healthy,
        Some(_) | None => MailCondition::Degraded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_turns_from_degraded_to_unhealthy_and_logging_is_never_ill() {
        let now = Timestamp::from_millis(100_000_000);
        let since = |minutes: i64| Some(now.plus_minutes(-minutes));
        assert_eq!(judge(true, true, None, now), MailCondition::Healthy);
        assert_eq!(judge(true, true, since(14), now), MailCondition::Degraded);
        assert_eq!(judge(true, true, since(16), now), MailCondition::Unhealthy);
        assert_eq!(judge(true, false, None, now), MailCondition::Degraded);
        assert_eq!(judge(false, false, since(16), now), MailCondition::Healthy);
    }
}
