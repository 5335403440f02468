//! The language model: chat completions of Azure OpenAI or any server with OpenAI's interface.
//!
//! Every call is bounded: in time by the [`Budget`] that waits, retries and answers share, in number by turns, in size by
//! the transport. Dropping a call's future ends it. Keys, requests and answers are never logged.

mod budget;
mod chat;
mod chat_stream;
mod dialect;
mod error;
mod transport;
mod wire;

pub use budget::Budget;
pub use chat::{ChatEvent, ChatMessage, ChatReply, ChatRequest, ReplyFormat, ToolCall, ToolSpec, Usage};
pub use chat_stream::ChatStream;
pub use error::ModelError;

use crate::config::{GenaiSettings, ModelSettings};
use async_openai::Client;
use async_openai::error::OpenAIError;
use backon::{ExponentialBuilder, Retryable};
use dialect::{Dialect, LearnedDialect};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use transport::{Endpoint, Fault, Transport, fault_of};
use wire::{Assembly, Completion};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a failed request is sent again, the budget permitting.
const RETRIES: usize = 3;
/// The pause before the first repeat; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that the provider did not ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How many calls may wait for each one that runs.
const WAITING_PER_TURN: usize = 4;

/// The model; cheap to clone.
#[derive(Debug, Clone)]
pub struct LanguageModel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client<Endpoint>,
    model: String,
    dialect: LearnedDialect,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
}

impl LanguageModel {
    /// The model that `settings` name.
    ///
    /// # Errors
    /// The key cannot be sent, or the HTTP client cannot be built.
    pub fn new(settings: &GenaiSettings, model: &ModelSettings) -> anyhow::Result<Self> {
        let endpoint = Endpoint::new(model)?;
        let http = reqwest::Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let name = endpoint.model.clone();
        let client = Client::build(http.clone(), endpoint).with_http_service(Transport { http });
        Ok(Self(Arc::new(Inner {
            client,
            model: name,
            dialect: LearnedDialect::default(),
            turns: Arc::new(Semaphore::new(settings.max_concurrent_calls)),
            waiting: AtomicUsize::new(0),
            most_waiting: settings.max_concurrent_calls.saturating_mul(WAITING_PER_TURN),
        })))
    }

    /// The deployment's or model's name.
    pub fn name(&self) -> &str {
        &self.0.model
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    /// See [`ModelError`]; what may pass by itself was tried again within the budget.
    pub async fn chat(&self, request: &ChatRequest, budget: Budget) -> Result<ChatReply, ModelError> {
        let asking = async {
            let _turn = self.turn().await?;
            self.with_retries(budget, || {
                self.in_its_dialect(|dialect| self.ask(request, dialect))
            })
            .await
        };
        budget.spend(asking).await
    }

    /// Asks and answers a stream once the server begins to answer; only what comes before is tried again.
    ///
    /// # Errors
    /// As [`LanguageModel::chat`].
    pub async fn stream(&self, request: &ChatRequest, budget: Budget) -> Result<ChatStream, ModelError> {
        let opening = async {
            let turn = self.turn().await?;
            let parts = self
                .with_retries(budget, || {
                    self.in_its_dialect(|dialect| self.open(request, dialect))
                })
                .await?;
            Ok(ChatStream::new(parts, budget, turn))
        };
        budget.spend(opening).await
    }

    async fn ask(&self, request: &ChatRequest, dialect: Dialect) -> Result<ChatReply, Fault> {
        let body = wire::body(request, &self.0.model, dialect, false);
        let chat = self.0.client.chat();
        let answer: Completion = chat
            .create_byot::<Value, Completion>(body)
            .await
            .map_err(fault_of)?;
        let mut assembly = Assembly::default();
        assembly.add(answer)?;
        Ok(assembly.finish()?)
    }

    async fn open(
        &self,
        request: &ChatRequest,
        dialect: Dialect,
    ) -> Result<BoxStream<'static, Result<Completion, OpenAIError>>, Fault> {
        let body = wire::body(request, &self.0.model, dialect, true);
        let chat = self.0.client.chat();
        let parts = chat
            .create_stream_byot::<Value, Completion>(body)
            .await
            .map_err(fault_of)?;
        Ok(parts.boxed())
    }

    /// Sends a request, rephrased as long as the server names a part of it that it does not understand.
    async fn in_its_dialect<T, F>(&self, send: impl Fn(Dialect) -> F) -> Result<T, ModelError>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut dialect = self.0.dialect.current();
        loop {
            let refusal = match send(dialect).await {
                Ok(answer) => {
                    self.0.dialect.learn(dialect);
                    return Ok(answer);
                }
                Err(Fault::Model(error)) => return Err(error),
                Err(Fault::Refused(refusal)) => refusal,
            };
            let learned = refusal
                .is_about_the_request()
                .then(|| dialect.after_refusal(refusal.param.as_deref(), &refusal.message))
                .flatten();
            let Some(learned) = learned else {
                return Err(refusal.into_error());
            };
            dialect = learned;
        }
    }

    /// Tries again what may pass by itself, unless the pause is longer than the budget.
    async fn with_retries<T, F>(&self, budget: Budget, send: impl Fn() -> F) -> Result<T, ModelError>
    where
        F: Future<Output = Result<T, ModelError>>,
    {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(RETRIES)
            .with_jitter();
        send.retry(pauses)
            .when(ModelError::is_transient)
            .adjust(|error, pause| {
                let pause = pause.map(|pause| error.wanted_pause().unwrap_or(pause));
                pause.filter(|pause| *pause < budget.left())
            })
            .notify(|error, pause| {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "asking the language model again");
            })
            .await
    }

    /// Waits for one of the calls that may run at the same time.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, ModelError> {
        if let Ok(turn) = Arc::clone(&self.0.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let _place = Place::take(&self.0)?;
        let turn = Arc::clone(&self.0.turns).acquire_owned().await;
        turn.map_err(|_| ModelError::Busy)
    }
}

/// A place among those who wait, given back when the waiting ends in whichever way.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(inner: &'a Inner) -> Result<Self, ModelError> {
        let before = inner.waiting.fetch_add(1, Ordering::AcqRel);
        let place = Self(&inner.waiting);
        if before < inner.most_waiting {
            Ok(place)
        } else {
            Err(ModelError::Busy)
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
