//! Derives what lists and queues select a ticket by; pure, so that the stored index always equals its recomputation.

use super::facts::Definitions;
use crate::domain::person::{Person, PersonKey};
use crate::domain::ticket::{ApprovalDecision, AssignmentStatus, InfoRequestStatus, Ticket};
pub use crate::domain::work::WorkIndex;
use std::collections::BTreeSet;

/// The work index of `ticket`.
///
/// `definitions` are the versions it runs, for what the aggregate does not repeat of them.
pub fn derive(ticket: &Ticket, _definitions: &Definitions) -> WorkIndex {
    WorkIndex {
        participants: participants(ticket),
        requester: keys_of([&ticket.requester]),
        approvers: pending_approvers(ticket),
        assignees: keys_of(
            ticket
                .assignments
                .iter()
                .filter(|assignment| assignment.status == AssignmentStatus::Active)
                .map(|assignment| &assignment.assigned_to),
        ),
        asked: keys_of(
            ticket
                .info_requests
                .iter()
                .filter(|info| info.status == InfoRequestStatus::Open)
                .map(|info| &info.requested_from),
        ),
        status: ticket.status,
        workflow_id: ticket.workflow.workflow_id.clone(),
        created_at: ticket.created_at,
        updated_at: ticket.updated_at,
        next_timer_at: ticket.next_timer_at(),
    }
}

/// Everybody who has or had a part in the ticket (contract engine-actions 10.2).
fn participants(ticket: &Ticket) -> Vec<PersonKey> {
    let questions = ticket
        .info_requests
        .iter()
        .flat_map(|info| [&info.requested_by, &info.requested_from]);
    let people = [&ticket.requester]
        .into_iter()
        .chain(&ticket.manager)
        .chain(ticket.approval_tasks.iter().map(|task| &task.approver))
        .chain(ticket.steps.iter().filter_map(|step| step.assignee.as_ref()))
        .chain(
            ticket
                .assignments
                .iter()
                .map(|assignment| &assignment.assigned_to),
        )
        .chain(questions)
        .chain(&ticket.watchers)
        .chain(ticket.change_requests.iter().map(|change| &change.assigned_to));
    keys_of(people)
}

fn pending_approvers(ticket: &Ticket) -> Vec<PersonKey> {
    let live = |id| ticket.step(id).is_some_and(crate::domain::ticket::Step::is_live);
    keys_of(
        ticket
            .approval_tasks
            .iter()
            .filter(|task| task.decision == ApprovalDecision::Pending && live(&task.ticket_step_id))
            .map(|task| &task.approver),
    )
}

/// The keys of these people, sorted, no doubles.
fn keys_of<'a>(people: impl IntoIterator<Item = &'a Person>) -> Vec<PersonKey> {
    let keys: BTreeSet<PersonKey> = people.into_iter().flat_map(Person::keys).collect();
    keys.into_iter().collect()
}
