//! Whether it is the time for an action of the right person: the state of the ticket and of the step.

use super::{StepAction, ended, is_pending_approver};
use crate::domain::person::Actor;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{InfoRequestStatus, Phase, Step, StepState, Ticket};
use crate::domain::workflow::StepType;

/// Whether the right person may do it now.
pub(super) fn check(ticket: &Ticket, actor: &Actor, action: StepAction, step: &Step) -> Result<(), Refusal> {
    if ticket.status.is_terminal() {
        return Err(ended());
    }
    if step.phase == Phase::NotStarted {
        return Err(Refusal::invalid_state("this step has not been reached yet"));
    }
    if step.phase.is_ended() {
        return Err(Refusal::invalid_state("this step has ended"));
    }
    let state = ticket.state_of(step);
    if ticket.pending_change_request().is_some() && !allowed_while_change_is_pending(ticket, action, step) {
        return Err(Refusal::invalid_state(
            "a change request is pending; work goes on when it is decided",
        ));
    }
    in_right_state(ticket, actor, action, step, state)
}

/// What goes on while a change request is pending (contract engine-actions 10.5).
fn allowed_while_change_is_pending(ticket: &Ticket, action: StepAction, step: &Step) -> bool {
    match action {
        StepAction::AddNote | StepAction::SaveDraft => true,
        StepAction::RespondInfo => ticket.open_question(&step.id).is_some(),
        StepAction::SubmitForm
        | StepAction::Approve
        | StepAction::Reject
        | StepAction::ApproverSkip
        | StepAction::ManagerSkip
        | StepAction::ReassignApproval
        | StepAction::CompleteTask
        | StepAction::Assign
        | StepAction::Reassign
        | StepAction::RequestInfo
        | StepAction::Hold
        | StepAction::Resume
        | StepAction::RequestHandover
        | StepAction::DecideHandover
        | StepAction::CancelHandover
        | StepAction::AcknowledgeSla => false,
    }
}

fn in_right_state(
    ticket: &Ticket,
    actor: &Actor,
    action: StepAction,
    step: &Step,
    state: StepState,
) -> Result<(), Refusal> {
    let waits_for_answer = matches!(state, StepState::WaitingForRequester | StepState::WaitingForAgent);
    let must = |right: bool, message: &str| {
        if right {
            Ok(())
        } else {
            Err(Refusal::invalid_state(message))
        }
    };
    match action {
        StepAction::SubmitForm => must(state == StepState::Active, "this form is not open"),
        StepAction::Approve | StepAction::Reject | StepAction::ApproverSkip => {
            must(
                is_pending_approver(ticket, &actor.person, step),
                "you have already decided on this step",
            )?;
            must(
                state == StepState::WaitingForApproval || waits_for_answer,
                "this step does not wait for an approval",
            )
        }
        StepAction::ReassignApproval => {
            must(
                is_pending_approver(ticket, &actor.person, step),
                "you have already decided on this step",
            )?;
            must(
                state == StepState::WaitingForApproval,
                "an approval can be passed on only while no question is open",
            )
        }
        StepAction::RequestInfo if step.kind == StepType::Approval => {
            if ticket.open_question(&step.id).is_some() {
                return Err(Refusal::InfoRequestOpen);
            }
            must(
                is_pending_approver(ticket, &actor.person, step),
                "you have already decided on this step",
            )?;
            must(
                state == StepState::WaitingForApproval,
                "this step does not wait for an approval",
            )
        }
        StepAction::RequestInfo => {
            if ticket.open_question(&step.id).is_some() {
                return Err(Refusal::InfoRequestOpen);
            }
            must(
                state == StepState::Active,
                "a question can be asked only on an active task",
            )
        }
        StepAction::RespondInfo => {
            let open = ticket
                .open_question(&step.id)
                .is_some_and(|info| info.status == InfoRequestStatus::Open);
            must(open, "no question is open on this step")
        }
        StepAction::CompleteTask => must(state == StepState::Active, "this task is not active"),
        StepAction::Assign => {
            must(state == StepState::Active, "this task is not active")?;
            must(
                step.assignee.is_none(),
                "this task is already assigned; reassign it instead",
            )
        }
        StepAction::Reassign => {
            must(state == StepState::Active, "this task is not active")?;
            must(step.assignee.is_some(), "this task has not been assigned yet")
        }
        StepAction::Hold => must(
            state == StepState::Active,
            "only an active task can be put on hold",
        ),
        StepAction::Resume => must(state == StepState::OnHold, "this task is not on hold"),
        StepAction::RequestHandover => must(
            ticket.pending_handover(&step.id).is_none(),
            "a handover of this task is already requested",
        ),
        StepAction::ManagerSkip => must(
            matches!(state, StepState::Active | StepState::OnHold) || waits_for_answer,
            "this step cannot be skipped now",
        ),
        StepAction::DecideHandover
        | StepAction::CancelHandover
        | StepAction::SaveDraft
        | StepAction::AddNote
        | StepAction::AcknowledgeSla => Ok(()),
    }
}
