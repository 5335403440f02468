//! What a flood came to: who was served how fast, who was refused how.

use super::flood::Answered;
use std::time::Duration;

/// The figures of one flood.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// How long each request took that was served, shortest first once [`Figures::finish`] was called.
    pub(super) served: Vec<Duration>,
    /// The same of requests that were told to come back.
    pub(super) refused: Vec<Duration>,
    /// What the requests had to say that were served.
    pub(super) kept: Vec<String>,
    /// The same of requests that were refused.
    pub(super) turned_away: Vec<String>,
    /// Every answer that is neither, and every refusal without a time to wait.
    pub(super) others: Vec<String>,
    /// How long requests were sent.
    pub(super) took: Duration,
}

impl Figures {
    pub(super) fn add(&mut self, answered: Answered) {
        let Answered {
            said,
            took,
            status,
            has_pause,
        } = answered;
        match status {
            Ok(200 | 201) => {
                self.served.push(took);
                self.kept.push(said);
            }
            Ok(429) if has_pause => {
                self.refused.push(took);
                self.turned_away.push(said);
            }
            Ok(status) => self
                .others
                .push(format!("{status} after {} ms", took.as_millis())),
            Err(error) => self.others.push(error),
        }
    }

    pub(super) fn finish(mut self, took: Duration) -> Self {
        self.served.sort_unstable();
        self.refused.sort_unstable();
        self.took = took;
        self
    }

    /// Requests served a second.
    pub(super) fn rate(&self) -> f64 {
        per_second(self.served.len(), self.took)
    }

    /// Requests sent a second.
    pub(super) fn offered(&self) -> f64 {
        let sent = self.served.len() + self.refused.len() + self.others.len();
        per_second(sent, self.took)
    }
}

/// The time within which so many of a hundred were answered, in milliseconds.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted
        .get(at)
        .map_or(0.0, |took| (took.as_secs_f64() * 10_000.0).round() / 10.0)
}

fn per_second(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64()
}
