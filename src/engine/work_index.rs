//! Derives what lists and queues select a ticket by; pure, so that the stored index always equals its recomputation.

use super::facts::Definitions;
use super::{permission_guard, responsibility};
use crate::domain::id::TicketStepId;
use crate::domain::person::{Person, PersonKey};
use crate::domain::ticket::{ApprovalDecision, HandoverStatus, InfoRequestStatus, StepState, Ticket};
use crate::domain::time::Timestamp;
pub use crate::domain::work::WorkIndex;
use crate::domain::work::{LiveStep, Queue, Shelf, WorkRow};
use crate::domain::workflow::StepType;
use std::collections::BTreeSet;

/// The work index of `ticket`.
///
/// `definitions` are the versions it runs, for what the aggregate does not repeat of them.
pub fn derive(ticket: &Ticket, _definitions: &Definitions) -> WorkIndex {
    let rows = if ticket.is_live() {
        open_work(ticket)
    } else {
        Vec::new()
    };
    let queues: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| row.who.iter().map(|person| row.queue.key(person)))
        .collect();
    WorkIndex {
        shelves: shelves(ticket),
        queues: queues.into_iter().collect(),
        rows,
        live: live_steps(ticket),
        status: ticket.status,
        workflow_id: ticket.workflow.workflow_id.clone(),
        has_pending_cr: ticket.pending_change_request().is_some(),
        created_at: ticket.created_at,
        updated_at: ticket.updated_at,
        next_timer_at: ticket.next_timer_at(),
        figures: super::ticket_figures::derive(ticket),
    }
}

/// The steps at which the ticket stands.
fn live_steps(ticket: &Ticket) -> Vec<LiveStep> {
    let live = ticket
        .steps
        .iter()
        .filter(|step| ticket.is_live() && step.is_live());
    live.map(|step| LiveStep {
        step: step.id.clone(),
        kind: step.kind,
        state: ticket.state_of(step),
        due_at: step.due_at,
        assignee: step.assignee.clone(),
    })
    .collect()
}

/// Where the ticket is listed as a whole.
fn shelves(ticket: &Ticket) -> Vec<String> {
    let decided = ticket.approval_tasks.iter().filter(|task| {
        matches!(
            task.decision,
            ApprovalDecision::Approved | ApprovalDecision::Rejected | ApprovalDecision::Skipped
        )
    });
    let managing = ticket
        .manager
        .iter()
        .chain(decided.map(|task| &task.approver))
        .chain(
            ticket
                .assignments
                .iter()
                .map(|assignment| &assignment.assigned_by),
        );
    let on = |shelf: Shelf, people: Vec<PersonKey>| people.into_iter().map(move |person| shelf.key(&person));
    on(Shelf::Mine, keys_of([&ticket.requester]))
        .chain(on(Shelf::Managed, keys_of(managing)))
        .chain(on(
            Shelf::Visible,
            keys_of(permission_guard::participants(ticket)),
        ))
        .collect()
}

fn open_work(ticket: &Ticket) -> Vec<WorkRow> {
    let mut rows = Vec::new();
    for task in ticket
        .approval_tasks
        .iter()
        .filter(|task| task.decision == ApprovalDecision::Pending)
    {
        if is_live(ticket, &task.ticket_step_id) {
            let step = Some(&task.ticket_step_id);
            rows.push(row(
                Queue::Approvals,
                [&task.approver],
                task.id.as_str(),
                step,
                Some(task.created_at),
            ));
        }
    }
    for step in ticket
        .steps
        .iter()
        .filter(|step| step.is_live() && step.kind == StepType::Task)
    {
        if let Some(agent) = &step.assignee {
            rows.push(row(
                Queue::Tasks,
                [agent],
                step.id.as_str(),
                Some(&step.id),
                step.due_at,
            ));
        } else if ticket.state_of(step) == StepState::Active {
            let owners = responsibility::task_owners(ticket, step);
            rows.push(row(
                Queue::Assignments,
                &owners,
                step.id.as_str(),
                Some(&step.id),
                step.due_at,
            ));
        }
    }
    for info in ticket
        .info_requests
        .iter()
        .filter(|info| info.status == InfoRequestStatus::Open)
    {
        let step = Some(&info.ticket_step_id);
        rows.push(row(
            Queue::Questions,
            [&info.requested_from],
            info.id.as_str(),
            step,
            Some(info.requested_at),
        ));
    }
    for handover in ticket
        .handovers
        .iter()
        .filter(|handover| handover.status == HandoverStatus::Pending)
    {
        let Some(step) = ticket.step(&handover.ticket_step_id) else {
            continue;
        };
        let owners = responsibility::task_owners(ticket, step);
        let deciders = owners
            .iter()
            .filter(|owner| !owner.is_same(&handover.requested_by));
        let (id, at) = (handover.id.as_str(), Some(handover.requested_at));
        rows.push(row(Queue::Handovers, deciders, id, Some(&step.id), at));
        rows.push(row(
            Queue::OwnHandovers,
            [&handover.requested_by],
            id,
            Some(&step.id),
            at,
        ));
    }
    if let Some(change) = ticket.pending_change_request() {
        rows.push(row(
            Queue::Reviews,
            [&change.assigned_to],
            change.id.as_str(),
            None,
            Some(change.requested_at),
        ));
    }
    // A task that nobody but an administrator may assign stands in nobody's queue.
    rows.retain(|row| !row.who.is_empty());
    rows
}

fn is_live(ticket: &Ticket, step: &TicketStepId) -> bool {
    ticket
        .step(step)
        .is_some_and(crate::domain::ticket::Step::is_live)
}

fn row<'a>(
    queue: Queue,
    people: impl IntoIterator<Item = &'a Person>,
    item: &str,
    step: Option<&TicketStepId>,
    at: Option<Timestamp>,
) -> WorkRow {
    WorkRow {
        queue,
        who: keys_of(people),
        item: item.to_owned(),
        step: step.cloned(),
        at,
    }
}

/// The keys of these people, sorted, no doubles.
fn keys_of<'a>(people: impl IntoIterator<Item = &'a Person>) -> Vec<PersonKey> {
    let keys: BTreeSet<PersonKey> = people.into_iter().flat_map(Person::keys).collect();
    keys.into_iter().collect()
}
