//! One file per family of commands; this one tells which family a command belongs to, and what all have in common.

mod cancel;
mod complete_task;
mod create;
mod decide_approval;
mod fire_timers;
mod submit_form;

use super::decision::Decision;
use super::turn::Turn;
use super::{Command, Facts, Undecided, Verdict};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Ticket, limits};

/// What a family did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Acted {
    /// It took effect on the turn.
    Applied,
    /// It had had its effect already; the turn is thrown away. Holds the id of what the first one created.
    AlreadyDone(Option<String>),
}

/// Opens a turn and lets the command's family act on it.
pub(crate) fn decide(
    ticket: Option<&Ticket>,
    command: &Command,
    facts: &Facts<'_>,
) -> Result<Verdict, Undecided> {
    let (Some(ticket), false) = (ticket, matches!(command, Command::Create(_))) else {
        return match (ticket, command) {
            (None, Command::Create(create)) => Ok(applied(create::create(create, *facts)?)),
            (Some(_), Command::Create(_)) => {
                Err(Refusal::AlreadyExists("this ticket exists already".to_owned()).into())
            }
            (None, _) => Err(Refusal::TicketNotFound.into()),
            (Some(_), _) => Err(Refusal::invalid_state("this command cannot be decided").into()),
        };
    };
    if let Some(step) = command.step() {
        ticket.step(step).ok_or(Refusal::StepNotFound)?;
    }
    let mut turn = Turn::open(ticket.clone(), *facts);
    match act(&mut turn, command)? {
        Acted::AlreadyDone(created) => Ok(Verdict::AlreadyDone { created }),
        Acted::Applied => {
            check_limits(&turn)?;
            Ok(applied(turn))
        }
    }
}

fn act(turn: &mut Turn<'_>, command: &Command) -> Result<Acted, Undecided> {
    match command {
        Command::SubmitForm {
            step,
            form_values,
            attachment_ids,
        } => submit_form::submit(turn, step, form_values, attachment_ids),
        Command::Approve { step, comment } => decide_approval::approve(turn, step, comment.as_deref()),
        Command::Reject { step, comment } => decide_approval::reject(turn, step, comment.as_deref()),
        Command::ApproverSkip { step, comment } => decide_approval::skip(turn, step, comment.as_deref()),
        Command::CompleteTask {
            step,
            execution_notes,
            output_values,
            attachment_ids,
        } => complete_task::complete(
            turn,
            step,
            execution_notes.as_deref(),
            output_values,
            attachment_ids,
        ),
        Command::Cancel { reason } => cancel::cancel(turn, reason.as_deref()),
        Command::FireTimers => fire_timers::fire(turn),
        _ => Err(Refusal::invalid_state("this command is not known yet").into()),
    }
}

/// Recomputes what follows from the steps and closes the turn.
fn applied(mut turn: Turn<'_>) -> Verdict {
    if turn.ticket.is_live() {
        turn.ticket.status = turn.ticket.derived_status();
    }
    turn.ticket.timers.sort_by_key(|timer| timer.due_at);
    let decision: Decision = turn.close();
    Verdict::Applied(Box::new(decision))
}

/// No list of the aggregate outgrows its limit.
fn check_limits(turn: &Turn<'_>) -> Result<(), Refusal> {
    let ticket = &turn.ticket;
    let lists = [
        ("files", ticket.attachment_ids.len(), limits::ATTACHMENTS),
        ("assignments", ticket.assignments.len(), limits::ASSIGNMENTS),
        ("questions", ticket.info_requests.len(), limits::INFO_REQUESTS),
        ("handover requests", ticket.handovers.len(), limits::HANDOVERS),
        (
            "acknowledgements",
            ticket.sla_acknowledgements.len(),
            limits::SLA_ACKNOWLEDGEMENTS,
        ),
        (
            "change requests",
            ticket.change_requests.len(),
            limits::CHANGE_REQUESTS,
        ),
    ];
    for (what, length, limit) in lists {
        if length > limit {
            return Err(Refusal::LimitReached { what, limit });
        }
    }
    Ok(())
}
