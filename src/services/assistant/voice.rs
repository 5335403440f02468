//! How an answer is told: all at once, or as it comes.

use super::reply::ReplyCleaner;
use super::tools::tool_named;
use crate::clients::language_model::{ChatEvent, ChatReply, ChatRequest, ModelError};
use crate::domain::conversation::Persona;
use crate::domain::id::TicketId;
use crate::services::model::{ModelCallError, ModelSession};
use std::collections::BTreeSet;
use tokio::sync::mpsc;

/// Something said on the way to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// More of the answer's text.
    Text(String),
    /// What was said so far is no part of the answer.
    Restart,
    /// The assistant looks something up with this tool.
    LooksUp(&'static str),
}

/// Whether and how an answer is told as it comes.
#[derive(Debug)]
pub struct Voice {
    listener: Option<mpsc::Sender<Said>>,
    /// The text said since the last restart.
    said: String,
}

impl Voice {
    /// Nobody listens before the answer is whole.
    pub const fn silent() -> Self {
        Self {
            listener: None,
            said: String::new(),
        }
    }

    /// Tells `listener`, which may take its time as far as the answer has any.
    pub const fn to(listener: mpsc::Sender<Said>) -> Self {
        Self {
            listener: Some(listener),
            said: String::new(),
        }
    }

    /// Asks the model; its words are told as far as they may be shown.
    pub(super) async fn ask(
        &mut self,
        session: &ModelSession,
        request: &ChatRequest,
        known: BTreeSet<TicketId>,
    ) -> Result<ChatReply, ModelCallError> {
        if self.listener.is_none() {
            return session.chat(request).await;
        }
        let mut cleaner = ReplyCleaner::naming(known);
        let mut stream = session.stream(request).await?;
        while let Some(event) = stream.next().await {
            match event? {
                ChatEvent::Text(text) => self.say(cleaner.push(&text)).await,
                ChatEvent::Done(reply) => {
                    self.say(cleaner.finish()).await;
                    return Ok(reply);
                }
            }
        }
        Err(ModelError::Unreachable.into())
    }

    /// Says what of the whole answer has not been said yet.
    pub(super) async fn say_rest(&mut self, answer: &str) {
        if !answer.starts_with(&self.said) {
            self.restart().await;
        }
        let rest = answer.get(self.said.len()..).unwrap_or_default();
        self.say(rest.to_owned()).await;
    }

    /// Takes back what was said.
    pub(super) async fn restart(&mut self) {
        if !self.said.is_empty() {
            self.said.clear();
            self.tell(Said::Restart).await;
        }
    }

    /// Says that something is looked up, if there is such a tool.
    pub(super) async fn look_up(&mut self, name: &str, persona: Persona) {
        if let Some(tool) = tool_named(name, persona) {
            self.tell(Said::LooksUp(tool.name)).await;
        }
    }

    async fn say(&mut self, text: String) {
        if !text.is_empty() && self.listener.is_some() {
            self.said.push_str(&text);
            self.tell(Said::Text(text)).await;
        }
    }

    async fn tell(&self, said: Said) {
        if let Some(listener) = &self.listener {
            // Who has gone away is not told; the work is ended from outside.
            let _ = listener.send(said).await;
        }
    }
}
