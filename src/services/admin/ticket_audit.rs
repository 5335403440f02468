//! Searching what happened to tickets (contract http-admin-notifications 9).

use crate::domain::audit::AuditEventType;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::Actor;
use crate::domain::time::Timestamp;
use crate::repositories::audit_repo::{AuditRepo, AuditRow};
use crate::repositories::audit_search::{self, AuditFilter};
use crate::services::access::require_admin;
use crate::services::exports::{self, Rows};
use mongodb::Database;

/// The longest range that may be searched without a ticket or correlation id, in days.
const MAX_DAYS: i64 = 31;

/// What is searched for.
#[derive(Debug, Clone, Default)]
pub struct TicketAuditQuery {
    /// The ticket.
    pub ticket_id: Option<String>,
    /// The step.
    pub ticket_step_id: Option<String>,
    /// Any of these events; all when empty.
    pub event_types: Vec<AuditEventType>,
    /// Literal text within the actor's address, without regard to case.
    pub actor: Option<String>,
    /// The request.
    pub correlation_id: Option<String>,
    /// Not older than this.
    pub from: Option<Timestamp>,
    /// Not newer than this.
    pub to: Option<Timestamp>,
}

/// Searches ticket audit events; cheap to clone.
#[derive(Debug, Clone)]
pub struct TicketAudit {
    rows: AuditRepo,
}

impl TicketAudit {
    /// Searches the events in `database`; they may lag by the relay.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: AuditRepo::new(database),
        }
    }

    /// A window of the events found, newest first, and how many there are, counted up to 10 000.
    pub async fn search(
        &self,
        actor: &Actor,
        query: TicketAuditQuery,
        skip: u64,
        limit: i64,
    ) -> Result<(Vec<AuditRow>, u64), ServiceError> {
        let filter = allowed(actor, query)?;
        Ok(audit_search::search(&self.rows, &filter, skip, limit).await?)
    }

    /// All events found, newest first.
    ///
    /// # Errors
    /// The actor is no administrator, the search is not bounded or finds more than an export may hold, or the
    /// database is unavailable.
    pub async fn export(
        &self,
        actor: &Actor,
        query: TicketAuditQuery,
    ) -> Result<Rows<AuditRow>, ServiceError> {
        let filter = allowed(actor, query)?;
        exports::refuse_too_many(audit_search::count_up_to(&self.rows, &filter, exports::ROWS + 1).await?)?;
        let found = audit_search::export(&self.rows, &filter).await?;
        Ok(exports::rows(found, |row| row))
    }
}

/// The filter of a search that the actor may make.
fn allowed(actor: &Actor, query: TicketAuditQuery) -> Result<AuditFilter, ServiceError> {
    require_admin(actor)?;
    if !is_bounded(&query) {
        let text = format!("name a ticket, a correlation id, or a range of at most {MAX_DAYS} days");
        return Err(ServiceError::bad_request(ErrorCode::ValidationError, text));
    }
    Ok(AuditFilter {
        ticket_id: query.ticket_id,
        ticket_step_id: query.ticket_step_id,
        event_types: query.event_types,
        actor: query.actor,
        correlation_id: query.correlation_id,
        from: query.from,
        to: query.to,
    })
}

fn is_bounded(query: &TicketAuditQuery) -> bool {
    let short_range = match (query.from, query.to) {
        (Some(from), Some(to)) => to.since(from).num_days() <= MAX_DAYS,
        _ => false,
    };
    query.ticket_id.is_some() || query.correlation_id.is_some() || short_range
}
