//! Moves the flow on until somebody has to act: a list of moves, worked off in order, bounded in length.
//!
//! A scope is where a step lives: the ticket's own workflow or an embedded run, and within it a branch or none. Scopes
//! form a tree; ending or failing one moves on in the scope around it (contract engine-core 4.3, 8, 9; design 8).

use super::closing::{Ending, end_step};
use super::condition_evaluator::Context;
use super::decision::Undecided;
use super::definition::StepKind;
use super::failures::{self, Failure};
use super::transition_resolver::{self, Route};
use super::turn::Turn;
use super::{ends, routing_context, scopes, steps};
use crate::domain::id::{StepKey, TicketStepId};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Branch, BranchRef, ForkActivation, Step, limits};
use crate::domain::workflow::TransitionEvent;
use std::collections::VecDeque;

/// Where a step lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The embedded run, or the ticket's own workflow.
    pub(crate) container: Option<TicketStepId>,
    /// The branch within it.
    pub(crate) branch: Option<BranchRef>,
}

impl Scope {
    /// The scope of a branch.
    pub(crate) fn within(fork: &ForkActivation, branch: &Branch) -> Self {
        Self {
            container: fork.container.clone(),
            branch: Some(fork.reference(branch)),
        }
    }

    /// The scope of a step instance.
    pub(crate) fn of(step: &Step) -> Self {
        Self {
            container: step.container.clone(),
            branch: step.branch.clone(),
        }
    }

    /// The ticket's own workflow, outside of all branches.
    pub(crate) const fn main() -> Self {
        Self {
            container: None,
            branch: None,
        }
    }
}

/// One move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Move {
    /// A step is entered.
    Enter(StepKey, Scope),
    /// A step instance that waited is entered.
    EnterDeferred(TicketStepId),
    /// A step has ended; its edges on the event lead on.
    Leave(TicketStepId, TransitionEvent),
    /// A path has ended in its scope.
    EndScope(Scope),
    /// A scope has failed.
    FailScope(Scope, Failure),
    /// A branch has ended; its join may pass.
    CheckJoin(TicketStepId),
}

/// The moves to make, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Moves(VecDeque<Move>);

impl Moves {
    /// Adds a move behind the others.
    pub(crate) fn push(&mut self, next: Move) {
        self.0.push_back(next);
    }
}

/// Makes `first` and every move that follows from it.
pub(crate) fn advance(turn: &mut Turn<'_>, first: Move) -> Result<(), Undecided> {
    let mut moves = Moves::default();
    moves.push(first);
    run(turn, moves)
}

/// Makes these moves and every move that follows from them.
pub(crate) fn run(turn: &mut Turn<'_>, mut moves: Moves) -> Result<(), Undecided> {
    while let Some(next) = moves.0.pop_front() {
        if turn.ticket.status.is_terminal() {
            return Ok(());
        }
        turn.automatic_steps += 1;
        if turn.automatic_steps > limits::AUTOMATIC_STEPS {
            return Err(Refusal::LimitReached {
                what: "automatic steps in a row",
                limit: limits::AUTOMATIC_STEPS,
            }
            .into());
        }
        make(turn, next, &mut moves)?;
    }
    Ok(())
}

fn make(turn: &mut Turn<'_>, next: Move, moves: &mut Moves) -> Result<(), Undecided> {
    match next {
        Move::Enter(key, scope) => steps::enter(turn, &key, &scope, moves),
        Move::EnterDeferred(id) => steps::enter_deferred(turn, &id, moves),
        Move::Leave(id, event) => leave(turn, &id, event, moves),
        Move::EndScope(scope) => end_scope(turn, scope, moves),
        Move::FailScope(scope, failure) => fail_scope(turn, scope, &failure, moves),
        Move::CheckJoin(fork) => steps::join::check(turn, &fork, moves),
    }
}

/// Follows the edges of a step that has ended.
fn leave(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    event: TransitionEvent,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    let route = way_on(turn, id, event)?;
    let scope = Scope::of(turn.step(id)?);
    match route {
        Route::To(key) => go_to(turn, key, scope, moves),
        Route::End => {
            moves.push(Move::EndScope(scope));
            Ok(())
        }
    }
}

/// Where the edges of a step lead on an event.
pub(crate) fn way_on(turn: &Turn<'_>, id: &TicketStepId, event: TransitionEvent) -> Result<Route, Undecided> {
    let step = turn.step(id)?;
    let workflow = turn.workflow_in(step.container.as_ref())?;
    let views = routing_context::Views::of(turn, step, &workflow, event);
    let context = Context {
        ticket: &views.ticket,
        form_values: &turn.ticket.form_values,
        current_step: &views.current_step,
    };
    Ok(transition_resolver::resolve(
        &workflow, &step.key, event, context,
    )?)
}

/// Follows the edge that was drawn for a failure, if one was and its conditions hold.
pub(crate) fn drawn_target(
    turn: &Turn<'_>,
    id: &TicketStepId,
    event: TransitionEvent,
) -> Result<Option<StepKey>, Undecided> {
    let step = turn.step(id)?;
    let workflow = turn.workflow_in(step.container.as_ref())?;
    let views = routing_context::Views::of(turn, step, &workflow, event);
    let context = Context {
        ticket: &views.ticket,
        form_values: &turn.ticket.form_values,
        current_step: &views.current_step,
    };
    Ok(transition_resolver::resolve_drawn(
        &workflow, &step.key, event, context,
    ))
}

/// Goes to a step from within `scope`: a join ends the branch, everything else is entered.
pub(crate) fn go_to(turn: &Turn<'_>, key: StepKey, scope: Scope, moves: &mut Moves) -> Result<(), Undecided> {
    let workflow = turn.workflow_in(scope.container.as_ref())?;
    let definition = workflow.step(&key).ok_or_else(|| {
        Refusal::invalid_state(format!(
            "the workflow leads to the step {key}, which it does not have"
        ))
    })?;
    if !matches!(definition.kind, StepKind::Join(_)) {
        moves.push(Move::Enter(key, scope));
        return Ok(());
    }
    let waits_for_this = scope
        .branch
        .as_ref()
        .and_then(|branch| turn.ticket.fork(&branch.fork));
    if waits_for_this.is_some_and(|fork| fork.join.as_ref() == Some(&key)) {
        moves.push(Move::EndScope(scope));
        return Ok(());
    }
    Err(Refusal::invalid_state(format!(
        "the workflow leads to the join {key} from outside of its branches"
    ))
    .into())
}

/// A path has ended: the branch, the embedded run or the ticket completes.
fn end_scope(turn: &mut Turn<'_>, scope: Scope, moves: &mut Moves) -> Result<(), Undecided> {
    if let Some(branch) = &scope.branch {
        return scopes::complete_branch(turn, branch, moves);
    }
    let Some(container) = scope.container else {
        return Ok(ends::complete_ticket(turn)?);
    };
    scopes::close_within(
        turn,
        &Scope {
            container: Some(container.clone()),
            branch: None,
        },
    )?;
    end_step(turn, &container, Ending::COMPLETED)?;
    steps::sub_workflow::tell_end(turn, &container)?;
    moves.push(Move::Leave(container, TransitionEvent::CompleteTask));
    Ok(())
}

/// A scope has failed: the branch, the embedded run or the ticket fails, unless an edge was drawn for it.
fn fail_scope(
    turn: &mut Turn<'_>,
    scope: Scope,
    failure: &Failure,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    if let Some(branch) = &scope.branch {
        return scopes::fail_branch(turn, branch, failure, moves);
    }
    let Some(container) = scope.container else {
        return ends::fail_ticket(turn, failure);
    };
    scopes::close_within(
        turn,
        &Scope {
            container: Some(container.clone()),
            branch: None,
        },
    )?;
    end_step(turn, &container, failure.kind.ending())?;
    steps::sub_workflow::tell_end(turn, &container)?;
    let outer = Scope::of(turn.step(&container)?);
    if let Some(target) = drawn_target(turn, &container, failure.kind.transition())? {
        failures::tell_led_on(turn, failure);
        go_to(turn, target, outer, moves)
    } else {
        moves.push(Move::FailScope(outer, failure.clone()));
        Ok(())
    }
}
