//! The manager's lists and dashboard (contract http-tickets 10).

use super::queues::First;
use super::{ListOrder, ListQuery, OpenedTicket, QueuePage, SortBy, StepItem, TicketService};
use crate::domain::effect::HistoryKind;
use crate::domain::error::ServiceError;
use crate::domain::id::{HandoverId, TicketId, TicketStepId};
use crate::domain::person::{Actor, Person};
use crate::domain::ticket::{ApprovalTask, Handover, StepState, TicketStatus};
use crate::domain::work::{Queue, Shelf};
use crate::domain::workflow::StepType;
use crate::repositories::history_repo::HistoryRow;
use std::sync::Arc;

/// Managed tickets that a dashboard's lists of steps look at.
const LOOKED_AT: i64 = 500;
/// Rows of the dashboard's short lists.
const SHORT: usize = 10;
/// Newest tickets on the dashboard.
const RECENT: i64 = 5;
/// Decisions that a filtered history looks at.
const HISTORY: usize = 5_000;

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
    /// Overdue steps of managed tickets, the longest overdue first.
    pub overdue: Vec<StepItem>,
    /// Held steps of managed tickets.
    pub on_hold: Vec<StepItem>,
}

/// Every status, in the order of the wire.
const STATUSES: [TicketStatus; 10] = [
    TicketStatus::Open,
    TicketStatus::InProgress,
    TicketStatus::WaitingForRequester,
    TicketStatus::WaitingForAgent,
    TicketStatus::WaitingForCr,
    TicketStatus::OnHold,
    TicketStatus::Completed,
    TicketStatus::Rejected,
    TicketStatus::Skipped,
    TicketStatus::Cancelled,
];

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
        let found = self.page_of_work(open, page, page_size).await?;
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
        let found = self.page_of_work(open, page, page_size).await?;
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
        let found = self.page_of_work(open, page, page_size).await?;
        let items = found.into_iter().filter_map(|(row, opened)| {
            let step_id = row.row.step?;
            opened.ticket.step(&step_id)?;
            Some(StepItem { opened, step_id })
        });
        Ok(QueuePage {
            items: items.collect(),
            total,
        })
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
            let total = self.history.count_of_person(&keys, HistoryKind::Decision).await?;
            let rows = self
                .history
                .of_person(&keys, HistoryKind::Decision, skip, page_size)
                .await?;
            let items = self.with_tickets(rows).await?;
            return Ok(QueuePage {
                items,
                total: usize::try_from(total).unwrap_or(usize::MAX),
            });
        }
        let rows = self
            .history
            .of_person(&keys, HistoryKind::Decision, 0, HISTORY)
            .await?;
        let q = q.map(str::to_lowercase);
        let wanted = rows
            .into_iter()
            .filter(|row| q.as_ref().is_none_or(|q| mentions(row, q)));
        let mut items = self.with_tickets(wanted.collect()).await?;
        items.retain(|item| status.is_none_or(|status| item.opened.ticket.status == status));
        let total = items.len();
        Ok(QueuePage {
            items: items.into_iter().skip(skip).take(page_size).collect(),
            total,
        })
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

    /// The actor's dashboard: only tickets the actor manages.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn manager_dashboard(&self, actor: &Actor) -> Result<ManagerDashboard, ServiceError> {
        let managed = Self::scope(actor, Shelf::Managed);
        let mut status_counts = Vec::new();
        for status in STATUSES {
            let mut filter = managed.clone();
            filter.statuses = vec![status];
            status_counts.push((status, self.lists.count(&filter).await?));
        }
        let unassigned_tasks = self
            .lists
            .open_work(Queue::Assignments, &actor.person.keys())
            .await?
            .len();
        let recent = self.list(&newest(managed.clone(), RECENT)).await?;
        let mut opened = Vec::new();
        for stored in recent.items {
            opened.push(self.open_for_list(stored).await?);
        }
        let mut live = managed;
        live.statuses = STATUSES
            .into_iter()
            .filter(|status| !status.is_terminal())
            .collect();
        let live = self.lists.newest(&live, 0, LOOKED_AT).await?;
        let mut at_work = Vec::new();
        for stored in live {
            at_work.push(Arc::new(self.open_for_list(stored).await?));
        }
        let now = self.clock.now();
        let mut overdue = steps_where(&at_work, |state, due| {
            matches!(state, StepState::Active | StepState::WaitingForApproval)
                && due.is_some_and(|due| due < now)
        });
        overdue.sort_by_key(|item| {
            item.opened
                .ticket
                .step(&item.step_id)
                .and_then(|step| step.due_at)
        });
        overdue.truncate(SHORT);
        let mut on_hold = steps_where(&at_work, |state, _| state == StepState::OnHold);
        on_hold.truncate(SHORT);
        let agent_workload = workload(&at_work);
        Ok(ManagerDashboard {
            status_counts,
            unassigned_tasks,
            agent_workload,
            recent: opened,
            overdue,
            on_hold,
        })
    }
}

fn newest(filter: crate::repositories::ticket_list_repo::TicketFilter, page_size: i64) -> ListQuery {
    ListQuery {
        filter,
        q: None,
        sort_by: SortBy::UpdatedAt,
        order: ListOrder::Descending,
        page: 1,
        page_size,
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

fn steps_where(
    tickets: &[Arc<OpenedTicket>],
    wanted: impl Fn(StepState, Option<crate::domain::time::Timestamp>) -> bool,
) -> Vec<StepItem> {
    let mut found = Vec::new();
    for opened in tickets {
        let live = opened.ticket.steps.iter().filter(|step| step.is_live());
        let ids: Vec<TicketStepId> = live
            .filter(|step| wanted(opened.ticket.state_of(step), step.due_at))
            .map(|step| step.id.clone())
            .collect();
        found.extend(ids.into_iter().map(|step_id| StepItem {
            opened: Arc::clone(opened),
            step_id,
        }));
    }
    found
}

fn workload(tickets: &[Arc<OpenedTicket>]) -> Vec<AgentLoad> {
    let mut loads: Vec<AgentLoad> = Vec::new();
    for opened in tickets {
        for step in opened
            .ticket
            .steps
            .iter()
            .filter(|step| step.is_live() && step.kind == StepType::Task)
        {
            let Some(agent) = &step.assignee else { continue };
            let held = u64::from(opened.ticket.state_of(step) == StepState::OnHold);
            match loads.iter_mut().find(|load| load.agent.is_same(agent)) {
                Some(load) => {
                    load.on_hold += held;
                    load.active += 1 - held;
                }
                None => loads.push(AgentLoad {
                    agent: agent.clone(),
                    active: 1 - held,
                    on_hold: held,
                }),
            }
        }
    }
    loads.sort_by_key(|load| std::cmp::Reverse(load.active + load.on_hold));
    loads
}
