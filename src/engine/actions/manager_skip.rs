//! Skips a form or a task as the manager or an administrator (contract engine-actions 10.6, HZ-34).

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::ticket::{Phase, Skip};
use crate::domain::workflow::TransitionEvent;
use crate::engine::advance::{self, Move, Moves, Scope};
use crate::engine::closing::{Ending, end_step};
use crate::engine::decision::Undecided;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::turn::Turn;
use serde_json::json;

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
