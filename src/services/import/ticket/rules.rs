//! The named repairs of one ticket; each says what the reference's defect had left, `domain/import.rs` names the hazard.

mod duties;
mod ends;
mod waits;

use super::draft::Draft;
use crate::domain::import::RepairRule;

/// Applies every rule: first whether the ticket lives, then what belongs to what.
pub(super) fn apply(draft: &mut Draft<'_>) {
    ends::restore_the_end(draft);
    ends::cancel_an_orphan(draft);
    if draft.ticket.status.is_terminal() {
        ends::end_with_the_ticket(draft);
    } else {
        waits::settle_change_requests(draft);
        waits::settle_holds(draft);
        waits::settle_questions(draft);
        waits::settle_pauses(draft);
        waits::settle_states(draft);
    }
    duties::settle_votes(draft);
    duties::settle_assignments(draft);
    duties::settle_handovers(draft);
    if draft.ticket.is_live() {
        let derived = draft.ticket.derived_status();
        if derived != draft.ticket.status {
            draft.ticket.status = derived;
            let id = draft.ticket.id.to_string();
            draft.touch(RepairRule::StatusRecomputed, id);
        }
    }
}
