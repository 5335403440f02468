//! What conditions on edges may look at besides form values: the ticket and the finished step, as answers name their
//! fields. Built only when an edge has a condition.

use super::definition::CompiledWorkflow;
use super::turn::Turn;
use crate::domain::person::Person;
use crate::domain::ticket::Step;
use crate::domain::workflow::TransitionEvent;
use serde_json::{Map, Value, json};

/// The two objects beside the form values.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// The ticket, without form values.
    pub(crate) ticket: Map<String, Value>,
    /// The step that has just ended.
    pub(crate) current_step: Map<String, Value>,
}

impl Views {
    /// The views for leaving `step` on `event`; empty when no edge has a condition.
    pub(crate) fn of(
        turn: &Turn<'_>,
        step: &Step,
        workflow: &CompiledWorkflow,
        event: TransitionEvent,
    ) -> Self {
        if workflow
            .edges_on(&step.key, event)
            .iter()
            .all(|edge| edge.condition.is_none())
        {
            return Self::default();
        }
        let ticket = &turn.ticket;
        let ticket_view = json!({
            "ticket_id": ticket.id,
            "title": ticket.title,
            "description": ticket.description,
            "status": ticket.status,
            "workflow_id": ticket.workflow.workflow_id,
            "workflow_name": ticket.workflow.name,
            "workflow_version": ticket.workflow.version_number,
            "requester": person(&ticket.requester),
            "manager_snapshot": ticket.manager.as_ref().map(person),
            "created_at": ticket.created_at.to_wire(),
            "form_version": ticket.form_version,
            "attachment_ids": ticket.attachment_ids,
        });
        let task = step.task.as_ref();
        let step_view = json!({
            "ticket_step_id": step.id,
            "step_id": step.key,
            "step_name": step.name,
            "step_type": step.kind,
            "state": step.state(None),
            "outcome": step.outcome,
            "assigned_to": step.assignee.as_ref().map(person),
            "round": step.round,
            "data": {
                "form_values": step.form_values.as_ref().map(crate::domain::json::JsonObject::to_value),
                "output_values": task.and_then(|task| task.output_values.as_ref()).map(crate::domain::json::JsonObject::to_value),
                "execution_notes": task.and_then(|task| task.execution_notes.as_ref()),
            },
        });
        Self {
            ticket: object(ticket_view),
            current_step: object(step_view),
        }
    }
}

fn person(person: &Person) -> Value {
    json!({"aad_id": person.aad_id, "email": person.email, "display_name": person.display_name})
}

fn object(value: Value) -> Map<String, Value> {
    super::turn::as_object(value).into_map()
}
