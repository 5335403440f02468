//! Who may do what to which step, and when: the one place that answers it. Every path that decides anything asks here,
//! and the actions offered to a person are computed by asking the same questions.
//!
//! The wrong person is refused with [`Refusal::PermissionDenied`], the right person at the wrong time with
//! [`Refusal::InvalidState`] (design 8; contract engine-actions 2 and 10).

mod timing;

use super::responsibility;
use crate::domain::id::ChangeRequestId;
use crate::domain::person::{Actor, Person};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, ChangeRequestStatus, Step, Ticket};
use crate::domain::workflow::StepType;

/// An action on one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is named like the command it stands for")]
pub enum StepAction {
    SubmitForm,
    Approve,
    Reject,
    ApproverSkip,
    ManagerSkip,
    ReassignApproval,
    CompleteTask,
    SaveDraft,
    Assign,
    Reassign,
    RequestInfo,
    RespondInfo,
    Hold,
    Resume,
    RequestHandover,
    DecideHandover,
    CancelHandover,
    AddNote,
    AcknowledgeSla,
}

/// An action on the ticket as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named like the command it stands for")]
pub enum TicketAction {
    Cancel,
    AddRequesterNote,
    CreateChangeRequest,
    DecideChangeRequest(ChangeRequestId),
    CancelChangeRequest(ChangeRequestId),
}

/// The actions that a client is offered (contract engine-actions 2.3), in their order on the wire.
pub const OFFERED: [(StepAction, &str); 8] = [
    (StepAction::SubmitForm, "submit_form"),
    (StepAction::Approve, "approve"),
    (StepAction::Reject, "reject"),
    (StepAction::CompleteTask, "complete_task"),
    (StepAction::RequestInfo, "request_info"),
    (StepAction::RespondInfo, "respond_info"),
    (StepAction::Assign, "assign"),
    (StepAction::Reassign, "reassign"),
];

/// Whether `actor` may do `action` to `step` now.
///
/// # Errors
/// See the module's description.
pub fn check_step(ticket: &Ticket, actor: &Actor, action: StepAction, step: &Step) -> Result<(), Refusal> {
    is_right_person(ticket, actor, action, step)?;
    timing::check(ticket, actor, action, step)
}

/// Whether `actor` may do `action` to the ticket now.
///
/// # Errors
/// See the module's description.
pub fn check_ticket(ticket: &Ticket, actor: &Actor, action: &TicketAction) -> Result<(), Refusal> {
    let person = &actor.person;
    let request = |id: &ChangeRequestId| {
        ticket.change_request(id).ok_or(Refusal::NotFound {
            what: "change request",
        })
    };
    let right = match action {
        TicketAction::Cancel | TicketAction::AddRequesterNote | TicketAction::CreateChangeRequest => {
            ticket.requester.is_same(person)
        }
        TicketAction::DecideChangeRequest(id) => request(id)?.assigned_to.is_same(person),
        TicketAction::CancelChangeRequest(id) => request(id)?.requested_by.is_same(person),
    };
    if !right {
        return Err(Refusal::PermissionDenied(
            "this action on the ticket is not yours to take",
        ));
    }
    if ticket.status.is_terminal() {
        return Err(ended());
    }
    match action {
        TicketAction::Cancel | TicketAction::AddRequesterNote | TicketAction::CreateChangeRequest => Ok(()),
        TicketAction::DecideChangeRequest(id) | TicketAction::CancelChangeRequest(id) => {
            if request(id)?.status == ChangeRequestStatus::Pending {
                Ok(())
            } else {
                Err(Refusal::invalid_state(
                    "this change request has already been decided",
                ))
            }
        }
    }
}

/// The actions a person is offered on a step, as written on the wire.
pub fn available_actions(ticket: &Ticket, actor: &Actor, step: &Step) -> Vec<&'static str> {
    // What does not exist on such a step is left out before a refusal is worded for it.
    let offered = OFFERED.iter().filter(|(action, _)| {
        applies_to(*action, step.kind) && check_step(ticket, actor, *action, step).is_ok()
    });
    offered.map(|(_, name)| *name).collect()
}

/// Whether `actor` may see the ticket with its files, change requests and versions (contract engine-actions 10.2).
pub fn may_see(ticket: &Ticket, actor: &Actor) -> bool {
    actor.is_admin() || participants(ticket).any(|participant| participant.is_same(&actor.person))
}

/// Everybody who has or had a part in the ticket; one person may come more than once.
pub fn participants(ticket: &Ticket) -> impl Iterator<Item = &Person> {
    let steps = ticket.steps.iter().filter_map(|step| step.assignee.as_ref());
    let approvers = ticket.approval_tasks.iter().map(|task| &task.approver);
    let agents = ticket
        .assignments
        .iter()
        .map(|assignment| &assignment.assigned_to);
    let questions = ticket
        .info_requests
        .iter()
        .flat_map(|info| [&info.requested_by, &info.requested_from]);
    let reviewers = ticket.change_requests.iter().map(|request| &request.assigned_to);
    let handovers = ticket
        .handovers
        .iter()
        .filter_map(|handover| handover.new_assignee.as_ref());
    std::iter::once(&ticket.requester)
        .chain(&ticket.manager)
        .chain(steps)
        .chain(approvers)
        .chain(agents)
        .chain(questions)
        .chain(reviewers)
        .chain(handovers)
        .chain(&ticket.watchers)
}

fn ended() -> Refusal {
    Refusal::invalid_state("this ticket has ended")
}

/// Whether the action is this person's at all, whatever the time.
fn is_right_person(ticket: &Ticket, actor: &Actor, action: StepAction, step: &Step) -> Result<(), Refusal> {
    if !applies_to(action, step.kind) {
        return if may_see(ticket, actor) {
            Err(Refusal::InvalidState(format!(
                "this action does not exist on a step of type {}",
                step.kind.as_str()
            )))
        } else {
            Err(Refusal::PermissionDenied("this ticket is not yours to act on"))
        };
    }
    let person = &actor.person;
    let is_assignee = is(person, step.assignee.as_ref());
    let is_manager = is(person, ticket.manager.as_ref());
    let (right, message) = match action {
        StepAction::SubmitForm => (
            ticket.requester.is_same(person),
            "only the requester may submit this form",
        ),
        StepAction::Approve
        | StepAction::Reject
        | StepAction::ApproverSkip
        | StepAction::ReassignApproval => (
            is_approver(ticket, person, step),
            "only an approver of this step may do this",
        ),
        StepAction::CompleteTask
        | StepAction::SaveDraft
        | StepAction::Hold
        | StepAction::RequestHandover
        | StepAction::AcknowledgeSla => (is_assignee, "only the person assigned to this step may do this"),
        StepAction::Resume => (
            is_assignee || is_manager,
            "only the assigned agent or the manager may resume this step",
        ),
        StepAction::Assign | StepAction::Reassign => (
            owns_task(ticket, actor, step),
            "only the manager or the responsible approver may assign this task",
        ),
        StepAction::DecideHandover => (
            owns_task(ticket, actor, step) && !asked_for_handover(ticket, person, step),
            "only the manager or the responsible approver may decide this handover, and not the one who asked for it",
        ),
        StepAction::CancelHandover => (
            ticket
                .handovers
                .iter()
                .any(|h| h.ticket_step_id == step.id && h.requested_by.is_same(person)),
            "only the agent who asked for the handover may withdraw it",
        ),
        StepAction::RequestInfo => (
            if step.kind == StepType::Approval {
                is_approver(ticket, person, step)
            } else {
                is_assignee
            },
            "only the person who works on this step may ask",
        ),
        StepAction::RespondInfo => (
            was_asked(ticket, person, step),
            "only the person who was asked may answer",
        ),
        StepAction::AddNote => (
            may_note(ticket, person, step),
            "only the people who work on this step may add notes",
        ),
        StepAction::ManagerSkip => (
            (is_manager || actor.is_admin()) && !is_approver(ticket, person, step),
            "only the manager or an administrator may skip this step",
        ),
    };
    if right {
        Ok(())
    } else {
        Err(Refusal::PermissionDenied(message))
    }
}

/// Whether somebody is named, and it is this person.
fn is(person: &Person, named: Option<&Person>) -> bool {
    named.is_some_and(|named| named.is_same(person))
}

/// Whether an action exists on steps of this type.
fn applies_to(action: StepAction, kind: StepType) -> bool {
    match action {
        StepAction::SubmitForm => kind == StepType::Form,
        StepAction::Approve
        | StepAction::Reject
        | StepAction::ApproverSkip
        | StepAction::ReassignApproval => kind == StepType::Approval,
        StepAction::CompleteTask
        | StepAction::SaveDraft
        | StepAction::Assign
        | StepAction::Reassign
        | StepAction::Hold
        | StepAction::Resume
        | StepAction::RequestHandover
        | StepAction::DecideHandover
        | StepAction::CancelHandover => kind == StepType::Task,
        StepAction::RequestInfo | StepAction::RespondInfo => {
            matches!(kind, StepType::Approval | StepType::Task)
        }
        StepAction::AddNote => matches!(kind, StepType::Form | StepType::Approval | StepType::Task),
        StepAction::ManagerSkip => matches!(kind, StepType::Form | StepType::Task),
        StepAction::AcknowledgeSla => matches!(kind, StepType::Form | StepType::Approval | StepType::Task),
    }
}

/// Whether the task is this person's to assign; an administrator's, when it is nobody else's (design 10.4).
fn owns_task(ticket: &Ticket, actor: &Actor, step: &Step) -> bool {
    let owners = responsibility::task_owners(ticket, step);
    owners.iter().any(|owner| owner.is_same(&actor.person)) || (owners.is_empty() && actor.is_admin())
}

fn is_approver(ticket: &Ticket, person: &Person, step: &Step) -> bool {
    ticket
        .approval_tasks_of(&step.id)
        .any(|task| task.approver.is_same(person))
}

fn is_pending_approver(ticket: &Ticket, person: &Person, step: &Step) -> bool {
    let mut tasks = ticket.approval_tasks_of(&step.id);
    tasks.any(|task| task.decision == ApprovalDecision::Pending && task.approver.is_same(person))
}

fn asked_for_handover(ticket: &Ticket, person: &Person, step: &Step) -> bool {
    ticket
        .pending_handover(&step.id)
        .is_some_and(|handover| handover.requested_by.is_same(person))
}

/// Whether the person is the target of the open question, or of an earlier one when none is open.
fn was_asked(ticket: &Ticket, person: &Person, step: &Step) -> bool {
    match ticket.open_question(&step.id) {
        Some(open) => open.requested_from.is_same(person),
        None => ticket
            .info_requests
            .iter()
            .any(|info| info.ticket_step_id == step.id && info.requested_from.is_same(person)),
    }
}

fn may_note(ticket: &Ticket, person: &Person, step: &Step) -> bool {
    let is_assignee = is(person, step.assignee.as_ref());
    let is_manager = is(person, ticket.manager.as_ref());
    let is_paused = ticket.pending_change_request().is_some();
    let while_paused = is_paused && ticket.requester.is_same(person);
    match step.kind {
        StepType::Approval => is_assignee || is_manager || while_paused || is_approver(ticket, person, step),
        StepType::Task => {
            is_assignee || is_manager || while_paused || responsibility::has_approved(ticket, person)
        }
        // A form has no activity log; while a change of it is reviewed those concerned may talk about it.
        StepType::Form => is_paused && (is_manager || while_paused),
        StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => false,
    }
}
