//! Tickets as people see them: detail, lists, queues, dashboards. Nothing here changes a ticket; `execute` does.

mod agent;
mod detail;
mod export;
mod lately_read;
mod lists;
mod manager;
mod queues;
mod raise;
mod shown_pages;

pub use agent::{AgentDashboard, AgentTask, HandoverItem, HistoryWindow};
pub use detail::{OpenedTicket, PreviousAgent, TicketDetail};
pub use lists::{ListQuery, TicketPage};
pub use manager::{AgentLoad, ApprovalItem, DecisionItem, ManagerDashboard};
pub use queues::{Question, QueuePage, StepItem};
pub use raise::NewTicket;
pub use shown_pages::ShownPage;

pub use crate::repositories::ticket_filter::{ListOrder, SortBy, Sorting};

use crate::app::Tasks;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::ticket::Ticket;
use crate::domain::time::Clock;
use crate::engine::permission_guard;
use crate::repositories::audit_repo::{AuditRepo, NewestEvents};
use crate::repositories::form_version_repo::FormVersionRepo;
use crate::repositories::history_repo::HistoryRepo;
use crate::repositories::note_repo::NoteRepo;
use crate::repositories::requestable_versions::RequestableVersions;
use crate::repositories::ticket_list_repo::TicketListRepo;
use crate::repositories::ticket_repo::{StoredTicket, TicketRepo};
use crate::services::execute::Execute;
use crate::services::facts::FactSource;
use lately_read::LatelyRead;
use mongodb::Database;
use shown_pages::ShownPages;

/// Reads tickets; cheap to clone.
#[derive(Debug, Clone)]
pub struct TicketService {
    tickets: TicketRepo,
    lists: TicketListRepo,
    audit: AuditRepo,
    newest_events: NewestEvents,
    notes: NoteRepo,
    form_versions: FormVersionRepo,
    history: HistoryRepo,
    requestable: RequestableVersions,
    facts: FactSource,
    execute: Execute,
    clock: Clock,
    lately_read: LatelyRead,
    pages: ShownPages,
}

impl TicketService {
    /// The service over `database`.
    pub fn new(
        database: &Database,
        facts: &FactSource,
        execute: &Execute,
        clock: &Clock,
        tasks: &Tasks,
    ) -> Self {
        Self {
            tickets: execute.tickets().clone(),
            lists: TicketListRepo::new(database),
            audit: AuditRepo::new(database),
            newest_events: NewestEvents::new(database, &tasks.tracker),
            notes: NoteRepo::new(database),
            form_versions: FormVersionRepo::new(database),
            history: HistoryRepo::new(database),
            requestable: RequestableVersions::new(database, &tasks.tracker),
            facts: facts.clone(),
            execute: execute.clone(),
            clock: clock.clone(),
            lately_read: LatelyRead::new(),
            pages: ShownPages::new(),
        }
    }

    /// A ticket that the actor may see: unknown 404, foreign 403 (design 8).
    ///
    /// # Errors
    /// As said, or the database is unavailable.
    pub async fn visible(&self, actor: &Actor, id: &str) -> Result<StoredTicket, ServiceError> {
        let id = ticket_id(id)?;
        let stored = self.tickets.read(&id).await?.ok_or_else(unknown_ticket)?;
        Self::seen_by(actor, &stored.ticket).map(|()| stored)
    }

    /// Whether the actor may see a ticket; otherwise 403.
    fn seen_by(actor: &Actor, ticket: &Ticket) -> Result<(), ServiceError> {
        if permission_guard::may_see(ticket, actor) {
            return Ok(());
        }
        Err(ServiceError::forbidden("this ticket is not yours to see"))
    }

    /// Those of these tickets that there are and that the actor may see, in this order.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn visible_of(
        &self,
        actor: &Actor,
        ids: &[TicketId],
    ) -> Result<Vec<StoredTicket>, ServiceError> {
        let mut found = self.lists.by_ids(ids).await?;
        found.retain(|stored| permission_guard::may_see(&stored.ticket, actor));
        Ok(found)
    }
}

/// The id in a path; text that is none can only be unknown.
///
/// # Errors
/// 404.
pub fn ticket_id(text: &str) -> Result<TicketId, ServiceError> {
    TicketId::try_from(text.to_owned()).map_err(|_| unknown_ticket())
}

pub(crate) fn unknown_ticket() -> ServiceError {
    ServiceError::not_found(ErrorCode::TicketNotFound, "there is no such ticket")
}
