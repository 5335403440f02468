//! A streamed answer: text as it comes, then the whole.

use super::budget::Budget;
use super::chat::ChatEvent;
use super::error::ModelError;
use super::transport::{Fault, fault_of};
use super::wire::{Assembly, Completion};
use async_openai::error::OpenAIError;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::OwnedSemaphorePermit;

/// A streamed answer. Dropping it ends the request to the provider.
pub struct ChatStream {
    parts: BoxStream<'static, Result<Completion, OpenAIError>>,
    assembly: Option<Assembly>,
    budget: Budget,
    /// One of the calls that run at the same time, until the stream ends.
    _turn: OwnedSemaphorePermit,
}

impl std::fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream")
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl ChatStream {
    pub(super) fn new(
        parts: BoxStream<'static, Result<Completion, OpenAIError>>,
        budget: Budget,
        turn: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            parts,
            assembly: Some(Assembly::default()),
            budget,
            _turn: turn,
        }
    }

    /// The next event; `None` after the last one or an error.
    pub async fn next(&mut self) -> Option<Result<ChatEvent, ModelError>> {
        loop {
            let mut assembly = self.assembly.take()?;
            let part = self
                .budget
                .spend(async { self.parts.next().await.transpose().map_err(read_fault) })
                .await;
            let added = match part {
                Err(error) => return Some(Err(error)),
                Ok(None) if assembly.is_complete() => return Some(assembly.finish().map(ChatEvent::Done)),
                Ok(None) => return Some(Err(ModelError::Unreachable)),
                Ok(Some(part)) => match assembly.add(part) {
                    Ok(added) => added,
                    Err(error) => return Some(Err(error)),
                },
            };
            self.assembly = Some(assembly);
            if !added.is_empty() {
                return Some(Ok(ChatEvent::Text(added)));
            }
        }
    }
}

fn read_fault(error: OpenAIError) -> ModelError {
    match fault_of(error) {
        Fault::Model(error) => error,
        Fault::Refused(refusal) => refusal.into_error(),
    }
}
