//! Change requests as people see them (contract engine-actions 7.3). They live in their tickets and are seen by whoever
//! sees the ticket; every change goes through `execute`.

use super::tickets::TicketService;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::{ChangeRequestId, TicketId};
use crate::domain::person::Actor;
use crate::domain::ticket::{ChangeRequest, FormData, FormVersion, FormVersionSource, Ticket, limits};
use crate::domain::work::Queue;
use crate::engine::change_diff::{self, Differences};
use crate::engine::permission_guard;
use crate::repositories::form_version_repo::FormVersionRepo;
use crate::repositories::ticket_list_repo::TicketListRepo;
use crate::services::facts::FactSource;
use mongodb::Database;

/// Form versions of one ticket: one for each change request that can be, and the original.
const VERSIONS: usize = limits::CHANGE_REQUESTS + 1;

/// Reads change requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct ChangeRequestService {
    lists: TicketListRepo,
    versions: FormVersionRepo,
    tickets: TicketService,
    facts: FactSource,
}

/// A change request with its ticket.
#[derive(Debug, Clone)]
pub struct ChangeRequestItem {
    /// The ticket.
    pub ticket: Ticket,
    /// The change request.
    pub request: ChangeRequest,
}

/// A page of change requests.
#[derive(Debug, Clone)]
pub struct ChangeRequestPage {
    /// The change requests.
    pub items: Vec<ChangeRequestItem>,
    /// How many there are in all.
    pub total: usize,
}

impl ChangeRequestService {
    /// The service over `database`.
    pub fn new(database: &Database, tickets: &TicketService, facts: &FactSource) -> Self {
        Self {
            lists: TicketListRepo::new(database),
            versions: FormVersionRepo::new(database),
            tickets: tickets.clone(),
            facts: facts.clone(),
        }
    }

    /// A change request that the actor may see: unknown 404, foreign 403.
    ///
    /// # Errors
    /// As said, or the database is unavailable.
    pub async fn get(&self, actor: &Actor, id: &str) -> Result<ChangeRequestItem, ServiceError> {
        let id = ChangeRequestId::try_from(id.to_owned()).map_err(|_| unknown())?;
        let stored = self
            .lists
            .of_change_request(id.as_str())
            .await?
            .ok_or_else(unknown)?;
        if !permission_guard::may_see(&stored.ticket, actor) {
            return Err(ServiceError::forbidden("this change request is not yours to see"));
        }
        let request = stored.ticket.change_request(&id).cloned().ok_or_else(unknown)?;
        Ok(ChangeRequestItem {
            ticket: stored.ticket,
            request,
        })
    }

    /// Pending change requests that the actor reviews, the newest first.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn to_review(
        &self,
        actor: &Actor,
        skip: usize,
        limit: usize,
    ) -> Result<ChangeRequestPage, ServiceError> {
        let mut open = self.lists.open_work(Queue::Reviews, &actor.person.keys()).await?;
        open.sort_by(|a, b| b.row.at.cmp(&a.row.at).then_with(|| a.row.item.cmp(&b.row.item)));
        let total = open.len();
        let page: Vec<TicketId> = open
            .into_iter()
            .skip(skip)
            .take(limit)
            .map(|work| work.ticket_id)
            .collect();
        let found = self.lists.by_ids(&page).await?;
        let items = found.into_iter().filter_map(|stored| {
            let request = stored.ticket.pending_change_request()?.clone();
            Some(ChangeRequestItem {
                ticket: stored.ticket,
                request,
            })
        });
        Ok(ChangeRequestPage {
            items: items.collect(),
            total,
        })
    }

    /// How many change requests wait for the actor.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn count_to_review(&self, actor: &Actor) -> Result<usize, ServiceError> {
        Ok(self
            .lists
            .open_work(Queue::Reviews, &actor.person.keys())
            .await?
            .len())
    }

    /// All change requests of a ticket, the newest first.
    ///
    /// # Errors
    /// Unknown 404, foreign 403, or the database is unavailable.
    pub async fn history(&self, actor: &Actor, ticket: &str) -> Result<Vec<ChangeRequestItem>, ServiceError> {
        let ticket = self.tickets.visible(actor, ticket).await?.ticket;
        let requests = ticket.change_requests.iter().rev().cloned();
        Ok(requests
            .map(|request| ChangeRequestItem {
                ticket: ticket.clone(),
                request,
            })
            .collect())
    }

    /// All versions of a ticket's form data, the oldest first; before the first change there is one.
    ///
    /// # Errors
    /// Unknown 404, foreign 403, or the database is unavailable.
    pub async fn versions(&self, actor: &Actor, ticket: &str) -> Result<Vec<FormVersion>, ServiceError> {
        let ticket = self.tickets.visible(actor, ticket).await?.ticket;
        self.versions_of(&ticket).await
    }

    /// What differs between two versions, the older one first whatever the order given.
    ///
    /// # Errors
    /// The same version twice or an unknown one 400, unknown ticket 404, foreign 403, or the database is unavailable.
    pub async fn compare(
        &self,
        actor: &Actor,
        ticket: &str,
        one: i32,
        other: i32,
    ) -> Result<Differences, ServiceError> {
        let ticket = self.tickets.visible(actor, ticket).await?.ticket;
        let wrong = |message: &str| ServiceError::bad_request(ErrorCode::ValidationError, message);
        if one == other {
            return Err(wrong("a version cannot be compared with itself"));
        }
        let versions = self.versions_of(&ticket).await?;
        let data = |number: i32| {
            versions
                .iter()
                .find(|version| version.version == number)
                .map(|version| &version.data)
        };
        let (Some(older), Some(newer)) = (data(one.min(other)), data(one.max(other))) else {
            return Err(wrong("the ticket has no such version of its form data"));
        };
        let definitions = self.facts.definitions_of(&ticket).await?;
        Ok(change_diff::between(&ticket, &definitions, older, newer))
    }

    async fn versions_of(&self, ticket: &Ticket) -> Result<Vec<FormVersion>, ServiceError> {
        if ticket.form_version > 1 {
            let rows = self.versions.newest_of_ticket(&ticket.id, VERSIONS).await?;
            return Ok(rows.into_iter().rev().map(|row| row.body).collect());
        }
        Ok(vec![FormVersion {
            version: 1,
            data: FormData {
                form_values: ticket.form_values.clone(),
                attachment_ids: ticket.attachment_ids.clone(),
            },
            created_at: ticket.created_at,
            created_by: ticket.requester.clone(),
            source: FormVersionSource::Original,
            change_request_id: None,
            approved_by: None,
            field_changes: Vec::new(),
            attachment_changes: Vec::new(),
        }])
    }
}

fn unknown() -> ServiceError {
    ServiceError::not_found(ErrorCode::NotFound, "there is no such change request")
}
