//! Entering steps: what all types have in common, and one module per type.

pub(super) mod approval;
pub(super) mod fork;
pub(super) mod form;
pub(super) mod join;
pub(super) mod notify;
pub(super) mod sub_workflow;
pub(super) mod task;

use super::advance::{Moves, Scope};
use super::decision::Undecided;
use super::definition::{StepDefinition, StepKind};
use super::turn::Turn;
use super::{scopes, timers};
use crate::domain::audit::AuditEventType;
use crate::domain::id::{StepKey, TicketStepId};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Phase, Step, limits};
use serde_json::json;
use std::sync::Arc;

/// Enters the step `key` in `scope`: its waiting instance, or a new round when it has ended before.
///
/// A step that is live already is left alone, and nothing is entered in a scope that has ended.
pub(super) fn enter(
    turn: &mut Turn<'_>,
    key: &StepKey,
    scope: &Scope,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    if !scopes::is_open(&turn.ticket, scope) {
        return Ok(());
    }
    let workflow = turn.workflow_in(scope.container.as_ref())?;
    let definition = Arc::clone(workflow.step(key).ok_or_else(|| {
        Refusal::invalid_state(format!(
            "the workflow leads to the step {key}, which it does not have"
        ))
    })?);
    let newest = turn
        .ticket
        .newest_instance(scope.container.as_ref(), key)
        .cloned();
    let id = match newest {
        Some(step) if step.phase == Phase::NotStarted => step.id,
        Some(step) if step.is_live() => return Ok(()),
        previous => new_round(turn, &definition, scope, previous.as_ref())?,
    };
    if notify::must_wait_for_late_branches(turn, &workflow, &definition, scope) {
        return notify::defer(turn, &id);
    }
    activate(turn, &id, &definition, scope, moves)
}

/// Enters an end that waited for late branches.
pub(super) fn enter_deferred(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    let step = turn.step(id)?;
    let (container, definition) = (step.container.clone(), turn.definition_of(step)?);
    if turn.ticket.pending_end_in(container.as_ref()) != Some(id) {
        return Ok(());
    }
    turn.ticket.set_pending_end(container.as_ref(), None);
    let scope = Scope {
        container,
        branch: None,
    };
    activate(turn, id, &definition, &scope, moves)
}

/// Activates a live step again whose activation had been cut short.
pub(super) fn activate_again(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    let step = turn.step(id)?.clone();
    let definition = turn.definition_of(&step)?;
    activate(turn, id, &definition, &Scope::of(&step), moves)
}

fn activate(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    definition: &StepDefinition,
    scope: &Scope,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    let now = turn.now();
    let step = turn.change_step(id)?;
    step.phase = Phase::Live;
    step.started_at = Some(now);
    step.branch.clone_from(&scope.branch);
    turn.ticket.current_step_id = Some(definition.key.clone());
    move_branch(turn, scope, &definition.key);
    match &definition.kind {
        StepKind::Form(_) => form::activate(turn, id, definition)?,
        StepKind::Approval(approval) => approval::activate(turn, id, approval)?,
        StepKind::Task(task) => task::activate(turn, id, task)?,
        StepKind::Notify(notification) => return notify::pass(turn, id, definition, notification, moves),
        StepKind::Fork(fork) => return fork::pass(turn, id, definition, fork, scope, moves),
        StepKind::SubWorkflow(embedded) => return sub_workflow::activate(turn, id, embedded, moves),
        StepKind::Join(_) => {
            let message = format!(
                "the workflow leads to the join {} from outside of its branches",
                definition.key
            );
            return Err(Refusal::InvalidState(message).into());
        }
    }
    timers::start_sla(turn, id, definition)?;
    let details = if approval::asks_the_requester(turn, id) {
        json!({"step_name": definition.name, "self_approval": true})
    } else {
        json!({"step_name": definition.name})
    };
    turn.audit(AuditEventType::StepActivated, Some(id), details);
    Ok(())
}

/// The branch has reached this step.
fn move_branch(turn: &mut Turn<'_>, scope: &Scope, key: &StepKey) {
    let Some(at) = &scope.branch else { return };
    let branches = turn
        .ticket
        .fork_mut(&at.fork)
        .into_iter()
        .flat_map(|fork| &mut fork.branches);
    for branch in branches.filter(|branch| branch.key == at.branch) {
        branch.current_step_id = Some(key.clone());
    }
}

/// A further instance of a step that has ended before.
fn new_round(
    turn: &mut Turn<'_>,
    definition: &StepDefinition,
    scope: &Scope,
    previous: Option<&Step>,
) -> Result<TicketStepId, Refusal> {
    let round = previous.map_or(0, |step| step.round).saturating_add(1);
    if round > limits::ROUNDS {
        let limit = usize::try_from(limits::ROUNDS).unwrap_or(usize::MAX);
        return Err(Refusal::LimitReached {
            what: "rounds of one step",
            limit,
        });
    }
    let mut step = new_instance(turn, definition)?;
    step.round = round;
    step.container.clone_from(&scope.container);
    step.container_order = previous.and_then(|step| step.container_order);
    let id = step.id.clone();
    turn.ticket.steps.push(step);
    Ok(id)
}

/// A fresh instance of a step; not in the ticket yet.
pub(super) fn new_instance(turn: &mut Turn<'_>, definition: &StepDefinition) -> Result<Step, Refusal> {
    if turn.ticket.steps.len() >= limits::STEPS {
        return Err(Refusal::LimitReached {
            what: "steps",
            limit: limits::STEPS,
        });
    }
    let id = TicketStepId::derived(&turn.draw_seed());
    Ok(Step::not_started(
        id,
        definition.key.clone(),
        definition.name.clone(),
        definition.step_type(),
    ))
}
