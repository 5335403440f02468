//! Exports of tickets and of one ticket's history: the same rows as their lists show, all of them.

use super::TicketService;
use super::lists::contains;
use crate::domain::error::ServiceError;
use crate::domain::person::Actor;
use crate::repositories::audit_repo::AuditRow;
use crate::repositories::ticket_export::ExportedTicket;
use crate::repositories::ticket_filter::TicketFilter;
use crate::services::exports::{self, ROWS, Rows};
use futures::StreamExt;

impl TicketService {
    /// The tickets that pass `filter` and contain `q`, the last changed first.
    ///
    /// # Errors
    /// More tickets pass the filter than an export may hold, or the database is unavailable.
    pub async fn export(
        &self,
        filter: &TicketFilter,
        q: Option<&str>,
    ) -> Result<Rows<ExportedTicket>, ServiceError> {
        exports::refuse_too_many(self.lists.count_up_to(filter, ROWS + 1).await?)?;
        let found = exports::rows(self.lists.export(filter).await?, |ticket| ticket);
        let Some(q) = q.map(str::to_lowercase) else {
            return Ok(found);
        };
        let wanted = move |ticket: &ExportedTicket| {
            let fields = &ticket.ticket;
            let description = fields.description.as_deref();
            contains(&q, &ticket.id, &fields.title, description, &fields.workflow.name)
        };
        let passes = move |row: &Result<ExportedTicket, ServiceError>| {
            std::future::ready(row.as_ref().map_or(true, &wanted))
        };
        Ok(found.filter(passes).boxed())
    }

    /// Everything that happened to a ticket up to now, the oldest first.
    ///
    /// # Errors
    /// Unknown 404, foreign 403, or the database is unavailable.
    pub async fn audit_trail(&self, actor: &Actor, id: &str) -> Result<Rows<AuditRow>, ServiceError> {
        let stored = self.visible(actor, id).await?;
        let rows = self.audit.oldest_first(&stored.ticket.id, stored.version).await?;
        Ok(exports::rows(rows, |row| row))
    }
}
