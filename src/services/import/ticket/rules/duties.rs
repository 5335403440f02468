//! Who has something to do: votes, assignments and handovers that count.

use super::super::draft::Draft;
use crate::domain::import::RepairRule;
use crate::domain::person::Person;
use crate::domain::ticket::{ApprovalDecision, Assignment, AssignmentStatus, HandoverStatus, Step};
use crate::domain::workflow::StepType;

/// Pending votes exist on live approvals only, one a person.
pub(super) fn settle_votes(draft: &mut Draft<'_>) {
    let ended_at = draft.ended_at();
    let steps = &draft.ticket.steps;
    let all = draft.ticket.approval_tasks.clone();
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    for (at, task) in draft.ticket.approval_tasks.iter_mut().enumerate() {
        if task.decision != ApprovalDecision::Pending {
            continue;
        }
        let step = steps.iter().find(|step| step.id == task.ticket_step_id);
        let rule = match step {
            Some(step) if step.is_live() => {
                let outvoted = all.iter().enumerate().any(|(other_at, other)| {
                    other.ticket_step_id == task.ticket_step_id
                        && other.approver.is_same(&task.approver)
                        && other_at != at
                        && (other_at < at && other.decision == ApprovalDecision::Pending
                            || !matches!(
                                other.decision,
                                ApprovalDecision::Pending | ApprovalDecision::Cancelled
                            ))
                });
                if !outvoted {
                    continue;
                }
                RepairRule::SameApproverTwice
            }
            Some(_) | None => RepairRule::VoteOutlivedStep,
        };
        let end = step.and_then(|step| step.completed_at);
        let end = end.unwrap_or(if rule == RepairRule::SameApproverTwice {
            task.created_at
        } else {
            ended_at
        });
        task.decision = ApprovalDecision::Cancelled;
        task.decided_at = Some(end.max(task.created_at));
        task.updated_at = task.decided_at;
        touched.push((rule, task.id.to_string()));
    }
    for (rule, subject) in touched {
        draft.touch(rule, subject);
    }
}

/// At most one assignment is active on a live task, and it is its agent's.
pub(super) fn settle_assignments(draft: &mut Draft<'_>) {
    let ended_at = draft.ended_at();
    let steps = &draft.ticket.steps;
    let all = draft.ticket.assignments.clone();
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    for (at, assignment) in draft.ticket.assignments.iter_mut().enumerate() {
        if assignment.status != AssignmentStatus::Active {
            continue;
        }
        let step = steps.iter().find(|step| step.id == assignment.ticket_step_id);
        let live = step.filter(|step| step.is_live());
        let Some(step) = live else {
            let end = step.and_then(|step| step.completed_at).unwrap_or(ended_at);
            assignment.status = AssignmentStatus::Completed;
            assignment.ended_at = Some(end.max(assignment.assigned_at));
            touched.push((RepairRule::AssignmentOutlivedStep, assignment.id.to_string()));
            continue;
        };
        let is_agents = |other: &Assignment| {
            step.assignee
                .as_ref()
                .is_some_and(|agent| agent.is_same(&other.assigned_to))
        };
        let rivals = all.iter().enumerate().filter(|(other_at, other)| {
            *other_at != at
                && other.status == AssignmentStatus::Active
                && other.ticket_step_id == assignment.ticket_step_id
        });
        // Of several of the agent's own the newest counts.
        let better = rivals
            .clone()
            .find(|(other_at, other)| is_agents(other) && (!is_agents(assignment) || *other_at > at));
        let rule = if is_agents(assignment) && better.is_none() {
            continue;
        } else if better.is_some() {
            RepairRule::SecondActiveAssignment
        } else {
            RepairRule::AssignmentNeverTookEffect
        };
        let end = better.map_or(assignment.assigned_at, |(_, other)| other.assigned_at);
        assignment.status = AssignmentStatus::Reassigned;
        assignment.ended_at = Some(end.max(assignment.assigned_at));
        touched.push((rule, assignment.id.to_string()));
    }
    for (rule, subject) in touched {
        draft.touch(rule, subject);
    }
}

/// At most one handover is pending on a live task, asked for by its agent.
pub(super) fn settle_handovers(draft: &mut Draft<'_>) {
    let ended_at = draft.ended_at();
    let steps = &draft.ticket.steps;
    let all = draft.ticket.handovers.clone();
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    for (at, handover) in draft.ticket.handovers.iter_mut().enumerate() {
        if handover.status != HandoverStatus::Pending {
            continue;
        }
        let step = steps.iter().find(|step| step.id == handover.ticket_step_id);
        let is_agents =
            |step: &Step, by: &Person| step.assignee.as_ref().is_some_and(|agent| agent.is_same(by));
        let rule = match step {
            Some(step) if step.is_live() && step.kind != StepType::Task => RepairRule::HandoverOfNoTask,
            Some(step) if step.is_live() => {
                let has_newer = all.iter().enumerate().any(|(other_at, other)| {
                    other_at > at
                        && other.status == HandoverStatus::Pending
                        && other.ticket_step_id == handover.ticket_step_id
                        && is_agents(step, &other.requested_by)
                });
                if !is_agents(step, &handover.requested_by) {
                    RepairRule::HandoverOfFormerAgent
                } else if has_newer {
                    RepairRule::SecondPendingHandover
                } else {
                    continue;
                }
            }
            Some(_) | None => RepairRule::HandoverOutlivedStep,
        };
        let ended = step.and_then(|step| step.completed_at);
        let ended = ended.unwrap_or(if step.is_some_and(Step::is_live) {
            handover.requested_at
        } else {
            ended_at
        });
        handover.status = HandoverStatus::Cancelled;
        handover.decided_at = Some(ended.max(handover.requested_at));
        touched.push((rule, handover.id.to_string()));
    }
    for (rule, subject) in touched {
        draft.touch(rule, subject);
    }
}
