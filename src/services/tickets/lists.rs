//! Lists of whole tickets (contract http-tickets 4.2).

use super::TicketService;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::ticket::{Phase, Ticket};
use crate::domain::work::Shelf;
use crate::domain::workflow::StepType;
use crate::repositories::ticket_filter::{ListOrder, SortBy, Sorting, TicketFilter, Whose};
use crate::repositories::ticket_list_repo::TicketDigest;
use crate::repositories::ticket_repo::StoredTicket;

/// A list that a person asks for.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Filters.
    pub filter: TicketFilter,
    /// Literal text in title, id, description or workflow name.
    pub q: Option<String>,
    /// Its order.
    pub sorting: Sorting,
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

    /// A page of tickets. Orders that an index has come from it; the others and text search look at small digests of
    /// the person's tickets (of everybody's: the newest) and fetch only the page.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn list(&self, query: &ListQuery) -> Result<TicketPage, ServiceError> {
        let skip = query
            .page
            .saturating_sub(1)
            .saturating_mul(u64::try_from(query.page_size).unwrap_or(0));
        let is_everybodys = matches!(query.filter.whose, Whose::Everybody);
        let has_index = matches!(query.sorting.by, SortBy::UpdatedAt | SortBy::Status) || is_everybodys;
        if query.q.is_none() && has_index {
            let counting = self.lists.count(&query.filter);
            let paging = self
                .lists
                .page(&query.filter, query.sorting, skip, query.page_size);
            // A page far beyond the end of a person's tickets would walk over all of them for nothing.
            if skip == 0 || is_everybodys {
                let (total, items) = tokio::try_join!(counting, paging)?;
                return Ok(TicketPage { items, total });
            }
            let total = counting.await?;
            let items = if skip < total { paging.await? } else { Vec::new() };
            return Ok(TicketPage { items, total });
        }
        let mut digests = self.lists.digests(&query.filter).await?;
        if let Some(q) = query.q.as_ref().map(|q| q.to_lowercase()) {
            digests.retain(|digest| {
                let words = &digest.ticket;
                let description = words.description.as_deref();
                contains(&q, &digest.id, &words.title, description, &words.workflow.name)
            });
        }
        sort(&mut digests, query.sorting);
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

/// Whether a ticket's words contain `q`, which is in lower case.
pub(super) fn contains(
    q: &str,
    id: &TicketId,
    title: &str,
    description: Option<&str>,
    workflow_name: &str,
) -> bool {
    [title, id.as_str(), description.unwrap_or_default(), workflow_name]
        .into_iter()
        .any(|text| text.to_lowercase().contains(q))
}

fn sort(digests: &mut [TicketDigest], sorting: Sorting) {
    let word = |digest: &TicketDigest| serde_json::to_string(&digest.work.status).unwrap_or_default();
    digests.sort_by(|a, b| {
        let first = match sorting.by {
            SortBy::UpdatedAt => a.work.updated_at.cmp(&b.work.updated_at),
            SortBy::CreatedAt => a.work.created_at.cmp(&b.work.created_at),
            SortBy::Title => a.ticket.title.cmp(&b.ticket.title),
            SortBy::Status => word(a)
                .cmp(&word(b))
                .then_with(|| b.work.updated_at.cmp(&a.work.updated_at)),
        };
        let both = first.then_with(|| a.id.cmp(&b.id));
        match sorting.order {
            ListOrder::Ascending => both,
            ListOrder::Descending => both.reverse(),
        }
    });
}
