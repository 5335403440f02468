//! The named repairs of one ticket; each says what the reference's defect had left, `domain/import.rs` names the hazard.

use super::draft::Draft;
use crate::domain::id::TicketStepId;
use crate::domain::import::RepairRule;
use crate::domain::ticket::{
    ApprovalDecision, AssignmentStatus, BranchState, ChangeRequestStatus, HandoverStatus, InfoRequestStatus,
    JoinProgress, Outcome, Phase, StepState, TargetRole, TicketStatus,
};
use crate::domain::time::Timestamp;
use crate::domain::workflow::StepType;
use crate::repositories::legacy::LegacyCollection;

/// Applies every rule: first whether the ticket lives, then what belongs to what.
pub(super) fn apply(draft: &mut Draft<'_>) {
    restore_the_end(draft);
    cancel_an_orphan(draft);
    if draft.ticket.status.is_terminal() {
        end_with_the_ticket(draft);
    } else {
        settle_change_requests(draft);
        settle_holds(draft);
        settle_questions(draft);
        settle_pauses(draft);
        settle_states(draft);
    }
    settle_votes(draft);
    settle_assignments(draft);
    settle_handovers(draft);
    if draft.ticket.is_live() {
        let derived = draft.ticket.derived_status();
        if derived != draft.ticket.status {
            draft.ticket.status = derived;
            let id = draft.ticket.id.to_string();
            draft.touch(RepairRule::StatusRecomputed, id);
        }
    }
}

/// A ticket with an end that is live was revived; the last event that ends tickets says how it had ended.
fn restore_the_end(draft: &mut Draft<'_>) {
    if draft.ticket.status.is_terminal() || draft.ticket.completed_at.is_none() {
        return;
    }
    let mut ends: Vec<(Timestamp, TicketStatus)> = Vec::new();
    for event in draft.legacy.all(LegacyCollection::AuditEvents) {
        let status = match event.text("event_type") {
            Some("CANCEL_TICKET") => TicketStatus::Cancelled,
            Some("TICKET_COMPLETED") => TicketStatus::Completed,
            Some("REJECT") => TicketStatus::Rejected,
            Some("SKIP") => TicketStatus::Skipped,
            _ => continue,
        };
        ends.extend(event.instant("timestamp").map(|at| (at, status)));
    }
    let told = ends
        .into_iter()
        .max_by_key(|(at, _)| *at)
        .map(|(_, status)| status);
    let has = |phase: Phase| draft.ticket.steps.iter().any(|step| step.phase == phase);
    let status = told.unwrap_or(if has(Phase::Rejected) {
        TicketStatus::Rejected
    } else if has(Phase::Skipped) {
        TicketStatus::Skipped
    } else {
        TicketStatus::Completed
    });
    draft.ticket.status = status;
    let id = draft.ticket.id.to_string();
    draft.touch(RepairRule::RevivedTicket, id);
}

/// `CREATE_TICKET` is the last thing a creation records; without it and without open work the creation had failed.
fn cancel_an_orphan(draft: &mut Draft<'_>) {
    if draft.ticket.status.is_terminal() {
        return;
    }
    let mut events = draft.legacy.all(LegacyCollection::AuditEvents);
    let was_created = events.any(|event| event.text("event_type") == Some("CREATE_TICKET"));
    let has_open_work = draft
        .ticket
        .steps
        .iter()
        .any(crate::domain::ticket::Step::is_live);
    if was_created || has_open_work {
        return;
    }
    draft.ticket.status = TicketStatus::Cancelled;
    draft.ticket.completed_at = Some(draft.ticket.created_at);
    let id = draft.ticket.id.to_string();
    draft.touch(RepairRule::OrphanOfFailedCreation, id);
}

/// Everything open ends with the ticket: as skipped what was live when it was cancelled, else as cancelled.
fn end_with_the_ticket(draft: &mut Draft<'_>) {
    let ended_at = draft.ended_at();
    let was_cancelled = draft.ticket.status == TicketStatus::Cancelled;
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    for step in &mut draft.ticket.steps {
        let (phase, outcome) = match step.phase {
            Phase::Live if was_cancelled => (Phase::Skipped, Outcome::Skipped),
            Phase::Live | Phase::NotStarted => (Phase::Cancelled, Outcome::Cancelled),
            Phase::Completed | Phase::Rejected | Phase::Skipped | Phase::Cancelled => continue,
        };
        step.phase = phase;
        step.outcome = Some(outcome);
        step.completed_at = Some(ended_at.max(step.started_at.unwrap_or(ended_at)));
        touched.push((RepairRule::StepOutlivedTicket, step.id.to_string()));
    }
    for step in &mut draft.ticket.steps {
        if let Some(hold) = step.hold.as_mut().filter(|hold| hold.resumed_at.is_none()) {
            hold.resumed_at = step.completed_at;
        }
    }
    for request in &mut draft.ticket.change_requests {
        if request.status == ChangeRequestStatus::Pending {
            request.status = ChangeRequestStatus::Cancelled;
            request.reviewed_at = Some(ended_at);
            touched.push((RepairRule::ChangeRequestOutlivedTicket, request.id.to_string()));
        }
    }
    if draft.legacy.fields().text("pending_change_request_id").is_some() {
        touched.push((
            RepairRule::ChangeRequestOutlivedTicket,
            draft.ticket.id.to_string(),
        ));
    }
    for fork in &mut draft.ticket.forks {
        if fork.progress == JoinProgress::Waiting {
            fork.progress = JoinProgress::Impossible;
        }
        let key = fork.fork_key.clone();
        for branch in fork.branches.iter_mut().filter(|branch| !branch.state.is_ended()) {
            branch.state = BranchState::Cancelled;
            branch.current_step_id = None;
            branch.completed_at = Some(ended_at.max(branch.started_at));
            touched.push((RepairRule::BranchOutlivedTicket, format!("{key}/{}", branch.key)));
        }
    }
    for info in &mut draft.ticket.info_requests {
        if info.status == InfoRequestStatus::Open {
            info.status = InfoRequestStatus::Cancelled;
            info.responded_at = Some(ended_at.max(info.requested_at));
            touched.push((RepairRule::QuestionOutlivedStep, info.id.to_string()));
        }
    }
    if draft.ticket.drop_pending_ends() {
        touched.push((RepairRule::StepOutlivedTicket, draft.ticket.id.to_string()));
    }
    for (rule, subject) in touched {
        draft.touch(rule, subject);
    }
}

/// At most one change request is pending: the one that the ticket names, else the newest.
fn settle_change_requests(draft: &mut Draft<'_>) {
    let named = draft
        .legacy
        .fields()
        .text("pending_change_request_id")
        .map(ToOwned::to_owned);
    let pending: Vec<usize> = draft
        .ticket
        .change_requests
        .iter()
        .enumerate()
        .filter(|(_, request)| request.status == ChangeRequestStatus::Pending)
        .map(|(at, _)| at)
        .collect();
    let kept = pending
        .iter()
        .copied()
        .find(|at| {
            let request = draft.ticket.change_requests.get(*at);
            request.is_some_and(|request| Some(request.id.as_str()) == named.as_deref())
        })
        .or_else(|| pending.last().copied());
    let mut touched = Vec::new();
    for at in pending {
        if Some(at) == kept {
            continue;
        }
        if let Some(request) = draft.ticket.change_requests.get_mut(at) {
            request.status = ChangeRequestStatus::Cancelled;
            request.reviewed_at = Some(request.updated_at);
            touched.push(request.id.to_string());
        }
    }
    for id in touched {
        draft.touch(RepairRule::SecondPendingChangeRequest, id);
    }
    let kept = draft
        .ticket
        .pending_change_request()
        .map(|request| request.id.to_string());
    if kept != named {
        let rule = if kept.is_none() {
            RepairRule::PauseWithoutChangeRequest
        } else {
            RepairRule::SecondPendingChangeRequest
        };
        let id = draft.ticket.id.to_string();
        draft.touch(rule, id);
    }
}

/// Only tasks can be held; nobody could resume anything else.
fn settle_holds(draft: &mut Draft<'_>) {
    let mut touched = Vec::new();
    for step in draft.ticket.steps.iter_mut().filter(|step| step.is_live()) {
        let is_open = step.hold.as_ref().is_some_and(|hold| hold.resumed_at.is_none());
        if is_open && step.kind != StepType::Task {
            if let Some(hold) = step.hold.as_mut() {
                hold.resumed_at = Some(hold.held_at);
            }
            touched.push(step.id.to_string());
        }
    }
    for id in touched {
        draft.touch(RepairRule::HoldOfNoTask, id);
    }
}

/// At most one question is open on a live step, and exactly when the step waits for it.
fn settle_questions(draft: &mut Draft<'_>) {
    let mut newest: std::collections::BTreeMap<TicketStepId, usize> = std::collections::BTreeMap::new();
    for (at, info) in draft.ticket.info_requests.iter().enumerate() {
        if info.status == InfoRequestStatus::Open {
            newest.insert(info.ticket_step_id.clone(), at);
        }
    }
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    let steps = &draft.ticket.steps;
    for (at, info) in draft.ticket.info_requests.iter_mut().enumerate() {
        if info.status != InfoRequestStatus::Open {
            continue;
        }
        let step = steps.iter().find(|step| step.id == info.ticket_step_id);
        let rule = match step {
            Some(step) if step.is_live() => {
                let waits = waits_for_an_answer(draft.legacy, &draft.states, &step.id);
                if newest.get(&step.id) != Some(&at) {
                    RepairRule::SecondOpenQuestion
                } else if !waits {
                    RepairRule::QuestionNobodyWaitsFor
                } else {
                    continue;
                }
            }
            Some(_) | None => RepairRule::QuestionOutlivedStep,
        };
        let ended = step
            .and_then(|step| step.completed_at)
            .unwrap_or(info.requested_at);
        info.status = InfoRequestStatus::Cancelled;
        info.responded_at = Some(ended.max(info.requested_at));
        touched.push((rule, info.id.to_string()));
    }
    for (rule, subject) in touched {
        draft.touch(rule, subject);
    }
    match_waits(draft);
}

/// A step waits, or waited before it was held or paused.
fn waits_for_an_answer(
    legacy: &super::LegacyTicket,
    states: &std::collections::BTreeMap<TicketStepId, StepState>,
    id: &TicketStepId,
) -> bool {
    let is_wait =
        |state: StepState| matches!(state, StepState::WaitingForRequester | StepState::WaitingForAgent);
    let state = states.get(id).copied();
    if state.is_some_and(is_wait) {
        return true;
    }
    let hides = matches!(state, Some(StepState::OnHold | StepState::WaitingForCr));
    let mut steps = legacy.all(LegacyCollection::TicketSteps);
    let document = steps.find(|step| super::id_of(*step, "ticket_step_id") == id.as_str());
    let before = document.and_then(|step| step.word::<StepState>("previous_state"));
    // The one slot is overwritten by whatever came last (S8): below a hold or a pause an open question counts.
    hides
        && before.is_none_or(|before| {
            is_wait(before) || before == StepState::WaitingForCr || before == StepState::OnHold
        })
}

/// Steps that wait without a question go on; steps that wait for somebody else wait for who was asked.
fn match_waits(draft: &mut Draft<'_>) {
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    let mut roles: Vec<(String, TargetRole)> = Vec::new();
    for step in draft.ticket.steps.iter().filter(|step| step.is_live()) {
        let state = draft.states.get(&step.id).copied();
        let question = draft.ticket.open_question(&step.id);
        match (state, question) {
            (Some(StepState::WaitingForRequester | StepState::WaitingForAgent), None) => {
                touched.push((RepairRule::WaitWithoutQuestion, step.id.to_string()));
            }
            (Some(StepState::WaitingForRequester | StepState::WaitingForAgent), Some(question)) => {
                if draft.ticket.state_of(step) != state.unwrap_or(StepState::Active) {
                    touched.push((RepairRule::WaitForSomebodyElse, step.id.to_string()));
                    if question.requested_from.is_same(&draft.ticket.requester) {
                        roles.push((question.id.to_string(), TargetRole::Requester));
                    }
                }
            }
            (Some(_) | None, _) => {}
        }
    }
    for (id, role) in roles {
        let question = draft
            .ticket
            .info_requests
            .iter_mut()
            .find(|info| info.id.as_str() == id);
        if let Some(question) = question {
            question.target_role = role;
            touched.push((RepairRule::WaitForSomebodyElse, id));
        }
    }
    for (rule, subject) in touched {
        draft.touch(rule, subject);
    }
}

/// Live steps are paused exactly while a change request is pending; held ones stay held.
fn settle_pauses(draft: &mut Draft<'_>) {
    let since = draft
        .ticket
        .pending_change_request()
        .map(|request| request.requested_at);
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    for step in draft.ticket.steps.iter_mut().filter(|step| step.is_live()) {
        let was_paused = draft.states.get(&step.id) == Some(&StepState::WaitingForCr);
        let pauses = matches!(
            step.kind,
            StepType::Form | StepType::Approval | StepType::Task | StepType::SubWorkflow
        );
        match since {
            Some(at) if pauses && !step.is_held() => {
                step.paused_at = Some(at.max(step.started_at.unwrap_or(at)));
                if !was_paused {
                    touched.push((RepairRule::WorkThatEscapedThePause, step.id.to_string()));
                }
            }
            None if was_paused => {
                touched.push((RepairRule::PauseWithoutChangeRequest, step.id.to_string()));
            }
            Some(_) | None => {}
        }
    }
    for (rule, subject) in touched {
        draft.touch(rule, subject);
    }
}

/// What no other rule explains: a state that a step of this type cannot have.
fn settle_states(draft: &mut Draft<'_>) {
    let mut touched = Vec::new();
    for step in draft.ticket.steps.iter().filter(|step| step.is_live()) {
        let bare = matches!(
            draft.states.get(&step.id),
            Some(StepState::Active | StepState::WaitingForApproval | StepState::WaitingForBranches)
        );
        let mut plain = step.clone();
        plain.hold = None;
        plain.paused_at = None;
        if bare && Some(&plain.state(None)) != draft.states.get(&step.id) {
            touched.push(step.id.to_string());
        }
    }
    for id in touched {
        draft.touch(RepairRule::StateOfAnotherType, id);
    }
}

/// Pending votes exist on live approvals only, one a person.
fn settle_votes(draft: &mut Draft<'_>) {
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
fn settle_assignments(draft: &mut Draft<'_>) {
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
        let is_agents = |other: &crate::domain::ticket::Assignment| {
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
fn settle_handovers(draft: &mut Draft<'_>) {
    let ended_at = draft.ended_at();
    let steps = &draft.ticket.steps;
    let all = draft.ticket.handovers.clone();
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    for (at, handover) in draft.ticket.handovers.iter_mut().enumerate() {
        if handover.status != HandoverStatus::Pending {
            continue;
        }
        let step = steps.iter().find(|step| step.id == handover.ticket_step_id);
        let is_agents = |step: &crate::domain::ticket::Step, by: &crate::domain::person::Person| {
            step.assignee.as_ref().is_some_and(|agent| agent.is_same(by))
        };
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
        let ended = ended.unwrap_or(if step.is_some_and(crate::domain::ticket::Step::is_live) {
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
