//! The pure core: `decide(aggregate, command, facts)` says what a command does, and nothing here does it.
//!
//! No clock, no randomness, no input or output. Order inside a decision: guard (may this actor do this here?), state
//! (is this the time?), input (are the answers right?), routing (where does it lead, who acts next?), then compose.

pub(crate) mod actions;
pub(crate) mod advance;
pub mod approval_tally;
pub(crate) mod approver_resolver;
pub mod change_diff;
pub(crate) mod closing;
pub mod command;
pub mod condition_evaluator;
pub mod decision;
pub mod definition;
pub mod dry_run;
pub(crate) mod ends;
pub mod facts;
pub(crate) mod failures;
pub(crate) mod form_validator;
pub(crate) mod named_person;
pub(crate) mod notices;
pub mod permission_guard;
pub(crate) mod responsibility;
pub(crate) mod routing_context;
pub(crate) mod scopes;
pub(crate) mod steps;
#[cfg(test)]
mod tests;
mod ticket_figures;
pub(crate) mod timers;
pub mod transition_resolver;
pub(crate) mod turn;
pub mod work_index;

#[cfg(test)]
pub mod fuzzing;
#[cfg(test)]
pub(crate) mod testing;
// Said apart from the tests' declarations: what a test may do goes by a plain `cfg(test)`.
#[cfg(all(fuzzing, not(test)))]
pub mod fuzzing;
#[cfg(all(fuzzing, not(test)))]
pub(crate) mod testing;

pub use command::Command;
pub use decision::{Decision, Effect, Undecided, Verdict};
pub use facts::{Definitions, FactSheet, Facts, Need};

use crate::domain::ticket::Ticket;

/// Says what `command` does to `ticket`: `None` only for the command that creates one.
///
/// # Errors
/// [`Undecided::Refused`] when the command is not allowed, [`Undecided::Needs`] when facts are missing.
pub fn decide(ticket: Option<&Ticket>, command: &Command, facts: &Facts<'_>) -> Result<Verdict, Undecided> {
    actions::decide(ticket, command, facts)
}
