//! Lets due timers take effect (design 3, timers).

use super::Acted;
use crate::engine::decision::Undecided;
use crate::engine::timers;
use crate::engine::turn::Turn;

/// Fires what is due; a ticket on which nothing is due stays as it is.
pub(super) fn fire(turn: &mut Turn<'_>) -> Result<Acted, Undecided> {
    if turn.ticket.status.is_terminal() {
        return Ok(Acted::AlreadyDone(None));
    }
    if timers::fire(turn)? {
        Ok(Acted::Applied)
    } else {
        Ok(Acted::AlreadyDone(None))
    }
}
