//! The agent's and the manager's work.

use super::super::brief::{StepBrief, name, person};
use super::super::figures;
use super::super::plain_text::clipped;
use super::kind::Arguments;
use super::ticket::change_request;
use super::{Found, Toolbox, as_json};
use crate::domain::error::ServiceError;
use crate::services::tickets::{HistoryWindow, StepItem};
use serde_json::{Value, json};

/// Longest reason or comment, in characters.
const LONGEST_TEXT: usize = 300;
/// Most agents whose load is told.
const MOST_AGENTS: usize = 30;

impl Toolbox<'_> {
    pub(super) async fn my_tasks(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self
            .services
            .tickets
            .tasks(self.actor, 1, size(arguments))
            .await?;
        Ok(self.step_rows(page.total, &page.items))
    }

    pub(super) async fn completed_tasks(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self
            .services
            .tickets
            .completed_tasks(self.actor, HistoryWindow::Ever, 1, size(arguments))
            .await?;
        Ok(self.step_rows(page.total, &page.items))
    }

    pub(super) async fn unassigned_tasks(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self
            .services
            .tickets
            .assignments(self.actor, 1, size(arguments))
            .await?;
        Ok(self.step_rows(page.total, &page.items))
    }

    pub(super) async fn pending_approvals(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self
            .services
            .tickets
            .approvals(self.actor, 1, size(arguments))
            .await?;
        let mut found = Found::of(json!({"total": page.total}));
        found.rows = self.rows(page.items.iter().map(|item| {
            let ticket = &item.opened.ticket;
            let step = ticket.step(&item.task.ticket_step_id);
            let more = json!({"step": step.map(|step| name(&step.name)), "waiting_since": item.task.created_at.to_wire()});
            (ticket, more)
        }));
        Ok(found)
    }

    pub(super) async fn decisions(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self
            .services
            .tickets
            .decisions(self.actor, None, None, 1, size(arguments))
            .await?;
        let mut found = Found::of(json!({"total": page.total}));
        found.rows = self.rows(page.items.iter().map(|item| {
            let fact = |key: &str| item.row.body.row.get(key).and_then(Value::as_str).map(|text| clipped(text, LONGEST_TEXT));
            let more = json!({"step": fact("step_name"), "decision": fact("decision"), "comment": fact("comment"),
                              "decided_at": item.row.body.at.to_wire()});
            (&item.opened.ticket, more)
        }));
        Ok(found)
    }

    pub(super) async fn handovers(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self
            .services
            .tickets
            .handovers_to_decide(self.actor, 1, size(arguments))
            .await?;
        let mut found = Found::of(json!({"total": page.total}));
        found.rows = self.rows(page.items.iter().map(|(handover, opened)| {
            let more = json!({"handover_requested_by": person(&handover.requested_by),
                              "reason": clipped(&handover.reason, LONGEST_TEXT),
                              "requested_at": handover.requested_at.to_wire()});
            (&opened.ticket, more)
        }));
        Ok(found)
    }

    pub(super) async fn reviews(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self
            .services
            .change_requests
            .to_review(self.actor, 0, size(arguments))
            .await?;
        let mut found = Found::of(json!({"total": page.total}));
        found.rows = self.rows(page.items.iter().map(|item| {
            (
                &item.ticket,
                json!({"change_request": change_request(&item.request)}),
            )
        }));
        Ok(found)
    }

    pub(super) async fn team_figures(&self) -> Result<Found, ServiceError> {
        let dashboard = self.services.tickets.manager_dashboard(self.actor).await?;
        let figures = figures::of_manager(self.services, self.actor, &dashboard).await?;
        let mut found = Found::of(Value::Object(figures));
        let agents = dashboard.agent_workload.iter().take(MOST_AGENTS);
        let agents: Vec<Value> = agents
            .map(|load| json!({"agent": person(&load.agent), "active": load.active, "on_hold": load.on_hold}))
            .collect();
        found
            .head
            .insert("agent_workload".to_owned(), Value::Array(agents));
        found.rows = self.step_rows(0, &dashboard.overdue).rows;
        Ok(found)
    }

    /// Steps with their tickets.
    fn step_rows(&self, total: usize, items: &[StepItem]) -> Found {
        let mut found = Found::of(json!({"total": total}));
        found.rows = self.rows(items.iter().map(|item| {
            let ticket = &item.opened.ticket;
            let step = ticket.step(&item.step_id);
            let step = step.map(|step| as_json(&StepBrief::of(ticket, step, self.actor, self.now)));
            (ticket, json!({"step": step}))
        }));
        found
    }
}

fn size(arguments: &Arguments) -> usize {
    usize::try_from(arguments.rows()).unwrap_or(1)
}
