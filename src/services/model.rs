//! The language model as services use it: with a bound on what each person asks and spends.
//!
//! Drafting and the assistant share one [`MeteredModel`]. A request of a person begins a [`ModelSession`]; its calls share
//! one time budget, and each reserves its tokens before and settles them after.

use crate::clients::language_model::{
    Budget, ChatEvent, ChatReply, ChatRequest, ChatStream, LanguageModel, ModelError,
};
use crate::config::{GenaiSettings, ModelSettings};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::Person;
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::model_usage_repo::ModelUsageRepo;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use mongodb::Database;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// When somebody may try again after the model was busy.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// Why a call of the model gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelCallError {
    /// The model or its provider failed; whoever has another answer may give that.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The person's share is used up, or our own database is unavailable.
    #[error(transparent)]
    Refused(#[from] ServiceError),
}

impl From<ModelCallError> for ServiceError {
    fn from(error: ModelCallError) -> Self {
        match error {
            ModelCallError::Refused(error) => error,
            ModelCallError::Model(ModelError::Busy) => Self::RateLimited {
                retry_after: BUSY_PAUSE,
            },
            ModelCallError::Model(ModelError::ContentFiltered) => Self::bad_request(
                ErrorCode::ValidationError,
                "the language model's content filter refused this text; please rephrase it",
            ),
            ModelCallError::Model(error) => Self::External {
                code: ErrorCode::OpenaiError,
                message: "the language model did not give a usable answer; please try again",
                source: Some(error.into()),
            },
        }
    }
}

/// The model with everybody's share of it; cheap to clone.
#[derive(Debug, Clone)]
pub struct MeteredModel(Arc<Inner>);

struct Inner {
    model: LanguageModel,
    rate: DefaultKeyedRateLimiter<String>,
    usage: ModelUsageRepo,
    clock: Clock,
    timeout: Duration,
    tokens_per_day: i64,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeteredModel")
            .field("model", &self.model.name())
            .field("timeout", &self.timeout)
            .field("tokens_per_day", &self.tokens_per_day)
            .finish_non_exhaustive()
    }
}

impl MeteredModel {
    /// The model that `settings` name; `None` when they name none.
    ///
    /// # Errors
    /// The key cannot be sent, or the HTTP client cannot be built.
    pub fn new(settings: &GenaiSettings, database: &Database, clock: &Clock) -> anyhow::Result<Option<Self>> {
        let Some(model) = &settings.model else {
            return Ok(None);
        };
        Self::of(settings, model, database, clock).map(Some)
    }

    fn of(
        settings: &GenaiSettings,
        model: &ModelSettings,
        database: &Database,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let rate = NonZeroU32::new(settings.requests_per_minute).unwrap_or(NonZeroU32::MIN);
        Ok(Self(Arc::new(Inner {
            model: LanguageModel::new(settings, model)?,
            rate: RateLimiter::keyed(Quota::per_minute(rate)),
            usage: ModelUsageRepo::new(database),
            clock: clock.clone(),
            timeout: settings.timeout,
            tokens_per_day: i64::try_from(settings.tokens_per_day).unwrap_or(i64::MAX),
        })))
    }

    /// The deployment's or model's name.
    pub fn name(&self) -> &str {
        self.0.model.name()
    }

    /// Begins a request of `person`; its time runs from now on.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] above the person's requests a minute.
    pub fn begin(&self, person: &Person) -> Result<ModelSession, ServiceError> {
        self.begin_within(person, self.0.timeout)
    }

    /// The same for a request that has other things to do as well: the model gets at most `time`.
    ///
    /// # Errors
    /// As [`MeteredModel::begin`].
    pub fn begin_within(&self, person: &Person, time: Duration) -> Result<ModelSession, ServiceError> {
        let key = person.aad_id.clone().unwrap_or_else(|| person.email.key());
        self.0
            .rate
            .check_key(&key)
            .map_err(|refused| ServiceError::RateLimited {
                retry_after: refused.wait_time_from(DefaultClock::default().now()),
            })?;
        Ok(ModelSession {
            model: self.clone(),
            person: key,
            budget: Budget::start(time.min(self.0.timeout)),
        })
    }

    /// Forgets people who have been quiet; called by a job.
    pub fn forget_quiet(&self) {
        self.0.rate.retain_recent();
        self.0.rate.shrink_to_fit();
    }
}

/// One request of one person; its calls share a time budget.
#[derive(Debug)]
pub struct ModelSession {
    model: MeteredModel,
    person: String,
    budget: Budget,
}

impl ModelSession {
    /// What is left of the request's time.
    pub fn time_left(&self) -> Duration {
        self.budget.left()
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    /// See [`ModelCallError`]; always within the session's time.
    pub async fn chat(&self, request: &ChatRequest) -> Result<ChatReply, ModelCallError> {
        let reserved = self.reserve(request).await?;
        let outcome = self.model.0.model.chat(request, self.budget).await;
        let spent = match &outcome {
            Ok(reply) => spent_by(request, reply),
            Err(error) => spent_without_answer(request, error),
        };
        self.settle(reserved, spent).await;
        Ok(outcome?)
    }

    /// Asks and answers the events as they come.
    ///
    /// # Errors
    /// As [`ModelSession::chat`], for what happens before the answer begins.
    pub async fn stream(&self, request: &ChatRequest) -> Result<MeteredStream<'_>, ModelCallError> {
        let reserved = self.reserve(request).await?;
        match self.model.0.model.stream(request, self.budget).await {
            Ok(stream) => Ok(MeteredStream {
                session: self,
                prompt_tokens: request.estimated_prompt_tokens(),
                stream,
                reserved: Some(reserved),
            }),
            Err(error) => {
                self.settle(reserved, spent_without_answer(request, &error)).await;
                Err(error.into())
            }
        }
    }

    async fn reserve(&self, request: &ChatRequest) -> Result<Reserved, ModelCallError> {
        let inner = &self.model.0;
        let now = inner.clock.now();
        let tokens = i64::try_from(request.estimated_tokens()).unwrap_or(i64::MAX);
        let reserving = inner
            .usage
            .reserve(&self.person, now, tokens, inner.tokens_per_day);
        let is_granted = tokio::time::timeout(self.budget.left(), reserving)
            .await
            .map_err(|_| ModelError::TimedOut)?
            .map_err(ServiceError::from)?;
        if is_granted {
            Ok(Reserved { at: now, tokens })
        } else {
            Err(ServiceError::RateLimited {
                retry_after: until_midnight(now),
            }
            .into())
        }
    }

    /// Replaces what was reserved by what was spent. A count that cannot be corrected stays too high for the day.
    async fn settle(&self, reserved: Reserved, spent: u64) {
        let spent = i64::try_from(spent).unwrap_or(i64::MAX);
        let usage = &self.model.0.usage;
        let difference = spent.saturating_sub(reserved.tokens);
        let correcting = usage.correct(&self.person, reserved.at, difference);
        let settled = tokio::time::timeout(SETTLE, correcting).await;
        if !matches!(settled, Ok(Ok(()))) {
            tracing::warn!("the tokens of a language model call could not be counted exactly");
        }
    }
}

/// How long counting tokens may take after an answer; the answer waits for it.
const SETTLE: Duration = Duration::from_secs(1);

/// Tokens set aside for a call.
#[derive(Debug)]
struct Reserved {
    at: Timestamp,
    tokens: i64,
}

/// A streamed answer whose tokens are counted at its end; one that is dropped before keeps what was reserved.
#[derive(Debug)]
pub struct MeteredStream<'a> {
    session: &'a ModelSession,
    stream: ChatStream,
    prompt_tokens: u64,
    reserved: Option<Reserved>,
}

impl MeteredStream<'_> {
    /// The next event; `None` after the last one or an error.
    pub async fn next(&mut self) -> Option<Result<ChatEvent, ModelCallError>> {
        let event = self.stream.next().await?;
        if let Ok(ChatEvent::Done(reply)) = &event
            && let Some(reserved) = self.reserved.take()
        {
            let spent = counted(reply).unwrap_or_else(|| self.prompt_tokens.saturating_add(guessed(reply)));
            self.session.settle(reserved, spent).await;
        }
        Some(event.map_err(ModelCallError::from))
    }
}

fn spent_by(request: &ChatRequest, reply: &ChatReply) -> u64 {
    counted(reply).unwrap_or_else(|| request.estimated_prompt_tokens().saturating_add(guessed(reply)))
}

/// What the provider counted; `None` when it does not.
fn counted(reply: &ChatReply) -> Option<u64> {
    Some(reply.usage.total()).filter(|total| *total > 0)
}

fn guessed(reply: &ChatReply) -> u64 {
    let calls: usize = reply.tool_calls.iter().map(|call| call.arguments.len()).sum();
    u64::try_from(reply.text.len() + calls).unwrap_or(u64::MAX) / 4
}

/// The provider has worked on the request unless it refused or was never reached.
fn spent_without_answer(request: &ChatRequest, error: &ModelError) -> u64 {
    match error {
        ModelError::TimedOut
        | ModelError::ContentFiltered
        | ModelError::Malformed(_)
        | ModelError::TooLarge => request.estimated_prompt_tokens(),
        ModelError::Busy
        | ModelError::RateLimited { .. }
        | ModelError::Rejected { .. }
        | ModelError::Failing { .. }
        | ModelError::Unreachable => 0,
    }
}

/// The day of the counts ends at midnight UTC.
fn until_midnight(now: Timestamp) -> Duration {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    let left = DAY - now.millis().rem_euclid(DAY);
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_ends_at_midnight_utc() {
        let nine_thirty = Timestamp::from_millis(1_767_605_400_000);
        assert_eq!(until_midnight(nine_thirty), Duration::from_mins(14 * 60 + 30));
    }

    #[test]
    fn a_busy_model_is_told_apart_from_a_failing_one() {
        let busy = ServiceError::from(ModelCallError::from(ModelError::Busy));
        assert!(matches!(busy, ServiceError::RateLimited { .. }));
        let failing = ServiceError::from(ModelCallError::from(ModelError::Failing { status: 500 }));
        assert!(matches!(failing, ServiceError::External { .. }));
        let filtered = ServiceError::from(ModelCallError::from(ModelError::ContentFiltered));
        assert!(matches!(filtered, ServiceError::BadRequest { .. }));
    }
}
