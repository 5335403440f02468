//! Forks: every branch is registered before the first one starts (HZ-7).

use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{
    Branch, BranchRef, BranchState, ForkActivation, JoinProgress, Timer, TimerKind, limits,
};
use crate::engine::advance::{Move, Moves, Scope};
use crate::engine::closing::{Ending, end_step};
use crate::engine::decision::Undecided;
use crate::engine::definition::{ForkDefinition, StepDefinition, StepKind};
use crate::engine::scopes;
use crate::engine::turn::Turn;
use serde_json::json;

/// Starts all branches.
pub(super) fn pass(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    definition: &StepDefinition,
    fork: &ForkDefinition,
    scope: &Scope,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    if fork.branches.is_empty() {
        return Err(Refusal::InvalidState(format!("the fork {} has no branches", definition.key)).into());
    }
    if turn.ticket.forks.len() >= limits::FORKS {
        return Err(Refusal::LimitReached {
            what: "forks",
            limit: limits::FORKS,
        }
        .into());
    }
    end_earlier_rounds(turn, definition, scope)?;
    let workflow = turn.workflow_in(scope.container.as_ref())?;
    let join = workflow.join_of.get(&definition.key).cloned();
    let now = turn.now();
    let branches = fork.branches.iter().map(|branch| Branch {
        key: branch.key.clone(),
        name: branch.name.clone(),
        state: BranchState::Active,
        current_step_id: Some(branch.start.clone()),
        started_at: now,
        completed_at: None,
    });
    turn.ticket.forks.push(ForkActivation {
        fork: id.clone(),
        fork_key: definition.key.clone(),
        container: scope.container.clone(),
        parent: scope.branch.clone(),
        join: join.clone(),
        progress: JoinProgress::Waiting,
        branches: branches.collect(),
    });
    end_step(turn, id, Ending::DONE)?;
    let join_definition = join
        .as_ref()
        .and_then(|key| workflow.step(key))
        .map(|step| &step.kind);
    if let Some(StepKind::Join(join)) = join_definition
        && let Some(minutes) = join.timeout_minutes
    {
        let kind = TimerKind::JoinTimeout { fork: id.clone() };
        turn.ticket.timers.push(Timer {
            kind,
            due_at: now.plus_minutes(minutes),
        });
    }
    let names: Vec<_> = fork.branches.iter().map(|branch| branch.name.as_str()).collect();
    let details = json!({
        "fork_step_id": definition.key,
        "branches_activated": fork.branches.len(),
        "branch_names": names,
    });
    turn.audit(AuditEventType::ForkActivated, Some(id), details);
    for branch in &fork.branches {
        let at = BranchRef {
            fork: id.clone(),
            branch: branch.key.clone(),
        };
        moves.push(Move::Enter(
            branch.start.clone(),
            Scope {
                container: scope.container.clone(),
                branch: Some(at),
            },
        ));
    }
    Ok(())
}

/// A fork that is entered again starts its branches anew: late branches of an earlier round, whose join has passed, end.
fn end_earlier_rounds(
    turn: &mut Turn<'_>,
    definition: &StepDefinition,
    scope: &Scope,
) -> Result<(), Undecided> {
    let earlier: Vec<TicketStepId> = turn
        .ticket
        .forks
        .iter()
        .filter(|fork| fork.fork_key == definition.key && fork.container == scope.container)
        .map(|fork| fork.fork.clone())
        .collect();
    for fork in earlier {
        scopes::cancel_other_branches(turn, &fork, None)?;
    }
    Ok(())
}
