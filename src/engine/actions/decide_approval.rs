//! Decides an approval: approve, reject, skip (contract engine-core 6, with HZ-15d to HZ-18 as targets).
//!
//! A decision taken is final: repeating it succeeds without effect, another one is refused.

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::json::JsonObject;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, ApprovalTask, Step, Ticket};
use crate::domain::time::Timestamp;
use crate::domain::workflow::TransitionEvent;
use crate::engine::advance::{self, Failure, FailureKind, Move, Moves, Scope};
use crate::engine::approval_tally::{Tally, tally};
use crate::engine::closing::{self, Ending, end_step};
use crate::engine::decision::{Effect, HistoryKind, Undecided, WorkHistory};
use crate::engine::notices::Message;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::turn::{Turn, as_object};
use serde_json::json;

/// Approves as the actor.
pub(super) fn approve(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    comment: Option<&str>,
) -> Result<Acted, Undecided> {
    vote(turn, id, StepAction::Approve, ApprovalDecision::Approved, comment)
}

/// Rejects as the actor.
pub(super) fn reject(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    comment: Option<&str>,
) -> Result<Acted, Undecided> {
    vote(turn, id, StepAction::Reject, ApprovalDecision::Rejected, comment)
}

/// Skips as the actor.
pub(super) fn skip(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    comment: Option<&str>,
) -> Result<Acted, Undecided> {
    vote(
        turn,
        id,
        StepAction::ApproverSkip,
        ApprovalDecision::Skipped,
        comment,
    )
}

fn vote(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    action: StepAction,
    decision: ApprovalDecision,
    comment: Option<&str>,
) -> Result<Acted, Undecided> {
    if has_decided(turn, id, decision) {
        return Ok(Acted::AlreadyDone(None));
    }
    permission_guard::check_step(&turn.ticket, turn.actor(), action, turn.step(id)?)?;
    cast(turn, id, decision, comment);
    remember(turn, id, decision)?;
    let round = turn.step(id)?.approval.clone().ok_or(Refusal::StepNotFound)?;
    let votes: Vec<_> = turn
        .ticket
        .approval_tasks_of(id)
        .map(|task| task.decision)
        .collect();
    if decision == ApprovalDecision::Approved {
        turn.audit(AuditEventType::Approve, Some(id), json!({"comment": comment}));
    }
    match tally(round.rule, round.veto, votes) {
        Tally::Open => {
            keep_open(turn, id, decision, comment)?;
            Ok(Acted::Applied)
        }
        Tally::Approved => approved(turn, id, comment),
        Tally::Rejected => failed(turn, id, FailureKind::Rejected, comment),
        Tally::Skipped => failed(turn, id, FailureKind::Skipped, comment),
    }
}

fn has_decided(turn: &Turn<'_>, id: &TicketStepId, decision: ApprovalDecision) -> bool {
    let actor = &turn.actor().person;
    turn.ticket
        .approval_tasks_of(id)
        .any(|task| task.decision == decision && task.approver.is_same(actor))
}

fn cast(turn: &mut Turn<'_>, id: &TicketStepId, decision: ApprovalDecision, comment: Option<&str>) {
    let now = turn.now();
    let actor = turn.actor();
    for task in &mut turn.ticket.approval_tasks {
        let own = task.ticket_step_id == *id && task.approver.is_same(&actor.person);
        if own && task.decision == ApprovalDecision::Pending {
            task.decision = decision;
            task.comment = comment.map(str::to_owned);
            task.decided_at = Some(now);
            task.updated_at = Some(now);
        }
    }
}

/// More votes are needed: the step waits on, and only the voter's own question is withdrawn (S10).
fn keep_open(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    decision: ApprovalDecision,
    comment: Option<&str>,
) -> Result<(), Refusal> {
    let event = match decision {
        ApprovalDecision::Rejected => Some(AuditEventType::Reject),
        ApprovalDecision::Skipped => Some(AuditEventType::Skip),
        ApprovalDecision::Approved | ApprovalDecision::Pending | ApprovalDecision::Cancelled => None,
    };
    if let Some(event) = event {
        turn.audit(event, Some(id), json!({"comment": comment}));
    }
    let own_question = turn
        .ticket
        .open_question(id)
        .is_some_and(|info| info.requested_by.is_same(&turn.actor().person));
    if own_question {
        closing::withdraw_question(turn, id);
    }
    turn.change_step(id)?;
    Ok(())
}

fn approved(turn: &mut Turn<'_>, id: &TicketStepId, comment: Option<&str>) -> Result<Acted, Undecided> {
    end_step(turn, id, Ending::APPROVED)?;
    let actor = turn.actor().person.clone();
    let requester = turn.ticket.requester.clone();
    let message = Message::new(
        TemplateKey::Approved,
        "Approved",
        format!("{} approved \"{}\".", actor.display_name, turn.ticket.title),
        json!({"approver_name": actor.display_name, "comment": comment}),
    );
    turn.notify(&requester, &message.about(id).by(&actor));
    advance::advance(turn, Move::Leave(id.clone(), TransitionEvent::Approve))?;
    Ok(Acted::Applied)
}

/// The step has failed: a drawn edge is followed, else the scope fails (design 8, `REJECT` edges).
pub(super) fn failed(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    kind: FailureKind,
    comment: Option<&str>,
) -> Result<Acted, Undecided> {
    let (ending, event) = match kind {
        FailureKind::Rejected => (Ending::REJECTED, TransitionEvent::Reject),
        FailureKind::Skipped => (Ending::SKIPPED, TransitionEvent::Skip),
    };
    end_step(turn, id, ending)?;
    let scope = Scope::of(turn.step(id)?);
    let mut moves = Moves::default();
    if let Some(target) = advance::drawn_target(turn, id, event)? {
        tell_drawn_failure(turn, id, kind, comment);
        advance::go_to(turn, target, scope, &mut moves)?;
    } else {
        let failure = Failure {
            kind,
            step: id.clone(),
            comment: comment.map(str::to_owned),
        };
        moves.push(Move::FailScope(scope, failure));
    }
    advance::run(turn, moves)?;
    Ok(Acted::Applied)
}

/// A failure that leads on by an edge ends nothing, but it is recorded and the requester is told.
fn tell_drawn_failure(turn: &mut Turn<'_>, id: &TicketStepId, kind: FailureKind, comment: Option<&str>) {
    let actor = turn.actor().person.clone();
    let requester = turn.ticket.requester.clone();
    let (event, template, title, verb) = match kind {
        FailureKind::Rejected => (
            AuditEventType::Reject,
            TemplateKey::Rejected,
            "Rejected",
            "rejected",
        ),
        FailureKind::Skipped => (AuditEventType::Skip, TemplateKey::Skipped, "Skipped", "skipped"),
    };
    turn.audit(event, Some(id), json!({"comment": comment}));
    let message = Message::new(
        template,
        title,
        format!(
            "{} {verb} a step of \"{}\"; the request goes on.",
            actor.display_name, turn.ticket.title
        ),
        json!({"approver_name": actor.display_name, "reason": comment}),
    );
    turn.notify(&requester, &message.about(id).by(&actor));
}

/// Keeps the decision for the approver's history (`GET /tickets/manager/history`).
fn remember(turn: &mut Turn<'_>, id: &TicketStepId, decision: ApprovalDecision) -> Result<(), Refusal> {
    let actor = &turn.actor().person;
    let own = |task: &&ApprovalTask| task.approver.is_same(actor) && task.decision == decision;
    let Some(task) = turn.ticket.approval_tasks_of(id).find(own) else {
        return Ok(());
    };
    let history = history_of(&turn.ticket, turn.step(id)?, task, actor, turn.now());
    turn.effect(Effect::History(history));
    Ok(())
}

/// A decided vote as `person`'s history keeps it.
pub(super) fn history_of(
    ticket: &Ticket,
    step: &Step,
    task: &ApprovalTask,
    person: &Person,
    at: Timestamp,
) -> WorkHistory {
    let row: JsonObject = as_object(json!({
        "approval_task_id": task.id,
        "ticket_id": ticket.id,
        "ticket_title": ticket.title,
        "ticket_step_id": step.id,
        "step_name": step.name,
        "workflow_id": ticket.workflow.workflow_id,
        "workflow_name": ticket.workflow.name,
        "requester": {
            "aad_id": ticket.requester.aad_id,
            "email": ticket.requester.email,
            "display_name": ticket.requester.display_name,
        },
        "decision": task.decision,
        "comment": task.comment,
        "decided_at": at.to_wire(),
    }));
    WorkHistory {
        who: person.keys(),
        kind: HistoryKind::Decision,
        at,
        row,
    }
}
