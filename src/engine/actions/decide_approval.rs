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
use crate::engine::advance::{self, Move, Moves, Scope};
use crate::engine::approval_tally::{Tally, tally};
use crate::engine::closing::{self, Ending, end_step};
use crate::engine::decision::{Effect, HistoryKind, Undecided, WorkHistory};
use crate::engine::failures::{self, Failure, FailureKind};
use crate::engine::notices::Message;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::timers;
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
        let details = if turn.ticket.requester.is_same(&turn.actor().person) {
            json!({"comment": comment, "self_approval": true})
        } else {
            json!({"comment": comment})
        };
        turn.audit(AuditEventType::Approve, Some(id), details);
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
        .filter(|info| info.requested_by.is_same(&turn.actor().person));
    if let Some(asked_at) = own_question.map(|info| info.requested_at) {
        closing::withdraw_question(turn, id);
        // The step waited for nothing it was to blame for (S12).
        let waited = turn.now().since(asked_at).num_milliseconds();
        timers::postpone(turn, id, waited)?;
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
    end_step(turn, id, kind.ending())?;
    let scope = Scope::of(turn.step(id)?);
    let failure = Failure {
        kind,
        step: id.clone(),
        comment: comment.map(str::to_owned),
    };
    let mut moves = Moves::default();
    if let Some(target) = advance::drawn_target(turn, id, kind.transition())? {
        failures::tell_led_on(turn, &failure);
        advance::go_to(turn, target, scope, &mut moves)?;
    } else {
        moves.push(Move::FailScope(scope, failure));
    }
    advance::run(turn, moves)?;
    Ok(Acted::Applied)
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
