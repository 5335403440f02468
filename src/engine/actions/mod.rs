//! One file per family of commands; this one tells which family a command belongs to.

use super::{Command, Facts, Undecided, Verdict};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::Ticket;

/// Opens a turn and lets the command's family act on it.
pub(crate) fn decide(
    ticket: Option<&Ticket>,
    _command: &Command,
    _facts: &Facts<'_>,
) -> Result<Verdict, Undecided> {
    let Some(_ticket) = ticket else {
        return Err(Refusal::TicketNotFound.into());
    };
    Err(Refusal::invalid_state("this command is not known yet").into())
}
