//! Lists of whole tickets (contract http-tickets 4.2).

use super::TicketService;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::ticket::{Phase, Ticket};
use crate::domain::work::Shelf;
use crate::domain::workflow::StepType;
use crate::repositories::ticket_list_repo::{TicketDigest, TicketFilter, Whose};
use crate::repositories::ticket_repo::StoredTicket;

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum SortBy {
    UpdatedAt,
    CreatedAt,
    Title,
    Status,
}

/// In which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOrder {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// A list that a person asks for.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Filters.
    pub filter: TicketFilter,
    /// Literal text in title, id, description or workflow name.
    pub q: Option<String>,
    /// What it is sorted by.
    pub sort_by: SortBy,
    /// In which direction.
    pub order: ListOrder,
    /// From 1.
    pub page: u64,
    /// 1 to 100.
    pub page_size: i64,
}

/// A page of tickets.
#[derive(Debug, Clone)]
pub struct TicketPage {
    /// The tickets.
    pub items: Vec<StoredTicket>,
    /// How many there are in all.
    pub total: u64,
}

impl TicketService {
    /// The filter for the actor: own tickets, or all that the actor may see.
    pub fn scope(actor: &Actor, mine: Shelf) -> TicketFilter {
        let keys = actor.person.keys();
        let mut filter = TicketFilter::of(mine, keys);
        if mine == Shelf::Visible && actor.is_admin() {
            filter.whose = Whose::Everybody;
        }
        filter
    }

    /// A page of tickets. The default order comes from the index; other orders and text search look at small digests
    /// of the person's tickets and fetch only the page.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn list(&self, query: &ListQuery) -> Result<TicketPage, ServiceError> {
        let skip = query
            .page
            .saturating_sub(1)
            .saturating_mul(u64::try_from(query.page_size).unwrap_or(0));
        let from_index =
            query.q.is_none() && query.sort_by == SortBy::UpdatedAt && query.order == ListOrder::Descending;
        if from_index {
            let total = self.lists.count(&query.filter).await?;
            let items = if skip < total || total == 0 || matches!(query.filter.whose, Whose::Everybody) {
                self.lists.newest(&query.filter, skip, query.page_size).await?
            } else {
                Vec::new()
            };
            return Ok(TicketPage { items, total });
        }
        let mut digests = self.lists.digests(&query.filter).await?;
        if let Some(q) = query.q.as_ref().map(|q| q.to_lowercase()) {
            digests.retain(|digest| contains(digest, &q));
        }
        sort(&mut digests, query.sort_by, query.order);
        let total = u64::try_from(digests.len()).unwrap_or(u64::MAX);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let size = usize::try_from(query.page_size).unwrap_or(0);
        let page: Vec<TicketId> = digests
            .into_iter()
            .skip(skip)
            .take(size)
            .map(|digest| digest.id)
            .collect();
        Ok(TicketPage {
            items: self.lists.by_ids(&page).await?,
            total,
        })
    }

    /// Whether a ticket has passed its first approval.
    pub fn first_approval_completed(ticket: &Ticket) -> bool {
        ticket
            .steps
            .iter()
            .any(|step| step.kind == StepType::Approval && step.phase == Phase::Completed)
    }
}

fn contains(digest: &TicketDigest, q: &str) -> bool {
    let words = [
        Some(digest.ticket.title.as_str()),
        Some(digest.id.as_str()),
        digest.ticket.description.as_deref(),
        Some(digest.ticket.workflow.name.as_str()),
    ];
    words
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(q))
}

fn sort(digests: &mut [TicketDigest], by: SortBy, order: ListOrder) {
    digests.sort_by(|a, b| {
        let first = match by {
            SortBy::UpdatedAt => a.work.updated_at.cmp(&b.work.updated_at),
            SortBy::CreatedAt => a.work.created_at.cmp(&b.work.created_at),
            SortBy::Title => a.ticket.title.cmp(&b.ticket.title),
            SortBy::Status => a.work.status.cmp(&b.work.status),
        };
        let both = first.then_with(|| a.id.cmp(&b.id));
        match order {
            ListOrder::Ascending => both,
            ListOrder::Descending => both.reverse(),
        }
    });
}
