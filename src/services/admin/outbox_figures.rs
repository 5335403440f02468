//! The outbox in figures (contract http-admin-notifications 14, dashboard and stats).
//!
//! While there are few mails every question counts them anew. Many are not counted for each question: the figures over
//! all of them are kept ([`Statistics`](crate::services::statistics::Statistics)), and a range is counted up to a bound.

use super::outbox::OutboxAdmin;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::json::JsonObject;
use crate::domain::person::Actor;
use crate::domain::time::Timestamp;
use crate::repositories::outbox_repo::OutboxRepo;
use crate::repositories::outbox_row::OutboxStatus;
use crate::repositories::outbox_search::OutboxGroup;
use crate::services::access::require_admin;
use crate::services::statistics::Compute;
use futures::FutureExt;
use mongodb::error::{Error, Result as Stored};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Up to so many mails every question counts all of them anew.
const FEW: u64 = 10_000;
/// Most mails of a range whose figures are asked for.
const RANGE: u64 = 100_000;
/// The name of the kept figures.
const NAME: &str = "outbox";
const DAY_MINUTES: i64 = 24 * 60;
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
    pub(super) fn of(groups: &[OutboxGroup]) -> Self {
        let count = |status: OutboxStatus| {
            groups
                .iter()
                .filter(|group| group.is(status))
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

/// How many mails stand where, and when they were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxCounts {
    /// All mails.
    pub counts: StatusCounts,
    /// When they were counted.
    pub generated_at: Timestamp,
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
    /// When the figures over all mails were taken; those of a range and `in_flight` are always of now.
    pub generated_at: Timestamp,
}

/// What is known of all mails, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Everything {
    groups: Vec<OutboxGroup>,
    last_day: Vec<OutboxGroup>,
    errors: Vec<(Option<String>, i64)>,
}

impl Everything {
    fn into_object(self) -> Stored<JsonObject> {
        match serde_json::to_value(self) {
            Ok(Value::Object(figures)) => Ok(JsonObject::from(figures)),
            Ok(_) => Ok(JsonObject::new()),
            Err(error) => Err(Error::custom(error)),
        }
    }
}

/// Counts all mails.
async fn everything_of(outbox: &OutboxRepo, now: Timestamp) -> Stored<Everything> {
    let (groups, last_day, errors) = tokio::try_join!(
        outbox.groups(None, None),
        outbox.groups(Some(now.plus_minutes(-DAY_MINUTES)), None),
        outbox.common_errors(TOP_ERRORS),
    )?;
    Ok(Everything {
        groups,
        last_day,
        errors,
    })
}

impl OutboxAdmin {
    /// The figures of the mails enqueued in a range.
    ///
    /// # Errors
    /// The actor is no administrator, the range holds too many mails, or the database is unavailable.
    pub async fn figures(
        &self,
        actor: &Actor,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<OutboxFigures, ServiceError> {
        require_admin(actor)?;
        let now = self.clock.now();
        let in_flight = async { self.outbox.in_flight(now).await.map_err(ServiceError::from) };
        let ((everything, generated_at), in_range, in_flight) =
            tokio::try_join!(self.everything(), self.range(from, to), in_flight)?;
        let groups = in_range.unwrap_or(everything.groups);
        Ok(OutboxFigures {
            counts: StatusCounts::of(&groups),
            templates: top_templates(&groups),
            retries: retries(&groups),
            errors: everything
                .errors
                .into_iter()
                .map(|(error, count)| (error_text(error), count))
                .collect(),
            in_flight,
            last_day: StatusCounts::of(&everything.last_day),
            generated_at,
        })
    }

    /// How many mails stand where.
    pub async fn counts(&self, actor: &Actor) -> Result<OutboxCounts, ServiceError> {
        require_admin(actor)?;
        let (everything, generated_at) = self.everything().await?;
        Ok(OutboxCounts {
            counts: StatusCounts::of(&everything.groups),
            generated_at,
        })
    }

    /// Takes the kept figures anew when they are old and needed.
    pub async fn refresh_figures(&self) -> Result<(), ServiceError> {
        if self.outbox.size().await? > FEW {
            self.kept().await?;
        }
        Ok(())
    }

    /// What is known of all mails, and since when.
    async fn everything(&self) -> Result<(Everything, Timestamp), ServiceError> {
        if self.outbox.size().await? <= FEW {
            let now = self.clock.now();
            return Ok((everything_of(&self.outbox, now).await?, now));
        }
        self.kept().await
    }

    async fn kept(&self) -> Result<(Everything, Timestamp), ServiceError> {
        let outbox = self.outbox.clone();
        let compute: Compute = Arc::new(move |now| {
            let outbox = outbox.clone();
            async move { everything_of(&outbox, now).await?.into_object() }.boxed()
        });
        let kept = self.statistics.get(NAME, &compute).await?;
        let everything = serde_json::from_value(kept.values.to_value())
            .map_err(|error| ServiceError::Defect(error.into()))?;
        Ok((everything, kept.generated_at))
    }

    /// The groups of a range as they are now; absent when none is given.
    async fn range(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Option<Vec<OutboxGroup>>, ServiceError> {
        if from.is_none() && to.is_none() {
            return Ok(None);
        }
        refuse_too_many(self.outbox.count_range(from, to, RANGE + 1).await?)?;
        Ok(Some(self.outbox.groups(from, to).await?))
    }
}

/// Says that a range holds more mails than are counted for one question.
fn refuse_too_many(mails: u64) -> Result<(), ServiceError> {
    if mails <= RANGE {
        return Ok(());
    }
    let text = format!(
        "from_date and to_date span more than {RANGE} mails: ask for a shorter range, or for all mails without them"
    );
    Err(ServiceError::bad_request(ErrorCode::ValidationError, text))
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

    #[test]
    fn a_range_of_too_many_mails_is_refused_with_the_names_of_its_fields() {
        assert!(refuse_too_many(RANGE).is_ok());
        let refused = refuse_too_many(RANGE + 1).unwrap_err().to_string();
        assert!(
            refused.contains("from_date and to_date") && refused.contains("100000"),
            "{refused}"
        );
    }
}
