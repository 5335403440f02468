//! The only path that changes a ticket: facts are gathered, the ticket's mailbox decides and commits, the relay is told.

pub(crate) mod batch;
mod create;
mod request;
pub(crate) mod turn;

pub(crate) use batch::NEWEST_EVENTS;
pub(crate) use request::identity;
pub use request::{CommandRequest, CreateRequest, Executed, ExpectedVersion, IdempotencyKey, fingerprint};

use crate::app::Tasks;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::Ticket;
use crate::repositories::audit_repo::AuditRow;
use crate::repositories::ticket_command_repo::TicketCommandRepo;
use crate::repositories::ticket_repo::TicketRepo;
use crate::services::facts::FactSource;
use crate::services::mailbox::Mailboxes;
use crate::services::relay::Relay;
use batch::KEY_MINUTES;
use mongodb::Database;
use request::CommandKey;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use turn::{Answer, Envelope, Prepared, Turns};

/// How often a command may come back for facts, claims or a search, before it counts as a defect of the engine.
const ROUNDS: usize = 64;

/// The commit path; cheap to clone.
#[derive(Debug, Clone)]
pub struct Execute {
    tickets: TicketRepo,
    commands: TicketCommandRepo,
    facts: FactSource,
    relay: Relay,
    mailboxes: Mailboxes,
}

impl Execute {
    /// The commit path over `database`.
    pub fn new(database: &Database, facts: &FactSource, relay: &Relay, tasks: &Tasks) -> Self {
        let tickets = TicketRepo::gathering(database, &tasks.tracker);
        let turns = Turns::new(tickets.clone(), facts.clone(), relay.clone());
        Self {
            tickets,
            commands: TicketCommandRepo::new(database),
            facts: facts.clone(),
            relay: relay.clone(),
            mailboxes: Mailboxes::new(turns, tasks.tracker.clone()),
        }
    }

    /// Carries out a command on a ticket.
    ///
    /// # Errors
    /// The engine's refusal; 412 or 409 when the caller expected another version; 422 when an idempotency key was used
    /// with another body; 503 when the database or a source of facts is unavailable, or too much waits.
    pub async fn run(&self, request: CommandRequest) -> Result<Executed, ServiceError> {
        let key = CommandKey::of(request.idempotency.as_ref(), &request.actor.person);
        let sheet = self.facts.sheet(request.actor, request.correlation_id).await?;
        let mut prepared = Prepared {
            command: Arc::new(request.command),
            sheet,
            embedded: Vec::new(),
            key,
            key_searched: false,
            expected: request.expected,
            claimed: HashSet::new(),
        };
        let result = self.settle(&request.ticket_id, &mut prepared).await;
        if result.is_err() && !prepared.claimed.is_empty() {
            self.release(&request.ticket_id, &prepared, &result).await;
        }
        result
    }

    /// The tickets, read together with those of other requests.
    pub(in crate::services) const fn tickets(&self) -> &TicketRepo {
        &self.tickets
    }

    /// The relay that carries on what commands cause.
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    async fn settle(&self, ticket_id: &TicketId, prepared: &mut Prepared) -> Result<Executed, ServiceError> {
        for _ in 0..ROUNDS {
            match self.ask(ticket_id, prepared.clone()).await? {
                Answer::Done(executed) => return Ok(executed),
                Answer::Failed(error) => return Err(error),
                Answer::Needs(needs) => {
                    self.facts
                        .gather(needs, &mut prepared.sheet, &mut prepared.embedded)
                        .await?;
                }
                Answer::Claims(ids) => {
                    self.facts.claim(&ids, ticket_id, &prepared.key.key).await?;
                    prepared.claimed.extend(ids);
                }
                Answer::SearchKey => {
                    if let Some(first) = self.search_key(ticket_id, &prepared.key).await? {
                        return Ok(first);
                    }
                    prepared.key_searched = true;
                }
            }
        }
        Err(ServiceError::defect("a command asks for ever more facts"))
    }

    async fn ask(&self, ticket_id: &TicketId, prepared: Prepared) -> Result<Answer, ServiceError> {
        let (answer, answered) = oneshot::channel();
        self.mailboxes.post(ticket_id, Envelope { prepared, answer })?;
        answered.await.map_err(|_| ServiceError::Unavailable {
            retry_after: Duration::from_secs(1),
            source: Some(anyhow::anyhow!("a mailbox ended without answering")),
        })
    }

    /// The first success under a client's key among the commands that the ticket does not remember any more.
    async fn search_key(
        &self,
        ticket_id: &TicketId,
        key: &CommandKey,
    ) -> Result<Option<Executed>, ServiceError> {
        let Some(row) = self.commands.by_command_key(ticket_id, &key.key).await? else {
            return Ok(None);
        };
        if row.at < self.facts.now().plus_minutes(-KEY_MINUTES) {
            return Ok(None);
        }
        if row.body.fingerprint != key.fingerprint {
            return Err(ServiceError::IdempotencyKeyReused);
        }
        self.replay(ticket_id, row.body.created).await.map(Some)
    }

    /// The answer to a repeat: what was created then, and the ticket as it is now.
    async fn replay(&self, ticket_id: &TicketId, created: Option<String>) -> Result<Executed, ServiceError> {
        let found = self.tickets.read(ticket_id).await?;
        let stored = found.ok_or(Refusal::TicketNotFound)?;
        Ok(Executed {
            version: stored.version,
            ticket: Arc::new(stored.ticket),
            created,
            events: Vec::new(),
            before: None,
            replayed: true,
        })
    }

    /// Gives claims back after a refusal. After an unknown outcome they are left to expire: the command may have been
    /// committed, and its link needs them.
    async fn release(
        &self,
        ticket_id: &TicketId,
        prepared: &Prepared,
        result: &Result<Executed, ServiceError>,
    ) {
        if matches!(result, Err(ServiceError::Unavailable { .. })) {
            return;
        }
        let ids: Vec<_> = prepared.claimed.iter().cloned().collect();
        self.facts.release(&ids, ticket_id, &prepared.key.key).await;
    }
}

fn executed(ticket: Ticket, created: Option<String>, events: Vec<AuditRow>) -> Executed {
    Executed {
        version: ticket.version,
        ticket: Arc::new(ticket),
        created,
        events,
        before: None,
        replayed: false,
    }
}
