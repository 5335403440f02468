//! Queues of one person's open work: the small rows are sorted in memory, only the page's tickets are fetched.

use super::{OpenedTicket, TicketService};
use crate::domain::error::ServiceError;
use crate::domain::id::{TicketId, TicketStepId};
use crate::domain::person::Actor;
use crate::domain::ticket::{InfoRequest, TargetRole};
use crate::domain::work::Queue;
use crate::repositories::ticket_list_repo::OpenWork;
use std::collections::HashMap;
use std::sync::Arc;

/// Most rows of a list that has no pages.
const UNPAGED: usize = 500;
/// Newest notes of one page of steps.
const NOTES: usize = 2_000;

/// A page of a queue.
#[derive(Debug, Clone)]
pub struct QueuePage<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: usize,
}

/// A step with its ticket.
#[derive(Debug, Clone)]
pub struct StepItem {
    /// The ticket.
    pub opened: Arc<OpenedTicket>,
    /// The step.
    pub step_id: TicketStepId,
}

/// A question put to the person who asks for the list.
#[derive(Debug, Clone)]
pub struct Question {
    /// The ticket.
    pub opened: Arc<OpenedTicket>,
    /// The question.
    pub info: InfoRequest,
}

/// Where a queue begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// With what has waited longest, or is due first; rows without a time last.
    Oldest,
    /// With the newest.
    Newest,
}

impl TicketService {
    /// A person's open work in one queue, sorted.
    pub(super) async fn sorted_work(
        &self,
        actor: &Actor,
        queue: Queue,
        first: First,
    ) -> Result<Vec<OpenWork>, ServiceError> {
        let mut open = self.lists.open_work(queue, &actor.person.keys()).await?;
        open.sort_by(|a, b| {
            let time = match (a.row.at, b.row.at) {
                (Some(a), Some(b)) if first == First::Newest => b.cmp(&a),
                (Some(a), Some(b)) => a.cmp(&b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            };
            time.then_with(|| a.row.item.cmp(&b.row.item))
        });
        Ok(open)
    }

    /// One page of sorted work with its tickets; rows whose ticket has moved on meanwhile are left out.
    pub(super) async fn page_of_work(
        &self,
        open: Vec<OpenWork>,
        page: u64,
        page_size: usize,
    ) -> Result<Vec<(OpenWork, Arc<OpenedTicket>)>, ServiceError> {
        let rows = page_of(open, page, page_size);
        let tickets = self.opened_in_version(versions_of(&rows)).await?;
        Ok(with_tickets(rows, &tickets))
    }

    /// The same with the notes on the steps of the page, which these screens show.
    pub(super) async fn page_with_notes(
        &self,
        open: Vec<OpenWork>,
        page: u64,
        page_size: usize,
    ) -> Result<Vec<(OpenWork, Arc<OpenedTicket>)>, ServiceError> {
        let rows = page_of(open, page, page_size);
        let mut tickets = self.opened_in_version(versions_of(&rows)).await?;
        let with_notes: Vec<(TicketId, TicketStepId)> = rows
            .iter()
            .filter_map(|row| {
                let step = tickets.get(&row.ticket_id)?.ticket.step(row.row.step.as_ref()?)?;
                (step.note_count > 0).then(|| (row.ticket_id.clone(), step.id.clone()))
            })
            .collect();
        for note in self.notes.of_steps(&with_notes, NOTES).await? {
            if let Some(opened) = tickets.get_mut(&note.ticket_id) {
                Arc::make_mut(opened).notes.push(note);
            }
        }
        Ok(with_tickets(rows, &tickets))
    }

    /// These tickets, in these versions or newer; only those that have not been read lately are fetched.
    async fn opened_in_version(
        &self,
        wanted: HashMap<TicketId, i64>,
    ) -> Result<HashMap<TicketId, Arc<OpenedTicket>>, ServiceError> {
        let mut known = HashMap::with_capacity(wanted.len());
        let mut missing = Vec::new();
        for (id, version) in wanted {
            match self.lately_read.get(&id, version) {
                Some(opened) => {
                    known.insert(id, opened);
                }
                None => missing.push(id),
            }
        }
        if !missing.is_empty() {
            known.extend(self.opened_by_id(missing).await?);
        }
        Ok(known)
    }

    /// These tickets as they are now, each fetched once.
    pub(super) async fn opened_by_id(
        &self,
        mut ids: Vec<TicketId>,
    ) -> Result<HashMap<TicketId, Arc<OpenedTicket>>, ServiceError> {
        ids.sort();
        ids.dedup();
        let mut tickets = HashMap::new();
        for stored in self.lists.by_ids(&ids).await? {
            let opened = Arc::new(self.open_for_list(stored).await?);
            self.lately_read.keep(&opened);
            tickets.insert(opened.ticket.id.clone(), opened);
        }
        Ok(tickets)
    }

    /// Open questions put to the actor in one of these parts, newest first (contract http-tickets 10.6 and 11.2).
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn questions(
        &self,
        actor: &Actor,
        roles: &[TargetRole],
    ) -> Result<Vec<Question>, ServiceError> {
        let open = self.sorted_work(actor, Queue::Questions, First::Newest).await?;
        let found = self.page_of_work(open, 1, UNPAGED).await?;
        let questions = found.into_iter().filter_map(|(row, opened)| {
            let info = opened
                .ticket
                .info_requests
                .iter()
                .find(|info| info.id.as_str() == row.row.item)?
                .clone();
            roles
                .contains(&info.target_role)
                .then_some(Question { opened, info })
        });
        Ok(questions.collect())
    }
}

fn page_of(open: Vec<OpenWork>, page: u64, page_size: usize) -> Vec<OpenWork> {
    let skip = usize::try_from(page.saturating_sub(1))
        .unwrap_or(usize::MAX)
        .saturating_mul(page_size);
    open.into_iter().skip(skip).take(page_size).collect()
}

fn versions_of(rows: &[OpenWork]) -> HashMap<TicketId, i64> {
    let versions = rows.iter().map(|row| (row.ticket_id.clone(), row.version));
    versions.collect()
}

fn with_tickets(
    rows: Vec<OpenWork>,
    tickets: &HashMap<TicketId, Arc<OpenedTicket>>,
) -> Vec<(OpenWork, Arc<OpenedTicket>)> {
    let found = rows.into_iter().filter_map(|row| {
        let opened = Arc::clone(tickets.get(&row.ticket_id)?);
        Some((row, opened))
    });
    found.collect()
}
