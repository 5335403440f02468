//! Joins: whether the branches that have ended let the flow pass (design 8, join when branches failed).

use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Branch, BranchState, ForkActivation, JoinProgress, Phase};
use crate::domain::workflow::TransitionEvent;
use crate::engine::advance::{Move, Moves, Scope};
use crate::engine::closing::{Ending, end_step};
use crate::engine::decision::Undecided;
use crate::engine::definition::{JoinMode, StepDefinition, StepKind};
use crate::engine::failures::{Failure, FailureKind};
use crate::engine::scopes;
use crate::engine::turn::Turn;
use serde_json::json;
use std::sync::Arc;

/// What the branches amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Wait,
    Pass,
    Impossible,
}

/// Passes the join of a fork if its branches allow, or fails the scope when they never will.
pub(in crate::engine) fn check(
    turn: &mut Turn<'_>,
    fork: &TicketStepId,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    let activation = turn.ticket.fork(fork).ok_or(Refusal::StepNotFound)?.clone();
    if activation.progress != JoinProgress::Waiting {
        return Ok(());
    }
    let join = join_definition(turn, &activation)?;
    let mode = join.as_ref().map_or(JoinMode::All, |join| mode_of(join));
    match verdict(mode, &activation.branches) {
        Verdict::Wait => Ok(()),
        Verdict::Pass => pass(turn, &activation, join.as_deref(), mode, moves),
        Verdict::Impossible => give_up(turn, &activation, moves),
    }
}

/// Whether a fork's join waits although its branches have decided it.
pub(in crate::engine) fn is_overdue(turn: &Turn<'_>, activation: &ForkActivation) -> Result<bool, Undecided> {
    if activation.progress != JoinProgress::Waiting {
        return Ok(false);
    }
    let join = join_definition(turn, activation)?;
    let mode = join.as_ref().map_or(JoinMode::All, |join| mode_of(join));
    Ok(verdict(mode, &activation.branches) != Verdict::Wait)
}

/// The wait for branches is over (join timeout): what has completed must be enough, else the scope fails.
pub(in crate::engine) fn time_out(
    turn: &mut Turn<'_>,
    fork: &TicketStepId,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    let activation = turn.ticket.fork(fork).ok_or(Refusal::StepNotFound)?.clone();
    if activation.progress != JoinProgress::Waiting {
        return Ok(());
    }
    turn.audit(
        AuditEventType::JoinTimedOut,
        None,
        json!({"fork_step_id": activation.fork_key}),
    );
    scopes::cancel_other_branches(turn, fork, None)?;
    check(turn, fork, moves)
}

fn join_definition(
    turn: &Turn<'_>,
    activation: &ForkActivation,
) -> Result<Option<Arc<StepDefinition>>, Undecided> {
    let workflow = turn.workflow_in(activation.container.as_ref())?;
    Ok(activation
        .join
        .as_ref()
        .and_then(|key| workflow.step(key))
        .map(Arc::clone))
}

fn mode_of(definition: &StepDefinition) -> JoinMode {
    if let StepKind::Join(join) = &definition.kind {
        join.mode
    } else {
        JoinMode::All
    }
}

fn verdict(mode: JoinMode, branches: &[Branch]) -> Verdict {
    let count = |state: BranchState| branches.iter().filter(|branch| branch.state == state).count();
    let (completed, active) = (count(BranchState::Completed), count(BranchState::Active));
    let (pass, possible) = match mode {
        JoinMode::All => (active == 0 && completed > 0, active > 0),
        JoinMode::Any => (completed > 0, active > 0),
        JoinMode::Majority => (
            2 * completed > branches.len(),
            2 * (completed + active) > branches.len(),
        ),
    };
    match (pass, possible) {
        (true, _) => Verdict::Pass,
        (false, true) => Verdict::Wait,
        (false, false) => Verdict::Impossible,
    }
}

fn pass(
    turn: &mut Turn<'_>,
    activation: &ForkActivation,
    join: Option<&StepDefinition>,
    mode: JoinMode,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    scopes::stop_waiting(turn, &activation.fork, JoinProgress::Passed);
    let scope = Scope {
        container: activation.container.clone(),
        branch: activation.parent.clone(),
    };
    let Some(join) = join else {
        moves.push(Move::EndScope(scope));
        return Ok(());
    };
    let waiting = turn.ticket.newest_instance(scope.container.as_ref(), &join.key);
    let id = match waiting {
        Some(step) if step.phase == Phase::NotStarted => step.id.clone(),
        previous => {
            let previous = previous.cloned();
            super::new_round(turn, join, &scope, previous.as_ref())?
        }
    };
    let now = turn.now();
    let step = turn.change_step(&id)?;
    step.phase = Phase::Live;
    step.started_at = Some(now);
    step.branch.clone_from(&scope.branch);
    turn.ticket.current_step_id = Some(join.key.clone());
    super::move_branch(turn, &scope, &join.key);
    end_step(turn, &id, Ending::DONE)?;
    let mode = match mode {
        JoinMode::All => "ALL",
        JoinMode::Any => "ANY",
        JoinMode::Majority => "MAJORITY",
    };
    turn.audit(
        AuditEventType::JoinCompleted,
        Some(&id),
        json!({"join_step_id": join.key, "join_mode": mode}),
    );
    moves.push(Move::Leave(id, TransitionEvent::CompleteTask));
    Ok(())
}

/// The join can never pass: what still runs is cancelled and the scope around the fork fails, as skipped when every
/// failure was a skip.
fn give_up(turn: &mut Turn<'_>, activation: &ForkActivation, moves: &mut Moves) -> Result<(), Undecided> {
    scopes::cancel_other_branches(turn, &activation.fork, None)?;
    let failed = activation
        .branches
        .iter()
        .filter(|branch| branch.state != BranchState::Completed);
    let mut failed = failed
        .filter(|branch| branch.state != BranchState::Active)
        .peekable();
    let only_skips = failed.peek().is_some() && failed.all(|branch| branch.state == BranchState::Skipped);
    let kind = if only_skips {
        FailureKind::Skipped
    } else {
        FailureKind::Rejected
    };
    let failure = Failure {
        kind,
        step: activation.fork.clone(),
        comment: Some("too few branches were completed".to_owned()),
    };
    scopes::fail_around(turn, &activation.fork, &failure, moves)
}
