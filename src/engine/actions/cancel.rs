//! Cancels the ticket (contract engine-actions 4.9 and 2.4).

use super::Acted;
use crate::domain::ticket::TicketStatus;
use crate::engine::decision::Undecided;
use crate::engine::ends;
use crate::engine::permission_guard::{self, TicketAction};
use crate::engine::turn::Turn;

/// Ends the ticket on the requester's wish; the requester's repeat succeeds without effect.
pub(super) fn cancel(turn: &mut Turn<'_>, reason: Option<&str>) -> Result<Acted, Undecided> {
    let own = turn.ticket.requester.is_same(&turn.actor().person);
    if own && turn.ticket.status == TicketStatus::Cancelled {
        return Ok(Acted::AlreadyDone(None));
    }
    permission_guard::check_ticket(&turn.ticket, turn.actor(), &TicketAction::Cancel)?;
    ends::cancel_ticket(turn, reason)?;
    Ok(Acted::Applied)
}
