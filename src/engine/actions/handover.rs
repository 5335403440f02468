//! Hands tasks over: asked by the agent, decided by the task's owner (contract engine-actions 4.11, A2, A8, A9, S11).

use super::{Acted, assignment};
use crate::domain::audit::AuditEventType;
use crate::domain::id::{HandoverId, TicketStepId};
use crate::domain::notice::{NoticeCategory, TemplateKey};
use crate::domain::person::Email;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Handover, HandoverStatus};
use crate::engine::command::NamedPerson;
use crate::engine::decision::{GrantSource, GrantedPersona, Undecided};
use crate::engine::notices::Message;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::turn::Turn;
use crate::engine::{named_person, responsibility};
use serde_json::json;

/// How long an identical request counts as the repeat of a pending one, in milliseconds (design 8).
const REPEAT_MILLIS: i64 = 60_000;

/// Asks to hand a task over; the agent keeps working until it is decided.
pub(super) fn request(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    reason: &str,
    suggested: Option<&Email>,
) -> Result<Acted, Undecided> {
    if let Some(pending) = turn.ticket.pending_handover(id) {
        let same = pending.reason == reason && pending.requested_by.is_same(&turn.actor().person);
        if same && turn.now().since(pending.requested_at).num_milliseconds() <= REPEAT_MILLIS {
            return Ok(Acted::AlreadyDone(Some(pending.id.to_string())));
        }
    }
    permission_guard::check_step(
        &turn.ticket,
        turn.actor(),
        StepAction::RequestHandover,
        turn.step(id)?,
    )?;
    let named = suggested.map(|email| NamedPerson {
        email: email.clone(),
        aad_id: None,
        display_name: None,
    });
    let requested_to = named
        .map(|named| named_person::resolve(turn, &named, GrantedPersona::Agent))
        .transpose()?;
    let actor = turn.actor().person.clone();
    let handover = Handover {
        id: HandoverId::derived(&turn.draw_seed()),
        ticket_step_id: id.clone(),
        requested_by: actor.clone(),
        requested_to,
        reason: reason.to_owned(),
        status: HandoverStatus::Pending,
        decided_by: None,
        decision_comment: None,
        new_assignee: None,
        requested_at: turn.now(),
        decided_at: None,
    };
    turn.created = Some(handover.id.to_string());
    turn.ticket.handovers.push(handover);
    turn.change_step(id)?;
    turn.audit(
        AuditEventType::HandoverRequested,
        Some(id),
        json!({"reason": reason}),
    );
    let text = format!(
        "{} asks to hand over a task of \"{}\".",
        actor.display_name, turn.ticket.title
    );
    tell_deciders(turn, id, "Handover requested", text)?;
    Ok(Acted::Applied)
}

/// Tells whoever may decide a handover of the step, in the application only.
fn tell_deciders(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    title: &'static str,
    text: String,
) -> Result<(), Refusal> {
    let message = Message::new(TemplateKey::TaskReassigned, title, text, json!({}))
        .about(id)
        .by(&turn.actor().person)
        .in_app_only()
        .listed(NoticeCategory::Task, "/manager/handovers");
    let owners = responsibility::task_owners(&turn.ticket, turn.step(id)?);
    turn.notify_others(&owners, &message);
    Ok(())
}

/// What was decided on a handover.
#[derive(Debug, Clone, Copy)]
pub(super) enum HandoverDecision<'a> {
    /// The task goes to this agent; absent is an input error.
    Approve(Option<&'a NamedPerson>),
    /// The agent keeps the task.
    Reject,
}

/// Decides a pending handover; the decider's repeat succeeds without effect.
pub(super) fn decide(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    handover: &HandoverId,
    decision: HandoverDecision<'_>,
    comment: Option<&str>,
) -> Result<Acted, Undecided> {
    let known = find(turn, id, handover)?.clone();
    let wanted = match decision {
        HandoverDecision::Approve(_) => HandoverStatus::Approved,
        HandoverDecision::Reject => HandoverStatus::Rejected,
    };
    let own = known
        .decided_by
        .as_ref()
        .is_some_and(|by| by.is_same(&turn.actor().person));
    if own && known.status == wanted {
        return Ok(Acted::AlreadyDone(None));
    }
    permission_guard::check_step(
        &turn.ticket,
        turn.actor(),
        StepAction::DecideHandover,
        turn.step(id)?,
    )?;
    must_be_pending(&known)?;
    let before = turn.step(id)?.assignee.clone();
    if !before
        .as_ref()
        .is_some_and(|agent| agent.is_same(&known.requested_by))
    {
        return Err(Refusal::invalid_state("the task is no longer with the agent who asked").into());
    }
    match decision {
        HandoverDecision::Reject => {
            settle(turn, handover, HandoverStatus::Rejected, comment);
            turn.change_step(id)?;
            turn.audit(
                AuditEventType::HandoverRejected,
                Some(id),
                json!({"comment": comment}),
            );
            tell_rejected(turn, id, &known);
        }
        HandoverDecision::Approve(agent) => {
            let agent =
                agent.ok_or_else(|| Refusal::invalid("new_agent_email is required to approve a handover"))?;
            let agent = named_person::resolve(turn, agent, GrantedPersona::Agent)?;
            settle(turn, handover, HandoverStatus::Approved, comment);
            if let Some(settled) = turn
                .ticket
                .handovers
                .iter_mut()
                .find(|known| known.id == *handover)
            {
                settled.new_assignee = Some(agent.clone());
            }
            let reason =
                comment.map_or_else(|| "Handover".to_owned(), |comment| format!("Handover: {comment}"));
            assignment::give(turn, id, &agent, Some(&reason))?;
            let details = json!({"trigger": "handover_approval", "handover_request_id": handover});
            turn.grant(
                &agent,
                GrantedPersona::Agent,
                GrantSource::HandoverAssignment,
                id,
                details,
            );
            let details = json!({
                "old_agent_email": before.as_ref().map(|person| &person.email),
                "new_agent_email": agent.email,
            });
            turn.audit(AuditEventType::HandoverApproved, Some(id), details);
            assignment::tell_reassigned(turn, id, before.as_ref(), &agent, &reason);
        }
    }
    Ok(Acted::Applied)
}

/// Withdraws a pending handover.
pub(super) fn cancel(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    handover: &HandoverId,
) -> Result<Acted, Undecided> {
    let known = find(turn, id, handover)?.clone();
    if !known.requested_by.is_same(&turn.actor().person) {
        return Err(
            Refusal::PermissionDenied("only the agent who asked for the handover may withdraw it").into(),
        );
    }
    permission_guard::check_step(
        &turn.ticket,
        turn.actor(),
        StepAction::CancelHandover,
        turn.step(id)?,
    )?;
    must_be_pending(&known)?;
    settle(
        turn,
        handover,
        HandoverStatus::Cancelled,
        Some("withdrawn by the agent"),
    );
    turn.change_step(id)?;
    let details =
        json!({"ticket_step_id": id, "handover_request_id": handover, "reason": "withdrawn by the agent"});
    turn.audit(AuditEventType::HandoverCancelled, Some(id), details);
    tell_withdrawn(turn, id)?;
    Ok(Acted::Applied)
}

fn find<'t>(turn: &'t Turn<'_>, id: &TicketStepId, handover: &HandoverId) -> Result<&'t Handover, Refusal> {
    let mut of_step = turn
        .ticket
        .handovers
        .iter()
        .filter(|known| known.ticket_step_id == *id);
    of_step
        .find(|known| known.id == *handover)
        .ok_or(Refusal::NotFound {
            what: "handover request",
        })
}

fn must_be_pending(handover: &Handover) -> Result<(), Refusal> {
    if handover.status == HandoverStatus::Pending {
        return Ok(());
    }
    Err(Refusal::invalid_state("this handover has already been decided"))
}

fn settle(turn: &mut Turn<'_>, id: &HandoverId, status: HandoverStatus, comment: Option<&str>) {
    let (now, actor) = (turn.now(), turn.actor().person.clone());
    for handover in turn.ticket.handovers.iter_mut().filter(|known| known.id == *id) {
        handover.status = status;
        handover.decided_at = Some(now);
        handover.decision_comment = comment.map(str::to_owned);
        handover.decided_by = (status != HandoverStatus::Cancelled).then(|| actor.clone());
    }
}

/// Whoever was asked to decide need not any more (C13).
fn tell_withdrawn(turn: &mut Turn<'_>, id: &TicketStepId) -> Result<(), Refusal> {
    let text = format!(
        "{} keeps a task of \"{}\" after all.",
        turn.actor().person.display_name,
        turn.ticket.title
    );
    tell_deciders(turn, id, "Handover withdrawn", text)
}

fn tell_rejected(turn: &mut Turn<'_>, id: &TicketStepId, handover: &Handover) {
    let actor = turn.actor().person.clone();
    let message = Message::new(
        TemplateKey::TaskReassigned,
        "Handover refused",
        format!(
            "{} refused to hand over your task of \"{}\".",
            actor.display_name, turn.ticket.title
        ),
        json!({}),
    );
    let message = message
        .about(id)
        .by(&actor)
        .in_app_only()
        .listed(NoticeCategory::Task, "/agent/tasks");
    turn.notify(&handover.requested_by, &message);
}
