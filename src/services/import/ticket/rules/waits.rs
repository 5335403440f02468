//! What the steps of a live ticket wait for: a change request, an answer, the end of a hold.

use super::super::draft::Draft;
use super::super::{LegacyTicket, id_of};
use crate::domain::id::TicketStepId;
use crate::domain::import::RepairRule;
use crate::domain::ticket::{ChangeRequestStatus, InfoRequestStatus, StepState, TargetRole};
use crate::domain::workflow::StepType;
use crate::repositories::legacy::LegacyCollection;
use std::collections::BTreeMap;

/// At most one change request is pending: the one that the ticket names, else the newest.
pub(super) fn settle_change_requests(draft: &mut Draft<'_>) {
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
pub(super) fn settle_holds(draft: &mut Draft<'_>) {
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
pub(super) fn settle_questions(draft: &mut Draft<'_>) {
    let mut newest: BTreeMap<TicketStepId, usize> = BTreeMap::new();
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
    legacy: &LegacyTicket,
    states: &BTreeMap<TicketStepId, StepState>,
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
    let document = steps.find(|step| id_of(*step, "ticket_step_id") == id.as_str());
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
pub(super) fn settle_pauses(draft: &mut Draft<'_>) {
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
pub(super) fn settle_states(draft: &mut Draft<'_>) {
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
