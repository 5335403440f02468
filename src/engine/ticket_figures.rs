//! A ticket in numbers, for the figures over all tickets; pure, like the rest of the work index.

use super::responsibility;
use crate::domain::ticket::{
    ApprovalDecision, AssignmentStatus, HandoverStatus, InfoRequestStatus, Phase, Step, Ticket,
};
use crate::domain::work::TicketFigures;
use crate::domain::workflow::StepType;

/// The figures of `ticket`.
pub(super) fn derive(ticket: &Ticket) -> TicketFigures {
    let due = ticket
        .steps
        .iter()
        .filter(|step| ticket.is_live() && step.is_live() && !step.is_held());
    let approvals = |decision| {
        count(
            ticket
                .approval_tasks
                .iter()
                .filter(|task| task.decision == decision),
        )
    };
    let handovers = |status| {
        count(
            ticket
                .handovers
                .iter()
                .filter(|handover| handover.status == status),
        )
    };
    let questions = |status| count(ticket.info_requests.iter().filter(|info| info.status == status));
    let active = |status| status == AssignmentStatus::Active;
    TicketFigures {
        due_at: due.filter_map(|step| step.due_at).min(),
        approvals_pending: approvals(ApprovalDecision::Pending),
        approvals_approved: approvals(ApprovalDecision::Approved),
        approvals_rejected: approvals(ApprovalDecision::Rejected),
        handovers: count(ticket.handovers.iter()),
        handovers_pending: handovers(HandoverStatus::Pending),
        handovers_approved: handovers(HandoverStatus::Approved),
        handovers_rejected: handovers(HandoverStatus::Rejected),
        assignments: count(ticket.assignments.iter()),
        assignments_active: count(
            ticket
                .assignments
                .iter()
                .filter(|assignment| active(assignment.status)),
        ),
        questions_open: questions(InfoRequestStatus::Open),
        questions_answered: questions(InfoRequestStatus::Responded),
        tasks: steps(ticket, StepType::Task, |_| true),
        tasks_open: steps(ticket, StepType::Task, |step| !step.phase.is_ended()),
        tasks_done: steps(ticket, StepType::Task, |step| step.phase == Phase::Completed),
        tasks_orphaned: steps(ticket, StepType::Task, |step| is_orphaned(ticket, step)),
        forms: steps(ticket, StepType::Form, |_| true),
        forms_open: steps(ticket, StepType::Form, |step| !step.phase.is_ended()),
        forms_done: steps(ticket, StepType::Form, |step| step.phase == Phase::Completed),
    }
}

fn steps(ticket: &Ticket, kind: StepType, wanted: impl Fn(&Step) -> bool) -> i32 {
    count(
        ticket
            .steps
            .iter()
            .filter(|step| step.kind == kind && wanted(step)),
    )
}

/// Whether an open task has no agent and nobody who may name one.
fn is_orphaned(ticket: &Ticket, step: &Step) -> bool {
    ticket.is_live()
        && step.is_live()
        && step.assignee.is_none()
        && responsibility::task_owners(ticket, step).is_empty()
}

fn count<T>(items: impl Iterator<Item = T>) -> i32 {
    i32::try_from(items.count()).unwrap_or(i32::MAX)
}
