//! Ends branches and closes what is left in a scope: paths not taken, late work, inner forks.

use super::advance::{Move, Moves, Scope};
use super::closing::{Ending, end_step};
use super::decision::Undecided;
use super::definition::{CompiledWorkflow, FailurePolicy, StepKind};
use super::failures::{self, Failure, FailureKind};
use super::responsibility::outwards;
use super::turn::Turn;
use crate::domain::audit::AuditEventType;
use crate::domain::id::{BranchKey, StepKey, TicketStepId};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{BranchRef, BranchState, JoinProgress, Phase, Step, Ticket, TimerKind};
use serde_json::json;

/// A branch has reached its join or its end.
pub(super) fn complete_branch(
    turn: &mut Turn<'_>,
    at: &BranchRef,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    if !is_active(&turn.ticket, at) {
        return Ok(());
    }
    close_branch(turn, at)?;
    let name = set_branch(turn, at, BranchState::Completed)?;
    turn.audit(
        AuditEventType::BranchCompleted,
        None,
        json!({"branch_id": at.branch, "branch_name": name}),
    );
    branch_ended(turn, at, moves);
    Ok(())
}

/// A branch has failed: the fork's policy says what becomes of the others.
pub(super) fn fail_branch(
    turn: &mut Turn<'_>,
    at: &BranchRef,
    failure: &Failure,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    if !is_active(&turn.ticket, at) {
        return Ok(());
    }
    close_branch(turn, at)?;
    let name = set_branch(turn, at, failure.kind.branch_state())?;
    let mut details = json!({"branch_id": at.branch, "branch_name": name, "comment": failure.comment});
    if failure.kind == FailureKind::Skipped
        && let Some(map) = details.as_object_mut()
    {
        map.insert("outcome".to_owned(), json!("SKIPPED"));
    }
    turn.audit(AuditEventType::BranchFailed, Some(&failure.step), details.clone());
    match policy(turn, &at.fork)? {
        FailurePolicy::ContinueOthers => {
            failures::tell_branch_ended(turn, failure, &details);
            branch_ended(turn, at, moves);
        }
        FailurePolicy::CancelOthers => {
            cancel_other_branches(turn, &at.fork, Some((&at.branch, &failure.step)))?;
            fail_around(turn, &at.fork, failure, moves)?;
        }
        FailurePolicy::FailAll => {
            cancel_other_branches(turn, &at.fork, None)?;
            fail_around(turn, &at.fork, failure, moves)?;
        }
    }
    Ok(())
}

/// Ends every branch of a fork that still runs; each step cancelled for the sake of another branch is recorded.
pub(super) fn cancel_other_branches(
    turn: &mut Turn<'_>,
    fork: &TicketStepId,
    cause: Option<(&BranchKey, &TicketStepId)>,
) -> Result<(), Undecided> {
    let activation = turn.ticket.fork(fork).ok_or(Refusal::StepNotFound)?;
    let running: Vec<BranchRef> = activation
        .branches
        .iter()
        .filter(|branch| branch.state == BranchState::Active)
        .map(|branch| activation.reference(branch))
        .collect();
    for at in running {
        let cancelled = close_branch(turn, &at)?;
        set_branch(turn, &at, BranchState::Cancelled)?;
        let Some((branch, step)) = cause else { continue };
        for id in cancelled {
            let details = json!({
                "reason": "another branch failed",
                "cancelled_branch_id": at.branch,
                "triggered_by_branch": branch,
                "triggered_by_step": step,
            });
            turn.audit(AuditEventType::StepCancelled, Some(&id), details);
        }
    }
    Ok(())
}

/// Marks a fork as finished for good and fails the scope around it.
pub(super) fn fail_around(
    turn: &mut Turn<'_>,
    fork: &TicketStepId,
    failure: &Failure,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    stop_waiting(turn, fork, JoinProgress::Impossible);
    let scope = Scope::of(turn.step(fork)?);
    moves.push(Move::FailScope(scope, failure.clone()));
    Ok(())
}

/// A fork's join waits no longer.
pub(super) fn stop_waiting(turn: &mut Turn<'_>, fork: &TicketStepId, progress: JoinProgress) {
    if let Some(activation) = turn.ticket.fork_mut(fork) {
        activation.progress = progress;
    }
    turn.ticket
        .timers
        .retain(|timer| !matches!(&timer.kind, TimerKind::JoinTimeout { fork: known } if known == fork));
}

/// Cancels everything that is left in a scope and in the scopes within it; gives the steps that were live.
pub(super) fn close_within(turn: &mut Turn<'_>, scope: &Scope) -> Result<Vec<TicketStepId>, Undecided> {
    let mut live = Vec::new();
    let left: Vec<Step> = turn
        .ticket
        .steps
        .iter()
        .filter(|step| !step.phase.is_ended())
        .cloned()
        .collect();
    for step in left {
        if is_within(turn, &step, scope)? {
            if step.is_live() {
                live.push(step.id.clone());
            }
            end_step(turn, &step.id, Ending::CANCELLED)?;
        }
    }
    close_inner_forks(turn, scope);
    Ok(live)
}

fn close_branch(turn: &mut Turn<'_>, at: &BranchRef) -> Result<Vec<TicketStepId>, Undecided> {
    let container = turn
        .ticket
        .fork(&at.fork)
        .ok_or(Refusal::StepNotFound)?
        .container
        .clone();
    close_within(
        turn,
        &Scope {
            container,
            branch: Some(at.clone()),
        },
    )
}

/// Forks that were activated within the scope wait for nobody any more.
fn close_inner_forks(turn: &mut Turn<'_>, scope: &Scope) {
    let inner: Vec<TicketStepId> = turn
        .ticket
        .forks
        .iter()
        .filter(|fork| scope_reaches(&turn.ticket, fork.container.as_ref(), fork.parent.as_ref(), scope))
        .map(|fork| fork.fork.clone())
        .collect();
    let now = turn.now();
    for id in inner {
        if turn
            .ticket
            .fork(&id)
            .is_some_and(|fork| fork.progress == JoinProgress::Waiting)
        {
            stop_waiting(turn, &id, JoinProgress::Impossible);
        }
        let branches = turn
            .ticket
            .fork_mut(&id)
            .into_iter()
            .flat_map(|fork| &mut fork.branches);
        for branch in branches.filter(|branch| branch.state == BranchState::Active) {
            branch.end(BranchState::Cancelled, now);
        }
    }
}

/// Whether a step belongs to a scope: a reached one by where it runs, the others by where they are drawn.
fn is_within(turn: &Turn<'_>, step: &Step, scope: &Scope) -> Result<bool, Undecided> {
    if step.phase != Phase::NotStarted || step.branch.is_some() {
        return Ok(scope_reaches(
            &turn.ticket,
            step.container.as_ref(),
            step.branch.as_ref(),
            scope,
        ));
    }
    let Some(branch) = &scope.branch else {
        return Ok(scope_reaches(&turn.ticket, step.container.as_ref(), None, scope));
    };
    if step.container != scope.container {
        // Drawn in an embedded run: it belongs where the container runs.
        return Ok(scope_reaches(&turn.ticket, step.container.as_ref(), None, scope));
    }
    let fork_key = turn.ticket.fork(&branch.fork).map(|fork| fork.fork_key.clone());
    let workflow = turn.workflow_in(step.container.as_ref())?;
    Ok(fork_key.is_some_and(|fork| is_drawn_in(&workflow, &step.key, &fork, &branch.branch)))
}

/// Whether a step is drawn in a branch or in a branch of a fork within it.
fn is_drawn_in(workflow: &CompiledWorkflow, key: &StepKey, fork: &StepKey, branch: &BranchKey) -> bool {
    let mut key = key;
    for _ in 0..workflow.steps.len() {
        let Some(label) = workflow.branch_of.get(key) else {
            return false;
        };
        if label.fork == *fork {
            return label.branch == *branch;
        }
        key = &label.fork;
    }
    false
}

/// Whether one walks from (container, branch) outwards through `scope`.
pub(super) fn scope_reaches(
    ticket: &Ticket,
    container: Option<&TicketStepId>,
    branch: Option<&BranchRef>,
    scope: &Scope,
) -> bool {
    let (mut container, mut branch) = (container.cloned(), branch.cloned());
    // Bounded by the depth of the tree, which is bounded by the number of steps.
    for _ in 0..=ticket.steps.len() {
        let same_container = container == scope.container;
        if same_container && (branch == scope.branch || scope.branch.is_none()) {
            return true;
        }
        match outwards(ticket, container.as_ref(), branch.as_ref()) {
            Some(outer) => (container, branch) = outer,
            None => return false,
        }
    }
    false
}

fn is_active(ticket: &Ticket, at: &BranchRef) -> bool {
    ticket
        .branch(at)
        .is_some_and(|branch| branch.state == BranchState::Active)
}

/// Whether work in a scope may still go on: no branch around it has ended.
pub(super) fn is_open(ticket: &Ticket, scope: &Scope) -> bool {
    let (mut container, mut branch) = (scope.container.clone(), scope.branch.clone());
    for _ in 0..=ticket.steps.len() {
        if branch.as_ref().is_some_and(|at| !is_active(ticket, at)) {
            return false;
        }
        if branch.is_none()
            && container
                .as_ref()
                .and_then(|id| ticket.step(id))
                .is_some_and(|step| !step.is_live())
        {
            return false;
        }
        match outwards(ticket, container.as_ref(), branch.as_ref()) {
            Some(outer) => (container, branch) = outer,
            None => return true,
        }
    }
    true
}

/// Sets a branch's final state; gives its name.
fn set_branch(turn: &mut Turn<'_>, at: &BranchRef, state: BranchState) -> Result<String, Refusal> {
    let now = turn.now();
    let fork = turn.ticket.fork_mut(&at.fork).ok_or(Refusal::StepNotFound)?;
    let branch = fork
        .branches
        .iter_mut()
        .find(|branch| branch.key == at.branch)
        .ok_or(Refusal::StepNotFound)?;
    branch.end(state, now);
    Ok(branch.name.clone())
}

/// After a branch has ended its join may pass, or an end that waited for late branches may come.
fn branch_ended(turn: &Turn<'_>, at: &BranchRef, moves: &mut Moves) {
    moves.push(Move::CheckJoin(at.fork.clone()));
    let container = turn
        .ticket
        .fork(&at.fork)
        .and_then(|fork| fork.container.as_ref());
    if let Some(waiting) = turn.ticket.pending_end_in(container)
        && !has_late_branches(&turn.ticket, container)
    {
        moves.push(Move::EnterDeferred(waiting.clone()));
    }
}

/// Whether branches of an embedded run (of the ticket's own workflow for `None`) still run although their join has
/// passed.
pub(super) fn has_late_branches(ticket: &Ticket, container: Option<&TicketStepId>) -> bool {
    let passed = ticket
        .forks
        .iter()
        .filter(|fork| fork.progress == JoinProgress::Passed);
    passed
        .filter(|fork| fork.container.as_ref() == container && fork.parent.is_none())
        .any(|fork| {
            fork.branches
                .iter()
                .any(|branch| branch.state == BranchState::Active)
        })
}

fn policy(turn: &Turn<'_>, fork: &TicketStepId) -> Result<FailurePolicy, Undecided> {
    let step = turn.step(fork)?;
    match &turn.definition_of(step)?.kind {
        StepKind::Fork(fork) => Ok(fork.failure_policy),
        StepKind::Form(_)
        | StepKind::Approval(_)
        | StepKind::Task(_)
        | StepKind::Notify(_)
        | StepKind::Join(_)
        | StepKind::SubWorkflow(_) => Ok(FailurePolicy::FailAll),
    }
}
