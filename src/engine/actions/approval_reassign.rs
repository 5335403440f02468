//! Passes an approval on to somebody else (contract engine-actions 4.7, A7, A18).

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::ApprovalDecision;
use crate::engine::command::NamedPerson;
use crate::engine::decision::{AdminAuditRow, Effect, GrantSource, GrantedPersona, Undecided};
use crate::engine::named_person;
use crate::engine::notices::Message;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::timers;
use crate::engine::turn::{Turn, as_object};
use serde_json::json;

/// Replaces the actor among the approvers of a step.
pub(super) fn reassign(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    approver: &NamedPerson,
    reason: Option<&str>,
) -> Result<Acted, Undecided> {
    permission_guard::check_step(
        &turn.ticket,
        turn.actor(),
        StepAction::ReassignApproval,
        turn.step(id)?,
    )?;
    let actor = turn.actor().person.clone();
    let named = approver;
    let approver = named_person::resolve(turn, named, GrantedPersona::Manager)?;
    if approver.is_same(&actor) {
        return Err(Refusal::invalid_state("you are the approver already").into());
    }
    if approver.is_same(&turn.ticket.requester) {
        return Err(Refusal::invalid_state("the requester cannot approve the own request").into());
    }
    if turn
        .ticket
        .approval_tasks_of(id)
        .any(|task| task.approver.is_same(&approver))
    {
        return Err(Refusal::invalid_state("this person is an approver of this step already").into());
    }
    let now = turn.now();
    // The actor may be known by another address than the one that was asked.
    let mut asked_as = vec![actor.email.clone()];
    for task in &mut turn.ticket.approval_tasks {
        let own = task.ticket_step_id == *id && task.approver.is_same(&actor);
        if own && task.decision == ApprovalDecision::Pending {
            asked_as.push(task.approver.email.clone());
            task.approver = approver.clone();
            task.updated_at = Some(now);
        }
    }
    let step = turn.change_step(id)?;
    let was_assignee = step
        .assignee
        .as_ref()
        .is_some_and(|assignee| assignee.is_same(&actor));
    if was_assignee {
        step.assignee = Some(approver.clone());
    }
    if let Some(round) = step
        .approval
        .as_mut()
        .filter(|round| asked_as.contains(&round.primary))
    {
        round.primary = approver.email.clone();
    }
    if was_assignee {
        timers::forget_acknowledgement(turn, id)?;
    }
    let onboarded = onboarding(turn, named)?;
    record(turn, id, &approver, onboarded, reason);
    Ok(Acted::Applied)
}

/// Whether the new approver gets the persona by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onboarding {
    /// Held before.
    NotNeeded,
    /// Comes with the approval.
    Needed,
}

fn onboarding(turn: &Turn<'_>, named: &NamedPerson) -> Result<Onboarding, Undecided> {
    let held = named_person::fact(turn, &named.email)?.personas;
    Ok(if GrantedPersona::Manager.is_in(held) {
        Onboarding::NotNeeded
    } else {
        Onboarding::Needed
    })
}

fn record(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    approver: &Person,
    onboarding: Onboarding,
    reason: Option<&str>,
) {
    let is_onboarded = onboarding == Onboarding::Needed;
    let actor = turn.actor().person.clone();
    let details = json!({"trigger": "approval_reassignment"});
    turn.grant(
        approver,
        GrantedPersona::Manager,
        GrantSource::ApprovalReassignment,
        id,
        details,
    );
    let details = json!({
        "ticket_id": turn.ticket.id,
        "ticket_step_id": id,
        "ticket_title": turn.ticket.title,
        "reason": reason,
        "new_approver_auto_onboarded": is_onboarded,
    });
    turn.effect(Effect::AdminAudit(AdminAuditRow {
        action: "REASSIGN_APPROVAL".to_owned(),
        actor: actor.clone(),
        target: approver.clone(),
        details: as_object(details),
        at: turn.now(),
    }));
    let details = json!({
        "previous_approver": actor.email,
        "new_approver": approver.email,
        "new_approver_display_name": approver.display_name,
        "reason": reason,
        "auto_onboarded": is_onboarded,
    });
    turn.audit(AuditEventType::ReassignApproval, Some(id), details);
    let message = Message::new(
        TemplateKey::ApprovalReassigned,
        "Approval passed on to you",
        format!(
            "{} passed the approval of \"{}\" on to you.",
            actor.display_name, turn.ticket.title
        ),
        json!({
            "reassigned_by_name": actor.display_name,
            "reassigned_by_email": actor.email,
            "reason": reason,
        }),
    );
    turn.notify(approver, &message.about(id).by(&actor));
}
