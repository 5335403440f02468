//! The manager's lists and dashboard (contract http-tickets 10).

use super::queues::First;
use super::{OpenedTicket, QueuePage, Sorting, StepItem, TicketService};
use crate::domain::effect::HistoryKind;
use crate::domain::error::ServiceError;
use crate::domain::id::{HandoverId, TicketId};
use crate::domain::person::{Actor, Person};
use crate::domain::ticket::{ApprovalTask, Handover, StepState, TicketStatus};
use crate::domain::work::{LiveStep, Queue, Shelf};
use crate::domain::workflow::StepType;
use crate::repositories::history_repo::HistoryRow;
use crate::repositories::ticket_filter::TicketFilter;
use crate::repositories::ticket_list_repo::{OpenWork, TicketSteps};
use std::collections::HashMap;
use std::sync::Arc;

/// Rows of the dashboard's short lists.
const SHORT: usize = 10;
/// Newest tickets on the dashboard.
const RECENT: i64 = 5;
/// Agents on the dashboard.
const AGENTS: usize = 100;
/// Decisions that a filtered history looks at.
const HISTORY: usize = 20_000;

/// A pending approval of the person who asks.
#[derive(Debug, Clone)]
pub struct ApprovalItem {
    /// The approval task.
    pub task: ApprovalTask,
    /// The ticket.
    pub opened: Arc<OpenedTicket>,
}

/// A decision taken.
#[derive(Debug, Clone)]
pub struct DecisionItem {
    /// What was decided, as recorded.
    pub row: HistoryRow,
    /// The ticket as it is now.
    pub opened: Arc<OpenedTicket>,
}

/// What an agent has to do.
#[derive(Debug, Clone)]
pub struct AgentLoad {
    /// The agent.
    pub agent: Person,
    /// Tasks being worked on.
    pub active: u64,
    /// Tasks on hold.
    pub on_hold: u64,
}

/// The manager's dashboard.
#[derive(Debug, Clone)]
pub struct ManagerDashboard {
    /// How many managed tickets have each status.
    pub status_counts: Vec<(TicketStatus, u64)>,
    /// Tasks that the manager may assign.
    pub unassigned_tasks: usize,
    /// Agents at work on managed tickets, the busiest first.
    pub agent_workload: Vec<AgentLoad>,
    /// The managed tickets that changed last.
    pub recent: Vec<OpenedTicket>,
    /// How many steps of managed tickets are overdue.
    pub overdue_count: usize,
    /// Those longest overdue.
    pub overdue: Vec<StepItem>,
    /// How many steps of managed tickets are held.
    pub on_hold_count: usize,
    /// Some of them.
    pub on_hold: Vec<StepItem>,
}

impl TicketService {
    /// Approvals that wait for the actor, the oldest first.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn approvals(
        &self,
        actor: &Actor,
        page: u64,
        page_size: usize,
    ) -> Result<QueuePage<ApprovalItem>, ServiceError> {
        let open = self.sorted_work(actor, Queue::Approvals, First::Oldest).await?;
        let total = open.len();
        let found = self.page_with_notes(open, page, page_size).await?;
        let items = found.into_iter().filter_map(|(row, opened)| {
            let task = opened
                .ticket
                .approval_tasks
                .iter()
                .find(|task| task.id.as_str() == row.row.item)?
                .clone();
            Some(ApprovalItem { task, opened })
        });
        Ok(QueuePage {
            items: items.collect(),
            total,
        })
    }

    /// Unassigned tasks that the actor may assign, those due first at first.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn assignments(
        &self,
        actor: &Actor,
        page: u64,
        page_size: usize,
    ) -> Result<QueuePage<StepItem>, ServiceError> {
        self.step_queue(actor, Queue::Assignments, page, page_size).await
    }

    /// Handovers that the actor may decide, the oldest first.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn handovers_to_decide(
        &self,
        actor: &Actor,
        page: u64,
        page_size: usize,
    ) -> Result<QueuePage<(Handover, Arc<OpenedTicket>)>, ServiceError> {
        let open = self.sorted_work(actor, Queue::Handovers, First::Oldest).await?;
        let total = open.len();
        let found = self.page_with_notes(open, page, page_size).await?;
        let items = found.into_iter().filter_map(|(row, opened)| {
            let handover = handover(&opened, &HandoverId::from_stored(row.row.item))?;
            Some((handover, opened))
        });
        Ok(QueuePage {
            items: items.collect(),
            total,
        })
    }

    pub(super) async fn step_queue(
        &self,
        actor: &Actor,
        queue: Queue,
        page: u64,
        page_size: usize,
    ) -> Result<QueuePage<StepItem>, ServiceError> {
        let open = self.sorted_work(actor, queue, First::Oldest).await?;
        let total = open.len();
        let items = self.steps_of(open, page, page_size).await?;
        Ok(QueuePage { items, total })
    }

    /// One page of sorted work as steps.
    pub(super) async fn steps_of(
        &self,
        open: Vec<OpenWork>,
        page: u64,
        page_size: usize,
    ) -> Result<Vec<StepItem>, ServiceError> {
        let found = self.page_with_notes(open, page, page_size).await?;
        let items = found.into_iter().filter_map(|(row, opened)| {
            let step_id = row.row.step?;
            opened.ticket.step(&step_id)?;
            Some(StepItem { opened, step_id })
        });
        Ok(items.collect())
    }

    /// The actor's decisions, newest first; status and text filter the tickets.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn decisions(
        &self,
        actor: &Actor,
        status: Option<TicketStatus>,
        q: Option<&str>,
        page: u64,
        page_size: usize,
    ) -> Result<QueuePage<DecisionItem>, ServiceError> {
        let keys = actor.person.keys();
        let skip = usize::try_from(page.saturating_sub(1))
            .unwrap_or(usize::MAX)
            .saturating_mul(page_size);
        if status.is_none() && q.is_none() {
            let kind = HistoryKind::Decision;
            let total = self.history.count_of_person(&keys, kind, None).await?;
            let rows = self.history.of_person(&keys, kind, None, skip, page_size).await?;
            let items = self.with_tickets(rows).await?;
            return Ok(QueuePage {
                items,
                total: usize::try_from(total).unwrap_or(usize::MAX),
            });
        }
        let mut rows = self
            .history
            .of_person(&keys, HistoryKind::Decision, None, 0, HISTORY)
            .await?;
        if let Some(q) = q.map(str::to_lowercase) {
            rows.retain(|row| mentions(row, &q));
        }
        if let Some(status) = status {
            // Who decided on a ticket manages it, so that shelf has all of them.
            let mut with_status = TicketFilter::of(Shelf::Managed, keys);
            with_status.statuses = vec![status];
            let tickets = self.lists.ids(&with_status).await?;
            rows.retain(|row| tickets.contains(&row.ticket_id));
        }
        let total = rows.len();
        let page = rows.into_iter().skip(skip).take(page_size).collect();
        let items = self.with_tickets(page).await?;
        Ok(QueuePage { items, total })
    }

    async fn with_tickets(&self, rows: Vec<HistoryRow>) -> Result<Vec<DecisionItem>, ServiceError> {
        let ids: Vec<TicketId> = rows.iter().map(|row| row.ticket_id.clone()).collect();
        let tickets = self.opened_by_id(ids).await?;
        let items = rows.into_iter().filter_map(|row| {
            let opened = Arc::clone(tickets.get(&row.ticket_id)?);
            Some(DecisionItem { row, opened })
        });
        Ok(items.collect())
    }

    /// How many of the tickets on a shelf of the actor have each status, all ten of them.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn status_counts(
        &self,
        actor: &Actor,
        shelf: Shelf,
    ) -> Result<Vec<(TicketStatus, u64)>, ServiceError> {
        let counted = self.lists.count_by_status(shelf, &actor.person.keys()).await?;
        let of = |status: TicketStatus| {
            let counted = counted.iter().find(|(counted, _)| *counted == status);
            (status, counted.map_or(0, |(_, count)| *count))
        };
        Ok(TicketStatus::ALL.map(of).to_vec())
    }

    /// The actor's dashboard: only tickets the actor manages.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn manager_dashboard(&self, actor: &Actor) -> Result<ManagerDashboard, ServiceError> {
        let managed = Self::scope(actor, Shelf::Managed);
        let status_counts = self.status_counts(actor, Shelf::Managed).await?;
        let unassigned_tasks = self
            .lists
            .open_work(Queue::Assignments, &actor.person.keys())
            .await?
            .len();
        let recent = self.lists.page(&managed, Sorting::NEWEST, 0, RECENT).await?;
        let mut live = managed;
        live.statuses = TicketStatus::ALL
            .into_iter()
            .filter(|status| !status.is_terminal())
            .collect();
        let at_work = self.lists.live_steps(&live).await?;
        let now = self.clock.now();
        let mut overdue = steps_where(&at_work, |step| {
            matches!(step.state, StepState::Active | StepState::WaitingForApproval)
                && step.due_at.is_some_and(|due| due < now)
        });
        overdue.sort_by_key(|(ticket, step)| (step.due_at, *ticket));
        let overdue_count = overdue.len();
        overdue.truncate(SHORT);
        let mut on_hold = steps_where(&at_work, |step| step.state == StepState::OnHold);
        let on_hold_count = on_hold.len();
        on_hold.truncate(SHORT);
        Ok(ManagerDashboard {
            status_counts,
            unassigned_tasks,
            agent_workload: workload(&at_work),
            recent: self.open_all(recent).await?,
            overdue_count,
            overdue: self.step_items(&overdue).await?,
            on_hold_count,
            on_hold: self.step_items(&on_hold).await?,
        })
    }

    /// These steps with their tickets.
    async fn step_items(&self, steps: &[(&TicketId, &LiveStep)]) -> Result<Vec<StepItem>, ServiceError> {
        let ids = steps.iter().map(|(ticket, _)| (*ticket).clone());
        let tickets = self.opened_by_id(ids.collect()).await?;
        let items = steps.iter().filter_map(|(ticket, step)| {
            let opened = Arc::clone(tickets.get(*ticket)?);
            opened.ticket.step(&step.step)?;
            let step_id = step.step.clone();
            Some(StepItem { opened, step_id })
        });
        Ok(items.collect())
    }
}

pub(super) fn handover(opened: &OpenedTicket, id: &HandoverId) -> Option<Handover> {
    opened
        .ticket
        .handovers
        .iter()
        .find(|handover| handover.id == *id)
        .cloned()
}

fn mentions(row: &HistoryRow, q: &str) -> bool {
    let text = |value: Option<&serde_json::Value>| {
        value
            .and_then(serde_json::Value::as_str)
            .is_some_and(|text| text.to_lowercase().contains(q))
    };
    let facts = &row.body.row;
    let requester = facts
        .get("requester")
        .and_then(|requester| requester.get("display_name"));
    text(facts.get("ticket_id"))
        || text(facts.get("ticket_title"))
        || text(facts.get("workflow_name"))
        || text(requester)
}

fn steps_where(tickets: &[TicketSteps], wanted: impl Fn(&LiveStep) -> bool) -> Vec<(&TicketId, &LiveStep)> {
    let steps = tickets
        .iter()
        .flat_map(|ticket| ticket.at.live.iter().map(move |step| (&ticket.id, step)));
    steps.filter(|(_, step)| wanted(step)).collect()
}

/// What each agent has to do on these tickets, the busiest first.
fn workload(tickets: &[TicketSteps]) -> Vec<AgentLoad> {
    let mut loads: HashMap<String, AgentLoad> = HashMap::new();
    for (_, step) in steps_where(tickets, |step| step.kind == StepType::Task) {
        let Some(agent) = &step.assignee else { continue };
        let load = loads.entry(agent.email.key()).or_insert_with(|| AgentLoad {
            agent: agent.clone(),
            active: 0,
            on_hold: 0,
        });
        if step.state == StepState::OnHold {
            load.on_hold += 1;
        } else {
            load.active += 1;
        }
    }
    let mut loads: Vec<AgentLoad> = loads.into_values().collect();
    loads.sort_by_key(|load| {
        let busiest = std::cmp::Reverse(load.active + load.on_hold);
        (busiest, load.agent.email.key())
    });
    loads.truncate(AGENTS);
    loads
}
