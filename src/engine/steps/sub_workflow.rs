//! Embedded workflows: the pinned version's steps are expanded into the same ticket and addressed by their container.

use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{EmbeddedRun, Phase};
use crate::engine::advance::{Move, Moves, Scope};
use crate::engine::decision::Undecided;
use crate::engine::definition::SubWorkflowDefinition;
use crate::engine::facts::Need;
use crate::engine::turn::Turn;
use serde_json::json;
use std::sync::Arc;

/// Expands the steps and enters the first one.
pub(super) fn activate(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    embedded: &SubWorkflowDefinition,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    let workflow = match turn.facts.definitions.embedded.get(&embedded.version) {
        Some(Some(workflow)) => Arc::clone(workflow),
        Some(None) => {
            let message = format!(
                "version {} of the embedded workflow {} does not exist",
                embedded.version.version_number, embedded.name
            );
            return Err(Refusal::WorkflowNotFound { message }.into());
        }
        None => return Err(Undecided::Needs(vec![Need::Embedded(embedded.version.clone())])),
    };
    for (order, definition) in workflow.steps.values().enumerate() {
        let mut step = super::new_instance(turn, definition)?;
        step.container = Some(id.clone());
        step.container_order = u32::try_from(order).ok();
        turn.ticket.steps.push(step);
    }
    let step_count = u32::try_from(workflow.steps.len()).unwrap_or(u32::MAX);
    turn.change_step(id)?.embedded = Some(EmbeddedRun {
        version: embedded.version.clone(),
        name: workflow.name.clone(),
        step_count,
        start_step_id: workflow.start.clone(),
        pending_end: None,
    });
    let details = json!({
        "sub_workflow_id": embedded.version.workflow_id,
        "sub_workflow_name": workflow.name,
        "sub_workflow_version": embedded.version.version_number,
        "steps_created": step_count,
    });
    turn.audit(AuditEventType::SubWorkflowStarted, Some(id), details);
    moves.push(Move::Enter(
        workflow.start.clone(),
        Scope {
            container: Some(id.clone()),
            branch: None,
        },
    ));
    Ok(())
}

/// Records how an embedded run ended.
pub(in crate::engine) fn tell_end(turn: &mut Turn<'_>, id: &TicketStepId) -> Result<(), Refusal> {
    let step = turn.step(id)?;
    let event = if step.phase == Phase::Completed {
        AuditEventType::SubWorkflowCompleted
    } else {
        AuditEventType::SubWorkflowFailed
    };
    let run = step.embedded.as_ref();
    let details = json!({
        "sub_workflow_id": run.map(|run| &run.version.workflow_id),
        "sub_workflow_name": run.map(|run| &run.name),
        "outcome": step.outcome,
    });
    turn.audit(event, Some(id), details);
    Ok(())
}
