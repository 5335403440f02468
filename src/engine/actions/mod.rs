//! One file per family of commands; this one tells which family a command belongs to, and what all have in common.

mod approval_reassign;
mod assignment;
mod cancel;
mod change_request;
mod change_request_data;
mod change_request_pause;
mod complete_task;
mod create;
mod decide_approval;
mod draft;
mod fire_timers;
mod handover;
mod hold;
mod import;
mod info_request;
mod manager_skip;
mod notes;
mod sla;
mod submit_form;
mod take_up;

use super::decision::Decision;
use super::turn::Turn;
use super::{Command, Facts, Undecided, Verdict};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Ticket, limits};
use handover::HandoverDecision;
use info_request::Question;

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
    let Some(ticket) = ticket else {
        return begin(command, facts);
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

/// The commands that need no ticket: they make one.
fn begin(command: &Command, facts: &Facts<'_>) -> Result<Verdict, Undecided> {
    if let Command::Create(create) = command {
        return Ok(applied(create::create(create, *facts)?));
    }
    if let Command::Import(imported) = command {
        return Ok(applied(import::import(imported, *facts)?));
    }
    Err(Refusal::TicketNotFound.into())
}

#[expect(clippy::too_many_lines, reason = "one arm per command")]
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
        Command::ManagerSkip { step, reason } => manager_skip::skip(turn, step, reason),
        Command::SaveDraft {
            step,
            draft_values,
            execution_notes,
        } => draft::save(turn, step, draft_values, execution_notes.as_deref()),
        Command::Assign { step, agent } => assignment::assign(turn, step, agent),
        Command::Reassign { step, agent, reason } => {
            assignment::reassign(turn, step, agent, reason.as_deref())
        }
        Command::ReassignApproval {
            step,
            approver,
            reason,
        } => approval_reassign::reassign(turn, step, approver, reason.as_deref()),
        Command::RequestInfo {
            step,
            question_text,
            target,
            subject,
            attachment_ids,
        } => {
            let question = Question {
                text: question_text,
                subject: subject.as_deref(),
                target: target.as_ref(),
                attachments: attachment_ids,
            };
            info_request::request(turn, step, question)
        }
        Command::RespondInfo {
            step,
            response_text,
            attachment_ids,
        } => info_request::respond(turn, step, response_text, attachment_ids),
        Command::Hold { step, reason } => hold::hold(turn, step, reason),
        Command::Resume { step } => hold::resume(turn, step),
        Command::RequestHandover {
            step,
            reason,
            suggested_agent,
        } => handover::request(turn, step, reason, suggested_agent.as_ref()),
        Command::DecideHandover {
            step,
            handover,
            approved,
            new_agent,
            comment,
        } => {
            let decision = if *approved {
                HandoverDecision::Approve(new_agent.as_ref())
            } else {
                HandoverDecision::Reject
            };
            handover::decide(turn, step, handover, decision, comment.as_deref())
        }
        Command::CancelHandover { step, handover } => handover::cancel(turn, step, handover),
        Command::AddNote {
            step,
            content,
            attachment_ids,
        } => notes::add_to_step(turn, step, content, attachment_ids),
        Command::AddRequesterNote {
            content,
            attachment_ids,
        } => notes::add_as_requester(turn, content, attachment_ids),
        Command::AcknowledgeSla { step, notes } => sla::acknowledge(turn, step, notes.as_deref()),
        Command::CreateChangeRequest {
            proposed_form_values,
            proposed_attachment_ids,
            reason,
        } => change_request::create(
            turn,
            proposed_form_values,
            proposed_attachment_ids.as_deref(),
            reason,
        ),
        Command::ApproveChangeRequest {
            change_request,
            notes,
        } => change_request::approve(turn, change_request, notes.as_deref()),
        Command::RejectChangeRequest {
            change_request,
            notes,
        } => change_request::reject(turn, change_request, notes.as_deref()),
        Command::CancelChangeRequest { change_request } => change_request::cancel(turn, change_request),
        Command::Cancel { reason } => cancel::cancel(turn, reason.as_deref()),
        Command::FireTimers => fire_timers::fire(turn),
        Command::TakeUp => take_up::take_up(turn),
        Command::Create(_) | Command::Import(_) => {
            Err(Refusal::AlreadyExists("this ticket exists already".to_owned()).into())
        }
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
