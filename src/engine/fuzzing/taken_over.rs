//! How another service may have left a ticket that is taken over: as it should be, or standing still in one of the ways
//! that `actions/take_up.rs` knows.

use crate::domain::id::{StepKey, TicketStepId};
use crate::domain::ticket::{
    ApprovalDecision, BranchState, JoinProgress, Outcome, Phase, Step, Ticket, TimerKind,
};
use crate::domain::workflow::StepType;
use crate::engine::definition::CompiledWorkflow;
use crate::engine::facts::Definitions;
use crate::engine::scopes;

/// A way to leave a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenOver {
    Never,
    AsItIs,
    WithVotesThatHaveDecided(ApprovalDecision),
    WithoutVotes,
    WithAFailureThatLedNowhere,
    WithATaskThatLedNowhere,
    WithAStepCutShort,
    WithAJoinRefused,
    WithAnEndForgotten,
    BeforeAStepWasEntered,
}

impl TakenOver {
    /// Every way, the first one most often.
    pub(super) const WAYS: [Self; 14] = [
        Self::Never,
        Self::Never,
        Self::Never,
        Self::AsItIs,
        Self::WithVotesThatHaveDecided(ApprovalDecision::Approved),
        Self::WithVotesThatHaveDecided(ApprovalDecision::Rejected),
        Self::WithVotesThatHaveDecided(ApprovalDecision::Skipped),
        Self::WithoutVotes,
        Self::WithAFailureThatLedNowhere,
        Self::WithATaskThatLedNowhere,
        Self::WithAStepCutShort,
        Self::WithAJoinRefused,
        Self::WithAnEndForgotten,
        Self::BeforeAStepWasEntered,
    ];

    /// Leaves the ticket as the other service would; whether there is anything to leave like that.
    pub(super) fn leave(self, ticket: &mut Ticket, definitions: &Definitions) -> bool {
        let left = match self {
            Self::Never => None,
            Self::AsItIs => Some(()),
            Self::WithVotesThatHaveDecided(decision) => decide(ticket, decision),
            Self::WithoutVotes => ask_nobody(ticket),
            Self::WithAFailureThatLedNowhere => reject(ticket),
            Self::WithATaskThatLedNowhere => bare_task(ticket, |_| true).map(|task| end(ticket, &task)),
            Self::WithAStepCutShort => cut_short(ticket, definitions),
            Self::WithAJoinRefused => refuse_a_join(ticket),
            Self::WithAnEndForgotten => forget_an_end(ticket, definitions),
            Self::BeforeAStepWasEntered => {
                bare_task(ticket, |task| task.round == 1).map(|task| take_back(ticket, &task))
            }
        };
        left.is_some()
    }
}

/// Decides every vote of an approval that waits.
fn decide(ticket: &mut Ticket, decision: ApprovalDecision) -> Option<()> {
    let id = asked(ticket)?;
    cast(ticket, &id, decision);
    Some(())
}

/// Takes the approvers of an approval that waits away.
fn ask_nobody(ticket: &mut Ticket) -> Option<()> {
    let id = asked(ticket)?;
    ticket.approval_tasks.retain(|vote| vote.ticket_step_id != id);
    Some(())
}

/// Rejects an approval without going on from there.
fn reject(ticket: &mut Ticket) -> Option<()> {
    let mut steps = ticket.steps.iter();
    let id = steps
        .find(|step| is_at_rest(ticket, step, StepType::Approval))
        .map(|step| step.id.clone())?;
    cast(ticket, &id, ApprovalDecision::Rejected);
    end(ticket, &id);
    let step = ticket.step_mut(&id)?;
    step.phase = Phase::Rejected;
    step.outcome = Some(Outcome::Rejected);
    Some(())
}

/// Ends a task, and enters the step behind it only halfway.
fn cut_short(ticket: &mut Ticket, definitions: &Definitions) -> Option<()> {
    let passing = |step: &Step| {
        step.phase == Phase::NotStarted
            && matches!(
                step.kind,
                StepType::Notify | StepType::Fork | StepType::SubWorkflow
            )
    };
    let task = bare_task(ticket, |task| {
        step_behind(ticket, task, definitions).is_some_and(passing)
    })?;
    let behind = step_behind(ticket, ticket.step(&task)?, definitions)?.id.clone();
    end(ticket, &task);
    let (at, branch) = (ticket.updated_at, ticket.step(&task)?.branch.clone());
    let step = ticket.step_mut(&behind)?;
    step.phase = Phase::Live;
    step.started_at = Some(at);
    step.branch = branch;
    Some(())
}

/// Ends the branches of a fork with the steps that are live in them, but not the wait for them.
fn refuse_a_join(ticket: &mut Ticket) -> Option<()> {
    let mut forks = ticket
        .forks
        .iter()
        .filter(|fork| fork.progress == JoinProgress::Waiting);
    let (fork, last) = forks.find_map(|fork| {
        let within = |step: &&Step| {
            let scope = step.branch.as_ref().filter(|branch| branch.fork == fork.fork);
            step.is_live() && scope.is_some()
        };
        let last: Vec<&Step> = ticket.steps.iter().filter(within).collect();
        let at_rest =
            |step: &&Step| is_bare_task(ticket, step) || is_at_rest(ticket, step, StepType::Approval);
        let all_at_rest = last.iter().all(at_rest);
        let one_each = last.len()
            == fork
                .branches
                .iter()
                .filter(|branch| !branch.state.is_ended())
                .count();
        (all_at_rest && one_each && !last.is_empty()).then(|| {
            let ids: Vec<TicketStepId> = last.iter().map(|step| step.id.clone()).collect();
            (fork.fork.clone(), ids)
        })
    })?;
    for step in last {
        cast(ticket, &step, ApprovalDecision::Approved);
        end(ticket, &step);
    }
    let at = ticket.updated_at;
    for branch in ticket
        .fork_mut(&fork)?
        .branches
        .iter_mut()
        .filter(|branch| !branch.state.is_ended())
    {
        branch.end(BranchState::Completed, at);
    }
    Some(())
}

/// Ends the last task before an end, which is said to wait for branches though none is left.
fn forget_an_end(ticket: &mut Ticket, definitions: &Definitions) -> Option<()> {
    let may_wait = |step: &Step| step.phase == Phase::NotStarted && is_end(step, ticket, definitions);
    let task = bare_task(ticket, |task| {
        let container = task.container.as_ref();
        task.branch.is_none()
            && !scopes::has_late_branches(ticket, container)
            && step_behind(ticket, task, definitions).is_some_and(may_wait)
    })?;
    let waiting = step_behind(ticket, ticket.step(&task)?, definitions)?.clone();
    end(ticket, &task);
    ticket.set_pending_end(waiting.container.as_ref(), Some(waiting.id));
    Some(())
}

/// Makes a task one that was never entered.
fn take_back(ticket: &mut Ticket, id: &TicketStepId) {
    forget_timers(ticket, id);
    if let Some(step) = ticket.step_mut(id) {
        let (container, order) = (step.container.clone(), step.container_order);
        *step = Step::not_started(id.clone(), step.key.clone(), step.name.clone(), step.kind);
        step.container = container;
        step.container_order = order;
    }
}

/// Casts every vote of a step.
fn cast(ticket: &mut Ticket, id: &TicketStepId, decision: ApprovalDecision) {
    let at = ticket.updated_at;
    for vote in ticket
        .approval_tasks
        .iter_mut()
        .filter(|vote| vote.ticket_step_id == *id)
    {
        vote.decision = decision;
        vote.decided_at = Some(at);
    }
}

/// Ends a step, without going on behind it.
fn end(ticket: &mut Ticket, id: &TicketStepId) {
    let at = ticket.updated_at;
    forget_timers(ticket, id);
    if let Some(step) = ticket.step_mut(id) {
        step.phase = Phase::Completed;
        step.completed_at = Some(at);
        step.outcome = (step.kind == StepType::Approval).then_some(Outcome::Approved);
    }
}

fn forget_timers(ticket: &mut Ticket, id: &TicketStepId) {
    ticket.timers.retain(|timer| match &timer.kind {
        TimerKind::SlaReminder { step, .. } | TimerKind::SlaEscalation { step, .. } => step != id,
        TimerKind::JoinTimeout { .. } => true,
    });
}

/// An approval that waits.
fn asked(ticket: &Ticket) -> Option<TicketStepId> {
    let mut steps = ticket.steps.iter();
    let asked = steps.find(|step| step.kind == StepType::Approval && step.is_live());
    asked.map(|step| step.id.clone())
}

/// A task that waits, and to which nothing belongs.
fn bare_task(ticket: &Ticket, fits: impl Fn(&Step) -> bool) -> Option<TicketStepId> {
    let mut steps = ticket.steps.iter();
    let task = steps.find(|step| is_bare_task(ticket, step) && fits(step));
    task.map(|step| step.id.clone())
}

fn is_bare_task(ticket: &Ticket, step: &Step) -> bool {
    is_at_rest(ticket, step, StepType::Task) && step.assignee.is_none()
}

/// Whether a step of this type is live, and nothing else is open on it.
fn is_at_rest(ticket: &Ticket, step: &Step, kind: StepType) -> bool {
    step.kind == kind
        && step.is_live()
        && !step.is_held()
        && step.paused_at.is_none()
        && ticket.pending_handover(&step.id).is_none()
        && ticket.open_question(&step.id).is_none()
}

/// The step behind a task, where one edge alone leads on.
fn step_behind<'a>(ticket: &'a Ticket, task: &Step, definitions: &Definitions) -> Option<&'a Step> {
    let workflow = definitions.workflow_in(ticket, task.container.as_ref())?;
    let [edge] = workflow.edges_on(&task.key, task.kind.completion_event()) else {
        return None;
    };
    let to: &StepKey = edge.condition.is_none().then_some(&edge.to)?;
    ticket.newest_instance(task.container.as_ref(), to)
}

/// Whether the workflow ends behind a notification.
fn is_end(step: &Step, ticket: &Ticket, definitions: &Definitions) -> bool {
    let ends = |workflow: &CompiledWorkflow| {
        let is_terminal = workflow
            .step(&step.key)
            .is_some_and(|definition| definition.is_terminal);
        is_terminal
            && workflow
                .edges_on(&step.key, step.kind.completion_event())
                .is_empty()
    };
    step.kind == StepType::Notify
        && definitions
            .workflow_in(ticket, step.container.as_ref())
            .is_some_and(|workflow| ends(workflow))
}
