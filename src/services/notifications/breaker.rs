//! The circuit breaker before the mail transport: while it is away nothing is tried but one mail now and then, and
//! no mail loses an attempt.

use crate::domain::time::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The first pause; it doubles with each failure.
const FIRST_PAUSE_MS: i64 = 5_000;
/// The longest pause.
const LONGEST_PAUSE_MS: i64 = 300_000;

/// What the breaker allows now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Everything.
    Open,
    /// One mail, to see whether the transport is back.
    Probe,
    /// Nothing before this instant.
    Blocked(Timestamp),
}

/// Remembers whether the transport answers.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Since when the transport has been away.
    away_since: Option<Timestamp>,
    blocked_until: Option<Timestamp>,
    /// Until when the transport itself has asked for a pause.
    asked_until: Option<Timestamp>,
    failures: u32,
    probing: bool,
}

impl Breaker {
    /// Asks to send a mail; a [`Passage::Probe`] is given to one asker at a time.
    pub fn ask(&self, now: Timestamp) -> Passage {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.blocked_until {
            None => Passage::Open,
            Some(until) if until > now => Passage::Blocked(until),
            Some(_) if state.probing => Passage::Blocked(now.plus_millis(1_000)),
            Some(_) => {
                state.probing = true;
                Passage::Probe
            }
        }
    }

    /// Whether mails may still be started that everything was allowed for.
    pub fn is_open(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.blocked_until.is_none()
    }

    /// A probe is over, whether it found anything out or not.
    pub fn probed(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).probing = false;
    }

    /// The transport answered, whatever it said of the mail; true when it had been away. An answer to a mail that was
    /// under way ends a pause that we have chosen, never one that the transport has asked for.
    pub fn answered(&self, now: Timestamp) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.asked_until.is_some_and(|until| until > now) {
            return false;
        }
        let was_away = state.away_since.is_some();
        *state = State::default();
        was_away
    }

    /// The transport is away; returns when it is tried again, which no later failure makes sooner.
    pub fn failed(&self, now: Timestamp, retry_after: Option<Duration>) -> Timestamp {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Mails that were on their way together count as one failure.
        if state.probing || state.failures == 0 {
            state.failures = state.failures.saturating_add(1);
        }
        let doublings = state.failures.saturating_sub(1).min(10);
        let pause = (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS);
        let asked = retry_after
            .and_then(|wait| i64::try_from(wait.as_millis()).ok())
            .map(|wait| now.plus_millis(wait));
        state.asked_until = state.asked_until.max(asked);
        let until = [Some(now.plus_millis(pause)), asked, state.blocked_until];
        let until = until.into_iter().flatten().max().unwrap_or(now);
        state.away_since.get_or_insert(now);
        state.blocked_until = Some(until);
        state.probing = false;
        until
    }

    /// Since when the transport has been away.
    pub fn away_since(&self) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).away_since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn one_mail_at_a_time_finds_out_whether_the_transport_is_back() {
        let breaker = Breaker::default();
        assert_eq!(breaker.ask(NOW), Passage::Open);
        let until = breaker.failed(NOW, None);
        assert_eq!(until, NOW.plus_millis(5_000));
        assert_eq!(breaker.ask(NOW), Passage::Blocked(until));
        assert_eq!(breaker.ask(until), Passage::Probe);
        assert!(matches!(breaker.ask(until), Passage::Blocked(_)));
        assert!(breaker.answered(until));
        assert_eq!(breaker.ask(until), Passage::Open);
    }

    #[test]
    fn pauses_grow_with_failed_probes_only_and_have_a_limit() {
        let breaker = Breaker::default();
        let mut at = NOW;
        breaker.failed(at, None);
        assert_eq!(breaker.failed(at, None), at.plus_millis(5_000));
        for expected in [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000] {
            at = at.plus_millis(400_000);
            assert_eq!(breaker.ask(at), Passage::Probe);
            assert_eq!(breaker.failed(at, None), at.plus_millis(expected));
        }
        assert_eq!(breaker.away_since(), Some(NOW));
    }

    #[test]
    fn a_longer_pause_that_the_transport_asks_for_is_honoured() {
        let breaker = Breaker::default();
        assert_eq!(
            breaker.failed(NOW, Some(Duration::from_mins(1))),
            NOW.plus_millis(60_000)
        );
    }

    #[test]
    fn mails_that_were_under_way_do_not_shorten_a_pause_that_the_transport_asked_for() {
        let breaker = Breaker::default();
        let until = breaker.failed(NOW, Some(Duration::from_mins(1)));
        assert_eq!(breaker.failed(NOW, None), until);
        assert!(!breaker.answered(NOW));
        assert_eq!(breaker.ask(NOW), Passage::Blocked(until));
        assert_eq!(breaker.ask(until), Passage::Probe);
        assert!(breaker.answered(until));
        assert_eq!(breaker.ask(until), Passage::Open);
    }

    #[test]
    fn an_answer_to_a_mail_that_was_under_way_ends_a_pause_that_we_have_chosen() {
        let breaker = Breaker::default();
        breaker.failed(NOW, None);
        assert!(!breaker.is_open());
        assert!(breaker.answered(NOW));
        assert!(breaker.is_open());
    }

    #[test]
    fn a_probe_that_found_nothing_out_is_followed_by_another() {
        let breaker = Breaker::default();
        let until = breaker.failed(NOW, None);
        assert_eq!(breaker.ask(until), Passage::Probe);
        breaker.probed();
        assert_eq!(breaker.ask(until), Passage::Probe);
    }
}
