//! The assistant: answers about a person's own tickets and work (contract http-workflows 8).
//!
//! Everything is made from facts first, read with the caller's own rights; a language model only chooses the words. So
//! every function answers without one, and when it is slow, failing or says what cannot be used. Invariants: nothing here
//! changes a ticket; what the model is told the caller may see; an answer or an error is there within [`WHOLE_TIME`].

mod brief;
mod briefing;
mod chat;
mod explain;
mod figures;
mod model_words;
mod overview;
mod plain_text;
mod prompt;
mod prompts;
mod reply;
mod tools;
mod voice;

pub use briefing::{Analysis, Briefing, OtherTicket, Sentiment, TicketBriefing};
pub(crate) use chat::cleaned_words;
pub use chat::{Answer, Citation, Question};
pub use explain::{Confidence, ExplainedStep, Explanation};
pub use figures::{Insight, InsightKind};
pub use prompts::suggested;
pub use voice::{Said, Voice};

use crate::domain::conversation::{Persona, Speaker};
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::conversation_repo::ConversationRepo;
use crate::services::admin::agent_metrics::AgentMetrics;
use crate::services::attachments::Attachments;
use crate::services::change_requests::ChangeRequestService;
use crate::services::model::{MeteredModel, ModelSession};
use crate::services::notifications::bell::Bell;
use crate::services::tickets::TicketService;
use crate::services::workflows::WorkflowService;
use mongodb::Database;
use serde_json::{Map, Value};
use std::time::Duration;

/// How long an answer or an error may take.
pub const WHOLE_TIME: Duration = Duration::from_millis(24_500);
/// How much of it the model gets; the rest is for an answer without it.
const MODEL_TIME: Duration = Duration::from_secs(20);
/// When to try again after the time was not enough.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// The assistant; cheap to clone.
#[derive(Debug, Clone)]
pub struct Assistant {
    services: Services,
    conversations: ConversationRepo,
    model: Option<MeteredModel>,
}

/// What the assistant reads from.
#[derive(Debug, Clone)]
pub struct Services {
    /// Tickets.
    pub tickets: TicketService,
    /// Change requests.
    pub change_requests: ChangeRequestService,
    /// Files' names.
    pub attachments: Attachments,
    /// Workflows.
    pub workflows: WorkflowService,
    /// People's bells.
    pub bell: Bell,
    /// Figures over everything.
    pub agent_metrics: AgentMetrics,
    /// The time.
    pub clock: Clock,
}

/// A message of a conversation as it is shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMessage {
    /// Who said it.
    pub role: Speaker,
    /// What was said.
    pub content: String,
    /// When.
    pub at: Timestamp,
    /// The tickets it is based on, as far as the person may see them now.
    pub cites: Vec<Citation>,
}

impl Assistant {
    /// An assistant that reads from `services`.
    pub fn new(database: &Database, services: Services, model: Option<MeteredModel>) -> Self {
        Self {
            services,
            conversations: ConversationRepo::new(database),
            model,
        }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// The persona is not held 403, too many questions a minute 429, or the database is unavailable.
    pub async fn chat(
        &self,
        actor: &Actor,
        question: Question<'_>,
        voice: &mut Voice,
    ) -> Result<Answer, ServiceError> {
        require(actor, question.persona)?;
        in_time(self.answer(actor, question, voice)).await
    }

    /// The newest messages of the person's conversation, the oldest first. Of the tickets behind them only those are
    /// named that the person may see now.
    ///
    /// # Errors
    /// The persona is not held 403, or the database is unavailable.
    pub async fn history(&self, actor: &Actor, persona: Persona) -> Result<Vec<PastMessage>, ServiceError> {
        require(actor, persona)?;
        let now = self.services.clock.now();
        let messages = self.conversations.read(&actor.person, persona, now).await?;
        let mut ids: Vec<TicketId> = messages
            .iter()
            .flat_map(|message| message.cites.clone())
            .collect();
        ids.sort();
        ids.dedup();
        let mut known = Vec::new();
        for some in ids.chunks(50) {
            known.extend(self.resolved(actor, some).await?);
        }
        let past = messages.into_iter().map(|message| PastMessage {
            cites: known
                .iter()
                .filter(|cite| message.cites.contains(&cite.ticket_id))
                .cloned()
                .collect(),
            role: message.role,
            content: message.content,
            at: message.at,
        });
        Ok(past.collect())
    }

    /// Forgets the person's conversation.
    ///
    /// # Errors
    /// The persona is not held 403, or the database is unavailable.
    pub async fn clear(&self, actor: &Actor, persona: Persona) -> Result<(), ServiceError> {
        require(actor, persona)?;
        Ok(self.conversations.clear(&actor.person, persona).await?)
    }

    /// The dashboard's briefing on the person's own tickets.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn briefing(&self, actor: &Actor) -> Result<Briefing, ServiceError> {
        let session = self.session(actor);
        in_time(briefing::brief(&self.services, actor, session.as_ref())).await
    }

    /// All of the person's newest tickets; at most `wanted` of them, 1 to 20, in sentences.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn analysis(&self, actor: &Actor, wanted: usize) -> Result<Analysis, ServiceError> {
        let session = self.session(actor);
        in_time(briefing::analyse(&self.services, actor, wanted, session.as_ref())).await
    }

    /// Where a ticket stands.
    ///
    /// # Errors
    /// Unknown 404, foreign 403, or the database is unavailable.
    pub async fn explain(&self, actor: &Actor, ticket: &str) -> Result<Explanation, ServiceError> {
        // Somebody else's ticket costs nothing of the person's share.
        self.services.tickets.visible(actor, ticket).await?;
        let session = self.session(actor);
        in_time(explain::explain(&self.services, actor, ticket, session.as_ref())).await
    }

    /// The person's figures in a persona.
    ///
    /// # Errors
    /// The persona is not held 403, or the database is unavailable.
    pub async fn stats(&self, actor: &Actor, persona: Persona) -> Result<Map<String, Value>, ServiceError> {
        require(actor, persona)?;
        in_time(figures::of(&self.services, actor, persona)).await
    }

    /// What is to be noticed about the person's figures in a persona.
    ///
    /// # Errors
    /// The persona is not held 403, or the database is unavailable.
    pub async fn insights(&self, actor: &Actor, persona: Persona) -> Result<Vec<Insight>, ServiceError> {
        let figures = self.stats(actor, persona).await?;
        Ok(figures::insights(persona, &figures))
    }

    /// A share of the model for views that are whole without it: above the person's rate there is none.
    fn session(&self, actor: &Actor) -> Option<ModelSession> {
        let model = self.model.as_ref()?;
        model.begin_within(&actor.person, MODEL_TIME).ok()
    }
}

/// Refuses a persona that the actor does not hold (contract http-workflows 1.7).
///
/// # Errors
/// 403.
pub fn require(actor: &Actor, persona: Persona) -> Result<(), ServiceError> {
    if persona.is_held_by(actor) {
        return Ok(());
    }
    Err(ServiceError::forbidden("this persona is not yours"))
}

async fn in_time<T>(work: impl Future<Output = Result<T, ServiceError>>) -> Result<T, ServiceError> {
    // Boxed, because these futures hold whole conversations.
    let outcome = tokio::time::timeout(WHOLE_TIME, Box::pin(work)).await;
    outcome.unwrap_or_else(|_| {
        Err(ServiceError::Unavailable {
            retry_after: TRY_AGAIN,
            source: Some(anyhow::anyhow!("the assistant had no answer in time")),
        })
    })
}
