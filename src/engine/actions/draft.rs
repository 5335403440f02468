//! Saves a task's draft (contract engine-actions 4.14).

use super::Acted;
use crate::domain::id::TicketStepId;
use crate::domain::json::JsonObject;
use crate::engine::decision::Undecided;
use crate::engine::form_validator;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::turn::Turn;

/// Replaces the draft; nothing is validated but its size, and nobody is told.
pub(super) fn save(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    values: &JsonObject,
    notes: Option<&str>,
) -> Result<Acted, Undecided> {
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::SaveDraft, turn.step(id)?)?;
    form_validator::check_size(values)?;
    let (now, actor) = (turn.now(), turn.actor().person.clone());
    let work = turn.change_step(id)?.task.get_or_insert_default();
    work.draft_values = Some(values.clone());
    work.draft_saved_at = Some(now);
    work.draft_saved_by = Some(actor);
    if let Some(notes) = notes {
        work.draft_execution_notes = Some(notes.to_owned());
    }
    Ok(Acted::Applied)
}
