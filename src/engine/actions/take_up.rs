//! Brings a ticket on that the service it was imported from had left standing: an approval that is decided and open, a
//! path that ended nowhere, a join that was refused (contract engine-core 11; the rules of `domain/import.rs`).
//!
//! Each place where it stands is found and brought on by the moves of every other command, until people have work to do
//! or the ticket has ended. What cannot be brought on refuses the command, and nothing has changed.

use super::{Acted, decide_approval};
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::import::RepairRule;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{BranchRef, BranchState, JoinProgress, Phase, Step, Ticket};
use crate::domain::workflow::{StepType, TransitionEvent};
use crate::engine::advance::{self, Move, Moves, Scope};
use crate::engine::approval_tally::{Tally, tally};
use crate::engine::closing::{Ending, end_step};
use crate::engine::decision::Undecided;
use crate::engine::definition::StepKind;
use crate::engine::failures::{Failure, FailureKind};
use crate::engine::scopes;
use crate::engine::steps::{self, join};
use crate::engine::turn::Turn;
use serde_json::json;

/// Where a ticket stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standstill {
    /// A step that passes by itself, or an embedded run that was never expanded.
    CutShort(TicketStepId),
    /// An approval that nobody was asked for.
    Unasked(TicketStepId),
    /// An approval whose votes have decided it.
    Decided(TicketStepId, Tally),
    /// A join whose branches have decided it.
    Join(TicketStepId),
    /// An end that waits for nothing.
    End(TicketStepId),
    /// A scope in which nothing is open.
    Scope(Scope),
}

impl Standstill {
    const fn rule(&self) -> RepairRule {
        match self {
            Self::CutShort(_) => RepairRule::StepCutShort,
            Self::Unasked(_) => RepairRule::ApprovalWithoutApprovers,
            Self::Decided(..) => RepairRule::ApprovalDecidedButOpen,
            Self::Join(_) => RepairRule::JoinRefused,
            Self::End(_) => RepairRule::EndForgotten,
            Self::Scope(Scope { branch: Some(_), .. }) => RepairRule::BranchStopped,
            Self::Scope(Scope {
                container: Some(_), ..
            }) => RepairRule::EmbeddedRunStopped,
            Self::Scope(_) => RepairRule::FlowStopped,
        }
    }

    const fn step(&self) -> Option<&TicketStepId> {
        match self {
            Self::CutShort(step)
            | Self::Unasked(step)
            | Self::Decided(step, _)
            | Self::Join(step)
            | Self::End(step) => Some(step),
            Self::Scope(scope) => scope.container.as_ref(),
        }
    }
}

/// Brings the ticket on until nothing stands still; one on which nothing does stays as it is.
pub(super) fn take_up(turn: &mut Turn<'_>) -> Result<Acted, Undecided> {
    let mut seen: Vec<Standstill> = Vec::new();
    while turn.ticket.is_live() {
        let Some(place) = standstill(turn)? else { break };
        if seen.contains(&place) {
            return Err(Refusal::invalid_state("this ticket stands still again at once").into());
        }
        let rule = place.rule();
        let details = json!({"rule": rule, "hazard": rule.hazard()});
        turn.audit(AuditEventType::ImportRepair, place.step(), details);
        bring_on(turn, &place)?;
        seen.push(place);
    }
    pause_what_was_reached(turn)?;
    Ok(if seen.is_empty() {
        Acted::AlreadyDone(None)
    } else {
        Acted::Applied
    })
}

/// While a change request is pending, what has been reached waits for it like everything else.
fn pause_what_was_reached(turn: &mut Turn<'_>) -> Result<(), Refusal> {
    if turn.ticket.pending_change_request().is_none() {
        return Ok(());
    }
    let reached = turn
        .ticket
        .steps
        .iter()
        .filter(|step| step.is_live() && step.paused_at.is_none() && !step.is_held());
    let reached: Vec<TicketStepId> = reached.map(|step| step.id.clone()).collect();
    let now = turn.now();
    for id in reached {
        turn.change_step(&id)?.paused_at = Some(now);
    }
    Ok(())
}

fn standstill(turn: &Turn<'_>) -> Result<Option<Standstill>, Undecided> {
    for step in turn.ticket.steps.iter().filter(|step| step.is_live()) {
        if let Some(found) = standing_step(turn, step) {
            return Ok(Some(found));
        }
    }
    for fork in &turn.ticket.forks {
        if join::is_overdue(turn, fork)? {
            return Ok(Some(Standstill::Join(fork.fork.clone())));
        }
    }
    let open = open_scopes(turn);
    for scope in open.iter().filter(|scope| scope.branch.is_none()) {
        let container = scope.container.as_ref();
        if let Some(end) = turn.ticket.pending_end_in(container)
            && !scopes::has_late_branches(&turn.ticket, container)
        {
            return Ok(Some(Standstill::End(end.clone())));
        }
    }
    Ok(open
        .into_iter()
        .find(|scope| is_still(turn, scope))
        .map(Standstill::Scope))
}

fn standing_step(turn: &Turn<'_>, step: &Step) -> Option<Standstill> {
    let id = step.id.clone();
    match step.kind {
        StepType::Notify | StepType::Fork => Some(Standstill::CutShort(id)),
        StepType::SubWorkflow => {
            let expanded = turn
                .ticket
                .steps
                .iter()
                .any(|inner| inner.container.as_ref() == Some(&id));
            (!expanded).then_some(Standstill::CutShort(id))
        }
        StepType::Approval => {
            let votes: Vec<_> = turn
                .ticket
                .approval_tasks_of(&id)
                .map(|task| task.decision)
                .collect();
            let round = step.approval.as_ref();
            let Some(round) = round.filter(|_| !votes.is_empty()) else {
                return Some(Standstill::Unasked(id));
            };
            let tally = tally(round.rule, round.veto, votes);
            (tally != Tally::Open).then_some(Standstill::Decided(id, tally))
        }
        StepType::Form | StepType::Task | StepType::Join => None,
    }
}

/// The scopes in which something ought to be open.
fn open_scopes(turn: &Turn<'_>) -> Vec<Scope> {
    let mut open = Vec::new();
    for fork in &turn.ticket.forks {
        let active = fork
            .branches
            .iter()
            .filter(|branch| branch.state == BranchState::Active);
        open.extend(active.map(|branch| Scope::within(fork, branch)));
    }
    let containers = turn
        .ticket
        .steps
        .iter()
        .filter(|step| step.is_live() && step.kind == StepType::SubWorkflow && step.embedded.is_some());
    open.extend(containers.map(|step| Scope {
        container: Some(step.id.clone()),
        branch: None,
    }));
    open.retain(|scope| scopes::is_open(&turn.ticket, scope));
    open.push(Scope::main());
    open
}

/// Whether nothing is open in a scope, nor within it; branches whose join has passed keep nobody waiting but an end.
fn is_still(turn: &Turn<'_>, scope: &Scope) -> bool {
    let ticket = &turn.ticket;
    let late = branches_behind_their_join(ticket, scope);
    let is_awaited = |container: Option<&TicketStepId>, branch: Option<&BranchRef>| {
        let within = |scope: &Scope| scopes::scope_reaches(ticket, container, branch, scope);
        within(scope) && !late.iter().any(within)
    };
    let has_live_step = ticket.steps.iter().any(|step| {
        step.is_live()
            && Some(&step.id) != scope.container.as_ref()
            && is_awaited(step.container.as_ref(), step.branch.as_ref())
    });
    let waits_for_a_join = ticket.forks.iter().any(|fork| {
        fork.progress == JoinProgress::Waiting && is_awaited(fork.container.as_ref(), fork.parent.as_ref())
    });
    let waits_for_its_end =
        scope.branch.is_none() && ticket.pending_end_in(scope.container.as_ref()).is_some();
    !has_live_step && !waits_for_a_join && !waits_for_its_end
}

/// The branches of a scope's forks whose join has passed.
fn branches_behind_their_join(ticket: &Ticket, scope: &Scope) -> Vec<Scope> {
    let passed = ticket.forks.iter().filter(|fork| {
        fork.progress == JoinProgress::Passed
            && fork.container == scope.container
            && fork.parent == scope.branch
    });
    let branches = passed.flat_map(|fork| fork.branches.iter().map(|branch| Scope::within(fork, branch)));
    branches.collect()
}

fn bring_on(turn: &mut Turn<'_>, place: &Standstill) -> Result<(), Undecided> {
    let mut moves = Moves::default();
    match place {
        Standstill::CutShort(id) | Standstill::Unasked(id) => steps::activate_again(turn, id, &mut moves)?,
        Standstill::Decided(id, Tally::Approved) => {
            end_step(turn, id, Ending::APPROVED)?;
            moves.push(Move::Leave(id.clone(), TransitionEvent::Approve));
        }
        Standstill::Decided(id, Tally::Skipped) => {
            decide_approval::failed(turn, id, FailureKind::Skipped, None)?;
        }
        Standstill::Decided(id, Tally::Rejected | Tally::Open) => {
            decide_approval::failed(turn, id, FailureKind::Rejected, None)?;
        }
        Standstill::Join(fork) => moves.push(Move::CheckJoin(fork.clone())),
        Standstill::End(id) => moves.push(Move::EnterDeferred(id.clone())),
        Standstill::Scope(scope) => go_on_behind_the_last_step(turn, scope, &mut moves)?,
    }
    advance::run(turn, moves)
}

/// Goes on where the scope stopped: behind the step that ended last, or at its first one when none was reached.
fn go_on_behind_the_last_step(turn: &Turn<'_>, scope: &Scope, moves: &mut Moves) -> Result<(), Undecided> {
    let own = turn.ticket.steps.iter().enumerate().filter(|(_, step)| {
        step.container == scope.container
            && step.branch == scope.branch
            && step.kind != StepType::Fork
            && step.phase.is_ended()
    });
    let last = own
        .filter(|(_, step)| step.phase != Phase::Cancelled)
        .max_by_key(|(at, step)| (step.completed_at, *at))
        .map(|(_, step)| step);
    let Some(last) = last else {
        return go_to_the_first_step(turn, scope, moves);
    };
    let kind = match last.phase {
        Phase::Rejected => FailureKind::Rejected,
        Phase::Skipped => FailureKind::Skipped,
        Phase::NotStarted | Phase::Live | Phase::Completed | Phase::Cancelled => {
            moves.push(Move::Leave(last.id.clone(), last.kind.completion_event()));
            return Ok(());
        }
    };
    let event = match kind {
        FailureKind::Rejected => TransitionEvent::Reject,
        FailureKind::Skipped => TransitionEvent::Skip,
    };
    if let Some(target) = advance::drawn_target(turn, &last.id, event)? {
        return advance::go_to(turn, target, scope.clone(), moves);
    }
    let failure = Failure {
        kind,
        step: last.id.clone(),
        comment: None,
    };
    moves.push(Move::FailScope(scope.clone(), failure));
    Ok(())
}

fn go_to_the_first_step(turn: &Turn<'_>, scope: &Scope, moves: &mut Moves) -> Result<(), Undecided> {
    let all_cancelled = |container: &TicketStepId| {
        let mut inner = turn
            .ticket
            .steps
            .iter()
            .filter(|step| step.container.as_ref() == Some(container))
            .peekable();
        inner.peek().is_some() && inner.all(|step| step.phase == Phase::Cancelled)
    };
    if let (Some(container), None) = (&scope.container, &scope.branch)
        && all_cancelled(container)
    {
        let failure = Failure {
            kind: FailureKind::Skipped,
            step: container.clone(),
            comment: None,
        };
        moves.push(Move::FailScope(scope.clone(), failure));
        return Ok(());
    }
    let workflow = turn.workflow_in(scope.container.as_ref())?;
    let first = match &scope.branch {
        None => Some(workflow.start.clone()),
        Some(at) => turn.ticket.fork(&at.fork).and_then(|fork| {
            let StepKind::Fork(drawn) = &workflow.step(&fork.fork_key)?.kind else {
                return None;
            };
            let branch = drawn.branches.iter().find(|branch| branch.key == at.branch)?;
            Some(branch.start.clone())
        }),
    };
    let first = first.ok_or_else(|| Refusal::invalid_state("this branch has no first step"))?;
    moves.push(Move::Enter(first, scope.clone()));
    Ok(())
}
