//! What the dashboards of managers and agents answer (contract http-tickets 10.4 and 11.5).

use super::view::{HandoverItemView, StepItemView};
use crate::api::view::step::StepView;
use crate::api::view::ticket::{TicketView, word};
use crate::domain::ticket::TicketStatus;
use crate::services::tickets::{AgentDashboard, ManagerDashboard, StepItem};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Counts of the manager's dashboard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workload {
    /// Tickets by status, all ten of them.
    status_counts: BTreeMap<String, u64>,
    unassigned_tasks: usize,
    total_tickets: u64,
}

/// An agent's load.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentLoadView {
    /// The agent's address.
    email: String,
    /// The agent's name.
    display_name: String,
    /// The agent's object id, when known.
    aad_id: Option<String>,
    /// Open tasks that are worked on.
    active_tasks: u64,
    /// Open tasks on hold.
    on_hold_tasks: u64,
    /// All open tasks.
    total_tasks: u64,
}

/// The manager's dashboard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ManagerDashboardView {
    workload: Workload,
    agent_workload: Vec<AgentLoadView>,
    recent_tickets: Vec<TicketView>,
    overdue_steps: Vec<StepView>,
    on_hold_steps: Vec<StepView>,
}

impl From<&ManagerDashboard> for ManagerDashboardView {
    fn from(dashboard: &ManagerDashboard) -> Self {
        let steps = |items: &[StepItem]| {
            let views = items.iter().filter_map(|item| {
                let step = item.opened.ticket.step(&item.step_id)?;
                Some(StepView::of(&item.opened, step))
            });
            views.collect()
        };
        let counts = dashboard.status_counts.iter();
        Self {
            workload: Workload {
                status_counts: counts
                    .clone()
                    .map(|(status, count)| (word::<TicketStatus>(status), *count))
                    .collect(),
                unassigned_tasks: dashboard.unassigned_tasks,
                total_tickets: counts.map(|(_, count)| count).sum(),
            },
            agent_workload: dashboard
                .agent_workload
                .iter()
                .map(|load| AgentLoadView {
                    email: load.agent.email.to_string(),
                    display_name: load.agent.display_name.clone(),
                    aad_id: load.agent.aad_id.clone(),
                    active_tasks: load.active,
                    on_hold_tasks: load.on_hold,
                    total_tasks: load.active + load.on_hold,
                })
                .collect(),
            recent_tickets: dashboard.recent.iter().map(Into::into).collect(),
            overdue_steps: steps(&dashboard.overdue),
            on_hold_steps: steps(&dashboard.on_hold),
        }
    }
}

/// Counts of the agent's dashboard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentSummary {
    /// Open tasks.
    total_tasks: usize,
    /// Those that are worked on.
    active_tasks: usize,
    /// Those on hold.
    on_hold_tasks: usize,
    /// Those that wait for an answer.
    waiting_for_info_tasks: usize,
    /// Questions to this agent that are open.
    info_requests: usize,
    /// Handovers that wait for a decision.
    pending_handovers: usize,
    /// Tasks that are late.
    overdue_tasks: usize,
}

/// The agent's dashboard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentDashboardView {
    summary: AgentSummary,
    overdue_tasks: Vec<StepItemView>,
    recent_completed: Vec<StepItemView>,
    pending_handovers: Vec<HandoverItemView>,
}

impl From<&AgentDashboard> for AgentDashboardView {
    fn from(dashboard: &AgentDashboard) -> Self {
        Self {
            summary: AgentSummary {
                total_tasks: dashboard.total,
                active_tasks: dashboard.active,
                on_hold_tasks: dashboard.on_hold,
                waiting_for_info_tasks: dashboard.waiting_for_info,
                info_requests: dashboard.questions,
                pending_handovers: dashboard.pending_handovers.len(),
                overdue_tasks: dashboard.overdue_count,
            },
            overdue_tasks: dashboard.overdue.iter().map(Into::into).collect(),
            recent_completed: dashboard.recent_completed.iter().map(Into::into).collect(),
            pending_handovers: dashboard.pending_handovers.iter().map(Into::into).collect(),
        }
    }
}
