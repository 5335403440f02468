//! The end of a ticket: everything open is closed, the terminal status is written once, and those concerned are told
//! once each (contract engine-core 10, HZ-15b, HZ-26b, HZ-42; engine-actions S4 to S6).

use super::closing::{Ending, end_step};
use super::decision::Undecided;
use super::failures::{self, Failure};
use super::notices::Message;
use super::steps::notify;
use super::turn::Turn;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{BranchState, ChangeRequestStatus, JoinProgress, Phase, TicketStatus};
use crate::domain::workflow::StepType;
use crate::engine::decision::Effect;
use crate::engine::definition::StepKind;
use serde_json::json;

/// The workflow has reached its end.
pub(super) fn complete_ticket(turn: &mut Turn<'_>) -> Result<(), Refusal> {
    close_everything(turn, Ending::CANCELLED)?;
    finish(turn, TicketStatus::Completed);
    turn.audit(AuditEventType::TicketCompleted, None, json!({}));
    let requester = turn.ticket.requester.clone();
    let told_by_a_step = turn.effects().iter().any(|effect| {
        matches!(effect, Effect::Notice(notice)
            if notice.template == TemplateKey::TicketCompleted && notice.recipient.is_same(&requester))
    });
    if !told_by_a_step {
        let message = Message::new(
            TemplateKey::TicketCompleted,
            "Request completed",
            format!("\"{}\" is completed.", turn.ticket.title),
            json!({"completion_time": turn.now().to_wire()}),
        );
        turn.notify(&requester, &message);
    }
    Ok(())
}

/// A rejection or a skip ends the ticket; whom its notifications would have told are told of that instead.
pub(super) fn fail_ticket(turn: &mut Turn<'_>, failure: &Failure) -> Result<(), Undecided> {
    let recipients = recipients_of_notifications(turn)?;
    close_everything(turn, Ending::CANCELLED)?;
    let status = failure.kind.ticket_status();
    finish(turn, status);
    let message = failures::record_end(turn, failure);
    let requester = turn.ticket.requester.clone();
    turn.notify(&requester, &message);
    let addresses: Vec<_> = recipients.iter().map(|person| person.email.clone()).collect();
    for person in &recipients {
        turn.notify(person, &message);
    }
    if !addresses.is_empty() {
        turn.audit(
            AuditEventType::NotifySent,
            None,
            json!({"outcome": status, "recipients": addresses}),
        );
    }
    Ok(())
}

/// The requester cancels: what was live is skipped, what was never reached is cancelled (design 8).
pub(super) fn cancel_ticket(turn: &mut Turn<'_>, reason: Option<&str>) -> Result<(), Refusal> {
    let concerned = people_at_work(turn);
    let actor = turn.actor().person.clone();
    close_everything(turn, Ending::SKIPPED)?;
    finish(turn, TicketStatus::Cancelled);
    turn.audit(AuditEventType::CancelTicket, None, json!({"reason": reason}));
    let message = Message::new(
        TemplateKey::TicketCancelled,
        "Request cancelled",
        format!("{} cancelled \"{}\".", actor.display_name, turn.ticket.title),
        json!({"cancelled_by": actor.display_name, "reason": reason}),
    );
    turn.notify_others(&concerned, &message.by(&actor));
    Ok(())
}

/// Whoever works on the ticket now: assignees and pending approvers of live steps, the reviewer of a change request.
fn people_at_work(turn: &Turn<'_>) -> Vec<Person> {
    let ticket = &turn.ticket;
    let live: Vec<_> = ticket.steps.iter().filter(|step| step.is_live()).collect();
    let assignees = live.iter().filter_map(|step| step.assignee.clone());
    let approvers = live
        .iter()
        .flat_map(|step| ticket.approval_tasks_of(&step.id))
        .map(|task| task.approver.clone());
    let reviewer = ticket
        .pending_change_request()
        .map(|request| request.assigned_to.clone());
    assignees.chain(approvers).chain(reviewer).collect()
}

/// Whom the notification steps that were not reached would have told.
fn recipients_of_notifications(turn: &Turn<'_>) -> Result<Vec<Person>, Undecided> {
    let mut words = Vec::new();
    let waiting = turn
        .ticket
        .steps
        .iter()
        .filter(|step| step.phase == Phase::NotStarted);
    for step in waiting.filter(|step| step.kind == StepType::Notify) {
        if let StepKind::Notify(notification) = &turn.definition_of(step)?.kind {
            words.extend(notification.recipients.iter().cloned());
        }
    }
    if words.is_empty() {
        return Ok(Vec::new());
    }
    Ok(notify::recipients(turn, &words))
}

/// Ends every step, branch, timer and change request that is still open; live steps end as `live` says.
fn close_everything(turn: &mut Turn<'_>, live: Ending) -> Result<(), Refusal> {
    let open: Vec<(TicketStepId, Phase)> = turn
        .ticket
        .steps
        .iter()
        .filter(|step| !step.phase.is_ended())
        .map(|step| (step.id.clone(), step.phase))
        .collect();
    for (id, phase) in open {
        end_step(
            turn,
            &id,
            if phase == Phase::Live {
                live
            } else {
                Ending::CANCELLED
            },
        )?;
    }
    let now = turn.now();
    for fork in &mut turn.ticket.forks {
        if fork.progress == JoinProgress::Waiting {
            fork.progress = JoinProgress::Impossible;
        }
        for branch in fork
            .branches
            .iter_mut()
            .filter(|branch| branch.state == BranchState::Active)
        {
            branch.end(BranchState::Cancelled, now);
        }
    }
    turn.ticket.drop_pending_ends();
    turn.ticket.timers.clear();
    close_change_request(turn);
    Ok(())
}

/// A ticket that ends takes its pending change request along (S4).
fn close_change_request(turn: &mut Turn<'_>) {
    let now = turn.now();
    let requests = &mut turn.ticket.change_requests;
    let pending = requests
        .iter_mut()
        .find(|request| request.status == ChangeRequestStatus::Pending);
    let Some(request) = pending else { return };
    request.status = ChangeRequestStatus::Cancelled;
    request.updated_at = now;
    let details = json!({"change_request_id": request.id});
    turn.audit(AuditEventType::ChangeRequestCancelled, None, details);
}

fn finish(turn: &mut Turn<'_>, status: TicketStatus) {
    turn.ticket.status = status;
    turn.ticket.completed_at = Some(turn.now());
}
