//! Timers: finds tickets with a due timer and sends them `FireTimers` through the same door as every other command.
//!
//! A timer fires once, whichever process saw it: the second command finds nothing due. A ticket whose timers fail gets
//! a retry time beside the aggregate, so that it never keeps others waiting.

use super::execute::{CommandRequest, Execute};
use crate::domain::error::ServiceError;
use crate::domain::id::{TicketId, random_key};
use crate::domain::person::Actor;
use crate::domain::time::Clock;
use crate::engine::Command;
use crate::repositories::ticket_repo::TicketRepo;
use crate::repositories::ticket_timers::DueTicket;
use futures::StreamExt;
use mongodb::Database;

/// How many tickets one look takes.
const LOOK: i64 = 200;
/// How many tickets are worked on at the same time.
const SIDE_BY_SIDE: usize = 8;

/// Fires due timers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Timers {
    tickets: TicketRepo,
    execute: Execute,
    clock: Clock,
}

impl Timers {
    /// Timers of the tickets in `database`.
    pub fn new(database: &Database, execute: &Execute, clock: &Clock) -> Self {
        Self {
            tickets: TicketRepo::new(database),
            execute: execute.clone(),
            clock: clock.clone(),
        }
    }

    /// Fires every timer that is due; returns for how many tickets that succeeded.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn fire_due(&self) -> Result<u64, ServiceError> {
        let mut fired = 0;
        loop {
            let due = self.tickets.with_due_timers(self.clock.now(), LOOK).await?;
            let is_last = due.len() < usize::try_from(LOOK).unwrap_or(usize::MAX);
            let results: Vec<bool> = futures::stream::iter(due)
                .map(|ticket| self.fire(ticket))
                .buffer_unordered(SIDE_BY_SIDE)
                .collect()
                .await;
            let succeeded = results.iter().filter(|succeeded| **succeeded).count();
            fired += succeeded as u64;
            if is_last || succeeded == 0 {
                return Ok(fired);
            }
        }
    }

    /// How many tickets wait for another try of their timers.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn in_trouble(&self) -> Result<u64, ServiceError> {
        Ok(self.tickets.count_timer_trouble().await?)
    }

    async fn fire(&self, due: DueTicket) -> bool {
        let request = CommandRequest {
            ticket_id: due.id.clone(),
            command: Command::FireTimers,
            actor: Actor::system(),
            correlation_id: format!("timers-{}", random_key()),
            idempotency: None,
            expected: None,
        };
        match self.execute.run(request).await {
            Ok(_) => {
                if due.was_in_trouble {
                    self.forget_trouble(&due.id).await;
                }
                true
            }
            // The next look finds the ticket again; it is not the ticket's fault.
            Err(ServiceError::Unavailable { .. }) => false,
            Err(error) => {
                tracing::error!(ticket.id = %due.id, error = %error, "the timers of a ticket could not be fired");
                metrics::counter!("workflow_timer_failures_total").increment(1);
                self.note_trouble(&due.id).await;
                false
            }
        }
    }

    async fn note_trouble(&self, id: &TicketId) {
        if let Err(error) = self.tickets.note_timer_trouble(id, self.clock.now()).await {
            tracing::warn!(error = %error, "trouble with timers could not be noted");
        }
    }

    async fn forget_trouble(&self, id: &TicketId) {
        if let Err(error) = self.tickets.clear_timer_trouble(id).await {
            tracing::warn!(error = %error, "earlier trouble with timers could not be cleared");
        }
    }
}
