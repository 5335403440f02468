//! The outbox in figures (contract http-admin-notifications 14, dashboard and stats).

use super::outbox::OutboxAdmin;
use crate::domain::error::ServiceError;
use crate::domain::person::Actor;
use crate::domain::time::Timestamp;
use crate::repositories::outbox_row::OutboxStatus;
use crate::repositories::outbox_search::OutboxGroup;
use crate::services::access::require_admin;
use std::collections::BTreeMap;

/// How many templates are named.
const TOP_TEMPLATES: usize = 20;
/// How many reasons of failure are named.
const TOP_ERRORS: i64 = 10;

/// How many mails stand where; `total` includes cancelled ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named like its word on the wire")]
pub struct StatusCounts {
    pub pending: i64,
    pub sent: i64,
    pub failed: i64,
    pub total: i64,
}

impl StatusCounts {
    fn of(groups: &[OutboxGroup]) -> Self {
        let count = |status: OutboxStatus| {
            groups
                .iter()
                .filter(|group| group.status.as_deref() == Some(status.as_str()))
                .map(|group| group.count)
                .sum()
        };
        Self {
            pending: count(OutboxStatus::Pending),
            sent: count(OutboxStatus::Sent),
            failed: count(OutboxStatus::Failed),
            total: groups.iter().map(|group| group.count).sum(),
        }
    }

    /// `part` of the total in per cent, two decimals; 0 when there is nothing.
    #[expect(clippy::cast_precision_loss, reason = "counts of mails are far below 2^53")]
    pub fn rate(&self, part: i64) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        (part as f64 * 10_000.0 / self.total as f64).round() / 100.0
    }
}

/// The outbox in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxFigures {
    /// All mails of the range.
    pub counts: StatusCounts,
    /// The commonest templates.
    pub templates: Vec<(String, i64)>,
    /// How many mails have so many failed attempts.
    pub retries: BTreeMap<i64, i64>,
    /// The commonest reasons of failure.
    pub errors: Vec<(String, i64)>,
    /// How many mails are being sent.
    pub in_flight: u64,
    /// Mails enqueued in the last 24 hours.
    pub last_day: StatusCounts,
}

impl OutboxAdmin {
    /// The figures of the mails enqueued in a range.
    pub async fn figures(
        &self,
        actor: &Actor,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<OutboxFigures, ServiceError> {
        require_admin(actor)?;
        let now = self.clock.now();
        let (groups, last_day, errors, in_flight) = tokio::try_join!(
            self.outbox.groups(from, to),
            self.outbox.groups(Some(now.plus_minutes(-24 * 60)), None),
            self.outbox.common_errors(TOP_ERRORS),
            self.outbox.in_flight(now),
        )?;
        Ok(OutboxFigures {
            counts: StatusCounts::of(&groups),
            templates: top_templates(&groups),
            retries: retries(&groups),
            errors: errors
                .into_iter()
                .map(|(error, count)| (error_text(error), count))
                .collect(),
            in_flight,
            last_day: StatusCounts::of(&last_day),
        })
    }

    /// How many mails stand where.
    pub async fn counts(&self, actor: &Actor) -> Result<StatusCounts, ServiceError> {
        require_admin(actor)?;
        Ok(StatusCounts::of(&self.outbox.groups(None, None).await?))
    }
}

fn top_templates(groups: &[OutboxGroup]) -> Vec<(String, i64)> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for group in groups {
        *counts
            .entry(group.template_key.as_deref().unwrap_or("UNKNOWN"))
            .or_default() += group.count;
    }
    let mut sorted: Vec<_> = counts
        .into_iter()
        .map(|(key, count)| (key.to_owned(), count))
        .collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted.truncate(TOP_TEMPLATES);
    sorted
}

fn retries(groups: &[OutboxGroup]) -> BTreeMap<i64, i64> {
    let mut counts = BTreeMap::new();
    for group in groups {
        *counts.entry(group.retry_count.unwrap_or_default()).or_default() += group.count;
    }
    counts
}

fn error_text(error: Option<String>) -> String {
    let text = error.unwrap_or_else(|| "no reason recorded".to_owned());
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_decimals_and_survive_an_empty_outbox() {
        let counts = StatusCounts {
            pending: 1,
            sent: 2,
            failed: 0,
            total: 3,
        };
        assert!((counts.rate(counts.sent) - 66.67).abs() < f64::EPSILON);
        assert!(StatusCounts::default().rate(0).abs() < f64::EPSILON);
    }
}
