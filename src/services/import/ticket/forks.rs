//! Forks with their branches. The reference keeps one list for the whole ticket, which a join empties and a nested fork
//! overwrites; what it no longer says is concluded from the steps.

use super::draft::Draft;
use crate::domain::id::{BranchKey, StepKey, TicketStepId};
use crate::domain::import::RepairRule;
use crate::domain::ticket::{
    Branch, BranchRef, BranchState, ForkActivation, JoinProgress, Phase, Step, Ticket,
};
use crate::domain::workflow::StepType;
use crate::engine::definition::StepKind;
use crate::repositories::legacy::Fields;

/// Reads every fork that was activated, the oldest first.
pub(super) fn read(draft: &mut Draft<'_>) {
    let forks: Vec<Step> = draft
        .ticket
        .steps
        .iter()
        .filter(|step| step.kind == StepType::Fork && was_activated(&draft.ticket, step))
        .cloned()
        .collect();
    let mut activations: Vec<ForkActivation> = Vec::new();
    for fork in &forks {
        let activation = activation(draft, fork);
        activations.push(activation);
    }
    activations.sort_by_key(|activation| activation.branches.iter().map(|branch| branch.started_at).min());
    draft.ticket.forks = activations;
    let pending = draft.legacy.fields().text("pending_end_step_id");
    let pending = pending.map(TicketStepId::from_stored);
    let waiting = pending
        .and_then(|id| draft.ticket.step(&id))
        .filter(|step| step.phase == Phase::NotStarted)
        .map(|step| (step.container.clone(), step.id.clone()));
    if let Some((container, end)) = waiting {
        draft.ticket.set_pending_end(container.as_ref(), Some(end));
    }
}

/// A branch as the reference's list has it.
struct Listed<'a>(Fields<'a>);

impl Listed<'_> {
    fn state(&self) -> Option<BranchState> {
        self.0.word("state")
    }
}

fn was_activated(ticket: &Ticket, fork: &Step) -> bool {
    fork.phase == Phase::Completed
        || ticket
            .steps
            .iter()
            .any(|step| step.branch.as_ref().is_some_and(|at| at.fork == fork.id))
}

fn activation(draft: &mut Draft<'_>, fork: &Step) -> ForkActivation {
    let join = draft
        .workflow_in(fork.container.as_ref())
        .and_then(|workflow| workflow.join_of.get(&fork.key).cloned());
    let progress = progress(&draft.ticket, fork, join.as_ref());
    let drawn = drawn_branches(draft, fork);
    let mut branches = Vec::with_capacity(drawn.len());
    for (key, name) in drawn {
        let branch = branch(draft, fork, &key, name, progress);
        branches.push(branch);
    }
    ForkActivation {
        fork: fork.id.clone(),
        fork_key: fork.key.clone(),
        container: fork.container.clone(),
        parent: fork.branch.clone(),
        join,
        progress,
        branches,
    }
}

/// The branches as drawn; without a definition, as the list and the steps' labels name them.
fn drawn_branches(draft: &Draft<'_>, fork: &Step) -> Vec<(BranchKey, String)> {
    let workflow = draft.workflow_in(fork.container.as_ref());
    if let Some(StepKind::Fork(drawn)) = workflow
        .and_then(|workflow| workflow.step(&fork.key))
        .map(|step| &step.kind)
    {
        let branches = drawn.branches.iter();
        return branches
            .map(|branch| (branch.key.clone(), branch.name.clone()))
            .collect();
    }
    let mut named: Vec<(BranchKey, String)> = Vec::new();
    for listed in listed(draft, fork) {
        if let Some(id) = listed.0.text("branch_id") {
            let name = listed.0.text("branch_name").unwrap_or(id);
            named.push((BranchKey(id.to_owned()), name.to_owned()));
        }
    }
    let labels = draft.ticket.steps.iter().filter_map(|step| step.branch.as_ref());
    for at in labels.filter(|at| at.fork == fork.id) {
        if !named.iter().any(|(key, _)| *key == at.branch) {
            named.push((at.branch.clone(), at.branch.to_string()));
        }
    }
    named
}

fn listed<'a>(draft: &Draft<'a>, fork: &Step) -> Vec<Listed<'a>> {
    let branches = draft.legacy.fields().objects("active_branches");
    branches
        .filter(|branch| branch.text("parent_fork_step_id") == Some(fork.key.as_str()))
        .map(Listed)
        .collect()
}

fn progress(ticket: &Ticket, fork: &Step, join: Option<&StepKey>) -> JoinProgress {
    let join = join.and_then(|key| ticket.newest_instance(fork.container.as_ref(), key));
    let container = fork.container.as_ref().and_then(|id| ticket.step(id));
    match join.map(|step| step.phase) {
        Some(Phase::Completed) => JoinProgress::Passed,
        Some(Phase::Rejected | Phase::Skipped | Phase::Cancelled) => JoinProgress::Impossible,
        Some(Phase::NotStarted | Phase::Live) | None => {
            if ticket.status.is_terminal() || container.is_some_and(|step| step.phase.is_ended()) {
                JoinProgress::Impossible
            } else {
                JoinProgress::Waiting
            }
        }
    }
}

fn branch(
    draft: &mut Draft<'_>,
    fork: &Step,
    key: &BranchKey,
    name: String,
    progress: JoinProgress,
) -> Branch {
    let at = BranchRef {
        fork: fork.id.clone(),
        branch: key.clone(),
    };
    let within: Vec<Step> = draft
        .ticket
        .steps
        .iter()
        .filter(|step| is_within(&draft.ticket, step, &at))
        .cloned()
        .collect();
    let all = listed(draft, fork);
    let listed = all
        .iter()
        .find(|listed| listed.0.text("branch_id") == Some(key.as_str()));
    let told = listed.and_then(Listed::state);
    let live = within
        .iter()
        .filter(|step| step.is_live())
        .max_by_key(|step| step.started_at);
    let state = match told {
        Some(ended) if ended.is_ended() && live.is_some() && !draft.ticket.status.is_terminal() => {
            draft.touch(RepairRule::BranchRecomputed, format!("{}/{key}", fork.key));
            BranchState::Active
        }
        Some(told) => told,
        None => concluded(&within, live.is_some(), progress),
    };
    let started = within.iter().filter_map(|step| step.started_at).min();
    let ended = within.iter().filter_map(|step| step.completed_at).max();
    let told_at = |name: &str| listed.and_then(|listed| listed.0.instant(name));
    Branch {
        key: key.clone(),
        name,
        state,
        current_step_id: if state.is_ended() {
            None
        } else {
            let told = listed.and_then(|listed| listed.0.text("current_step_id").map(StepKey::from));
            live.map(|step| step.key.clone()).or(told)
        },
        started_at: told_at("started_at")
            .or(started)
            .or(fork.completed_at)
            .unwrap_or(draft.ticket.created_at),
        completed_at: if state.is_ended() {
            told_at("completed_at").or(ended).or(fork.completed_at)
        } else {
            None
        },
    }
}

/// What the steps say of a branch that no list tells of.
fn concluded(within: &[Step], is_live: bool, progress: JoinProgress) -> BranchState {
    if is_live {
        return BranchState::Active;
    }
    let last = within
        .iter()
        .filter(|step| step.phase.is_ended() && step.phase != Phase::Cancelled)
        .max_by_key(|step| step.completed_at);
    match last.map(|step| step.phase) {
        Some(Phase::Rejected) => BranchState::Rejected,
        Some(Phase::Skipped) => BranchState::Skipped,
        // Whether it had come to its join is not told; the ticket is taken up where the branch stopped.
        Some(_) | None if progress == JoinProgress::Waiting => BranchState::Active,
        Some(_) if progress == JoinProgress::Passed => BranchState::Completed,
        Some(_) | None => BranchState::Cancelled,
    }
}

/// Whether a step runs in a branch, or in something that runs in it.
fn is_within(ticket: &Ticket, step: &Step, at: &BranchRef) -> bool {
    let mut step = step;
    for _ in 0..=ticket.steps.len() {
        if step.branch.as_ref() == Some(at) {
            return true;
        }
        let outer = match (&step.branch, &step.container) {
            (Some(inner), _) => &inner.fork,
            (None, Some(container)) => container,
            (None, None) => return false,
        };
        match ticket.step(outer) {
            Some(outer) => step = outer,
            None => return false,
        }
    }
    false
}
