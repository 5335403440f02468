//! The agent's lists and dashboard (contract http-tickets 11).

use super::manager::handover;
use super::queues::First;
use super::{OpenedTicket, QueuePage, StepItem, TicketService};
use crate::domain::effect::HistoryKind;
use crate::domain::error::ServiceError;
use crate::domain::id::{HandoverId, TicketStepId};
use crate::domain::person::Actor;
use crate::domain::ticket::{Handover, StepState, TargetRole};
use crate::domain::time::Timestamp;
use crate::domain::work::Queue;
use crate::repositories::ticket_list_repo::OpenWork;
use std::sync::Arc;

/// Rows of the dashboard's list of overdue tasks.
const OVERDUE: usize = 10;
/// Rows of the dashboard's list of completed tasks.
const RECENT: usize = 20;
/// Most rows of a list that has no pages.
const UNPAGED: usize = 500;

/// A task of the agent who asks.
pub type AgentTask = StepItem;

/// A handover with its ticket.
pub type HandoverItem = (Handover, Arc<OpenedTicket>);

/// How far back a history goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryWindow {
    /// Since midnight UTC.
    Today,
    /// The last seven days.
    Week,
    /// The last thirty days.
    Month,
    /// Everything.
    Ever,
}

/// The agent's dashboard.
#[derive(Debug, Clone)]
pub struct AgentDashboard {
    /// Tasks being worked on.
    pub active: usize,
    /// Tasks on hold.
    pub on_hold: usize,
    /// Tasks that wait for an answer.
    pub waiting_for_info: usize,
    /// All tasks.
    pub total: usize,
    /// Open questions to the agent.
    pub questions: usize,
    /// How many tasks are overdue.
    pub overdue_count: usize,
    /// The tasks longest overdue.
    pub overdue: Vec<StepItem>,
    /// The tasks completed last.
    pub recent_completed: Vec<StepItem>,
    /// Handovers asked for and not decided.
    pub pending_handovers: Vec<HandoverItem>,
}

impl TicketService {
    /// The actor's tasks, those due first at first, those without a due time last.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn tasks(
        &self,
        actor: &Actor,
        page: u64,
        page_size: usize,
    ) -> Result<QueuePage<AgentTask>, ServiceError> {
        self.step_queue(actor, Queue::Tasks, page, page_size).await
    }

    /// Handovers that the actor asked for and that are not decided, newest first.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn own_handovers(&self, actor: &Actor) -> Result<Vec<HandoverItem>, ServiceError> {
        let open = self
            .sorted_work(actor, Queue::OwnHandovers, First::Newest)
            .await?;
        let found = self.page_with_notes(open, 1, UNPAGED).await?;
        let items = found.into_iter().filter_map(|(row, opened)| {
            let handover = handover(&opened, &HandoverId::from_stored(row.row.item))?;
            Some((handover, opened))
        });
        Ok(items.collect())
    }

    /// Tasks that the actor has completed, newest first.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn completed_tasks(
        &self,
        actor: &Actor,
        window: HistoryWindow,
        page: u64,
        page_size: usize,
    ) -> Result<QueuePage<StepItem>, ServiceError> {
        let keys = actor.person.keys();
        let kind = HistoryKind::CompletedTask;
        let skip = usize::try_from(page.saturating_sub(1))
            .unwrap_or(usize::MAX)
            .saturating_mul(page_size);
        let since = self.window_start(window);
        let total = self.history.count_of_person(&keys, kind, since).await?;
        let rows = self
            .history
            .of_person(&keys, kind, since, skip, page_size)
            .await?;
        let tickets = self
            .opened_by_id(rows.iter().map(|row| row.ticket_id.clone()).collect())
            .await?;
        let items = rows.into_iter().filter_map(|row| {
            let opened = Arc::clone(tickets.get(&row.ticket_id)?);
            let step_id = TicketStepId::from_stored(row.body.row.get("ticket_step_id")?.as_str()?);
            opened.ticket.step(&step_id)?;
            Some(StepItem { opened, step_id })
        });
        Ok(QueuePage {
            items: items.collect(),
            total: usize::try_from(total).unwrap_or(usize::MAX),
        })
    }

    fn window_start(&self, window: HistoryWindow) -> Option<Timestamp> {
        const DAY: i64 = 86_400_000;
        let now = self.clock.now();
        match window {
            HistoryWindow::Today => Some(Timestamp::from_millis(now.millis().div_euclid(DAY) * DAY)),
            HistoryWindow::Week => Some(now.plus_millis(-7 * DAY)),
            HistoryWindow::Month => Some(now.plus_millis(-30 * DAY)),
            HistoryWindow::Ever => None,
        }
    }

    /// The actor's dashboard.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn agent_dashboard(&self, actor: &Actor) -> Result<AgentDashboard, ServiceError> {
        let tasks = self.sorted_work(actor, Queue::Tasks, First::Oldest).await?;
        let total = tasks.len();
        let count = |wanted: &[StepState]| {
            let states = tasks.iter().filter_map(|task| task.state);
            states.filter(|state| wanted.contains(state)).count()
        };
        let active = count(&[StepState::Active]);
        let on_hold = count(&[StepState::OnHold]);
        let waiting_for_info = count(&[StepState::WaitingForRequester, StepState::WaitingForAgent]);
        let now = self.clock.now();
        let is_overdue = |task: &OpenWork| {
            matches!(task.state, Some(StepState::Active | StepState::OnHold))
                && task.row.at.is_some_and(|due| due < now)
        };
        let overdue: Vec<OpenWork> = tasks.into_iter().filter(is_overdue).collect();
        let overdue_count = overdue.len();
        Ok(AgentDashboard {
            active,
            on_hold,
            waiting_for_info,
            total,
            questions: self.questions(actor, &[TargetRole::TaskStep]).await?.len(),
            overdue_count,
            overdue: self.steps_of(overdue, 1, OVERDUE).await?,
            recent_completed: self
                .completed_tasks(actor, HistoryWindow::Ever, 1, RECENT)
                .await?
                .items,
            pending_handovers: self.own_handovers(actor).await?,
        })
    }
}
