//! Skips a form or a task as the manager or an administrator (contract engine-actions 10.6, HZ-34).

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Phase, Skip};
use crate::domain::workflow::TransitionEvent;
use crate::engine::advance::{self, Move, Moves, Scope};
use crate::engine::closing::{Ending, end_step};
use crate::engine::condition_evaluator::{self, Context};
use crate::engine::decision::Undecided;
use crate::engine::definition::{Condition, StepKind};
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::turn::Turn;
use serde_json::{Map, json};

/// Passes over the step and moves on along the edge drawn for it, else along the step's normal one.
pub(super) fn skip(turn: &mut Turn<'_>, id: &TicketStepId, reason: &str) -> Result<Acted, Undecided> {
    let step = turn.step(id)?;
    let own = step
        .skip
        .as_ref()
        .is_some_and(|skip| skip.skipped_by.is_same(&turn.actor().person));
    if own && step.phase == Phase::Skipped {
        return Ok(Acted::AlreadyDone(None));
    }
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::ManagerSkip, step)?;
    must_not_be_missed(turn, id)?;
    let actor = turn.actor().person.clone();
    end_step(turn, id, Ending::SKIPPED)?;
    turn.change_step(id)?.skip = Some(Skip {
        reason: reason.to_owned(),
        skipped_by: actor,
    });
    turn.audit(AuditEventType::StepSkipped, Some(id), json!({"reason": reason}));
    let (scope, event) = {
        let step = turn.step(id)?;
        (Scope::of(step), step.kind.completion_event())
    };
    let mut moves = Moves::default();
    match advance::drawn_target(turn, id, TransitionEvent::SkipStep)? {
        Some(target) => advance::go_to(turn, target, scope, &mut moves)?,
        None => moves.push(Move::Leave(id.clone(), event)),
    }
    advance::run(turn, moves)?;
    Ok(Acted::Applied)
}

/// A form cannot be passed over while a later choice counts on an answer that only it can give: the ticket would stop
/// there (see `definition/validate/coverage.rs`).
fn must_not_be_missed(turn: &Turn<'_>, id: &TicketStepId) -> Result<(), Undecided> {
    let step = turn.step(id)?;
    let workflow = turn.workflow_in(step.container.as_ref())?;
    let definition = turn.definition_of(step)?;
    let StepKind::Form(form) = &definition.kind else {
        return Ok(());
    };
    let values = &turn.ticket.form_values;
    let missing = |condition: &Condition| {
        let key = condition.form_value_key();
        form.fields.iter().find(|field| {
            Some(field.key.as_str()) == key
                && values.get(&field.key).is_none_or(condition_evaluator::is_empty)
        })
    };
    let empty = Map::new();
    let context = Context {
        ticket: &empty,
        form_values: values,
        current_step: &empty,
    };
    for later in workflow.steps.values() {
        let edges = workflow.edges_on(&later.key, later.step_type().completion_event());
        let groups: Vec<_> = edges.iter().filter_map(|edge| edge.condition.as_ref()).collect();
        let has_way = groups.len() < edges.len()
            || groups
                .iter()
                .any(|group| condition_evaluator::holds(group, context));
        let counted_on = groups
            .iter()
            .flat_map(|group| &group.conditions)
            .find_map(missing);
        if let Some(field) = counted_on.filter(|_| !has_way) {
            let message = format!(
                "this form cannot be skipped: the way on from {} depends on {}",
                later.name, field.label
            );
            return Err(Refusal::InvalidState(message).into());
        }
    }
    Ok(())
}
