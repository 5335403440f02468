//! Acknowledges that a step is overdue (contract engine-actions 4.15, S13).

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::{SlaAcknowledgementId, TicketStepId};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::SlaAcknowledgement;
use crate::engine::decision::Undecided;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::timers;
use crate::engine::turn::Turn;
use serde_json::json;

/// Acknowledges once per step and assignee; escalations stop.
pub(super) fn acknowledge(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    notes: Option<&str>,
) -> Result<Acted, Undecided> {
    permission_guard::check_step(
        &turn.ticket,
        turn.actor(),
        StepAction::AcknowledgeSla,
        turn.step(id)?,
    )?;
    let now = turn.now();
    let step = turn.step(id)?;
    if step.sla_acknowledged_at.is_some() {
        return Ok(Acted::AlreadyDone(None));
    }
    if step.due_at.is_none_or(|due| due > now) {
        return Err(Refusal::invalid_state("this step is not overdue").into());
    }
    let acknowledgement = SlaAcknowledgement {
        id: SlaAcknowledgementId::derived(&turn.draw_seed()),
        ticket_step_id: id.clone(),
        acknowledged_by: turn.actor().person.clone(),
        acknowledged_at: now,
        notes: notes.map(str::to_owned),
    };
    turn.ticket.sla_acknowledgements.push(acknowledgement);
    turn.change_step(id)?.sla_acknowledged_at = Some(now);
    timers::stop_escalations(turn, id);
    turn.audit(AuditEventType::SlaAcknowledged, Some(id), json!({"notes": notes}));
    Ok(Acted::Applied)
}
