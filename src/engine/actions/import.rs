//! Takes a ticket over that another service has run: the aggregate as it comes, with what is ours alone added to it.
//!
//! The recorded command carries the aggregate, so that a replay starts from it.

use super::{complete_task, decide_approval};
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::import::{ImportedTicket, Repair};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, JoinProgress, Phase, Timer, TimerKind};
use crate::domain::workflow::StepType;
use crate::engine::decision::{Effect, Undecided, WorkHistory};
use crate::engine::definition::StepKind;
use crate::engine::facts::Facts;
use crate::engine::timers;
use crate::engine::turn::Turn;
use serde_json::json;

/// Takes the ticket over: timers start, each repair goes into the audit trail, finished work into people's histories.
pub(super) fn import<'a>(imported: &ImportedTicket, facts: Facts<'a>) -> Result<Turn<'a>, Undecided> {
    if imported.ticket.version < 1 {
        return Err(Refusal::invalid_state("an imported ticket has a version of at least 1").into());
    }
    let mut turn = Turn::take_over(imported.ticket.clone(), facts);
    if turn.ticket.is_live() {
        start_timers(&mut turn)?;
    }
    for repair in &imported.repairs {
        tell(&mut turn, repair);
    }
    for history in histories(&turn) {
        turn.effect(Effect::History(history));
    }
    Ok(turn)
}

fn tell(turn: &mut Turn<'_>, repair: &Repair) {
    let mut details = json!({
        "rule": repair.rule,
        "hazard": repair.rule.hazard(),
        "changes": repair.fields,
    });
    if let (Some(remark), Some(map)) = (&repair.remark, details.as_object_mut()) {
        map.insert("remark".to_owned(), json!(remark));
    }
    turn.audit(AuditEventType::ImportRepair, None, details);
}

fn start_timers(turn: &mut Turn<'_>) -> Result<(), Undecided> {
    let live: Vec<TicketStepId> = turn
        .ticket
        .steps
        .iter()
        .filter(|step| step.is_live())
        .map(|step| step.id.clone())
        .collect();
    for id in live {
        timers::continue_sla(turn, &id)?;
    }
    let waiting = turn
        .ticket
        .forks
        .iter()
        .filter(|fork| fork.progress == JoinProgress::Waiting);
    let now = turn.now();
    let mut limits = Vec::new();
    for fork in waiting {
        let Ok(workflow) = turn.workflow_in(fork.container.as_ref()) else {
            continue;
        };
        let join = fork.join.as_ref().and_then(|key| workflow.step(key));
        if let Some(StepKind::Join(join)) = join.map(|step| &step.kind)
            && let Some(minutes) = join.timeout_minutes
        {
            let kind = TimerKind::JoinTimeout {
                fork: fork.fork.clone(),
            };
            // The reference never read the limit, so nobody has waited for it yet.
            limits.push(Timer {
                kind,
                due_at: now.plus_minutes(minutes),
            });
        }
    }
    turn.ticket.timers.extend(limits);
    Ok(())
}

fn histories(turn: &Turn<'_>) -> Vec<WorkHistory> {
    let ticket = &turn.ticket;
    let mut histories = Vec::new();
    for task in &ticket.approval_tasks {
        let decided = matches!(
            task.decision,
            ApprovalDecision::Approved | ApprovalDecision::Rejected | ApprovalDecision::Skipped
        );
        if let (true, Some(step)) = (decided, ticket.step(&task.ticket_step_id)) {
            let at = task.decided_at.or(step.completed_at).unwrap_or(task.created_at);
            histories.push(decide_approval::history_of(
                ticket,
                step,
                task,
                &task.approver,
                at,
            ));
        }
    }
    let done = ticket
        .steps
        .iter()
        .filter(|step| step.kind == StepType::Task && step.phase == Phase::Completed);
    for step in done {
        if let (Some(agent), Some(at)) = (&step.assignee, step.completed_at) {
            histories.push(complete_task::history_of(ticket, step, agent, at));
        }
    }
    histories
}
