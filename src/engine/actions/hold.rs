//! Holds and resumes tasks; the due time moves by the time held (contract engine-actions 4.8, S12, S17).

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::Hold;
use crate::engine::decision::Undecided;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::timers;
use crate::engine::turn::Turn;
use serde_json::json;

/// Puts a task on hold.
pub(super) fn hold(turn: &mut Turn<'_>, id: &TicketStepId, reason: &str) -> Result<Acted, Undecided> {
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::Hold, turn.step(id)?)?;
    let held = Hold {
        reason: reason.to_owned(),
        held_at: turn.now(),
        held_by: turn.actor().person.clone(),
        resumed_at: None,
        resumed_by: None,
    };
    turn.change_step(id)?.hold = Some(held);
    turn.audit(AuditEventType::PutOnHold, Some(id), json!({"reason": reason}));
    Ok(Acted::Applied)
}

/// Resumes a held task.
pub(super) fn resume(turn: &mut Turn<'_>, id: &TicketStepId) -> Result<Acted, Undecided> {
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::Resume, turn.step(id)?)?;
    let (now, actor) = (turn.now(), turn.actor().person.clone());
    let hold = turn.change_step(id)?.hold.as_mut().ok_or(Refusal::StepNotFound)?;
    hold.resumed_at = Some(now);
    hold.resumed_by = Some(actor);
    let held_at = hold.held_at;
    timers::postpone(turn, id, now.since(held_at).num_milliseconds())?;
    turn.audit(AuditEventType::Resumed, Some(id), json!({}));
    Ok(Acted::Applied)
}
