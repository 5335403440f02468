//! Assigns and reassigns agents; a step has exactly one active assignment (contract engine-actions 4.5, 4.6, S11, S14).

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::{AssignmentId, TicketStepId};
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::ticket::{Assignment, AssignmentStatus};
use crate::engine::closing;
use crate::engine::command::NamedPerson;
use crate::engine::decision::{GrantSource, GrantedPersona, Undecided};
use crate::engine::named_person;
use crate::engine::notices::Message;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::timers;
use crate::engine::turn::Turn;
use serde_json::{Value, json};

/// Gives an unassigned task to an agent; naming the same agent again succeeds without effect.
pub(super) fn assign(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    agent: &NamedPerson,
) -> Result<Acted, Undecided> {
    let assigned_by_actor = turn.ticket.active_assignment(id).is_some_and(|assignment| {
        assignment.assigned_to.email == agent.email && assignment.assigned_by.is_same(&turn.actor().person)
    });
    if assigned_by_actor && turn.ticket.is_live() {
        return Ok(Acted::AlreadyDone(None));
    }
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::Assign, turn.step(id)?)?;
    let agent = named_person::resolve(turn, agent, GrantedPersona::Agent)?;
    give(turn, id, &agent, None)?;
    let details = json!({"trigger": "task_assignment"});
    turn.grant(
        &agent,
        GrantedPersona::Agent,
        GrantSource::TaskAssignment,
        id,
        details,
    );
    turn.audit(
        AuditEventType::AssignAgent,
        Some(id),
        json!({"agent_email": agent.email}),
    );
    let actor = turn.actor().person.clone();
    let due = turn.step(id)?.due_at.map(crate::domain::time::Timestamp::to_wire);
    let message = Message::new(
        TemplateKey::TaskAssigned,
        "Task assigned",
        format!(
            "{} assigned you a task of \"{}\".",
            actor.display_name, turn.ticket.title
        ),
        json!({"assigned_by_name": actor.display_name, "due_date": due}),
    );
    turn.notify(&agent, &message.about(id).by(&actor));
    Ok(Acted::Applied)
}

/// Gives an assigned task to another agent; the one before is told.
pub(super) fn reassign(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    agent: &NamedPerson,
    reason: Option<&str>,
) -> Result<Acted, Undecided> {
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::Reassign, turn.step(id)?)?;
    let before = turn.step(id)?.assignee.clone();
    if before.as_ref().is_some_and(|person| person.email == agent.email) {
        return Ok(Acted::AlreadyDone(None));
    }
    let agent = named_person::resolve(turn, agent, GrantedPersona::Agent)?;
    closing::cancel_handover(turn, id);
    give(turn, id, &agent, reason)?;
    let details = json!({
        "trigger": "task_reassignment",
        "previous_agent": before.as_ref().map(|person| &person.email),
    });
    turn.grant(
        &agent,
        GrantedPersona::Agent,
        GrantSource::ReassignAgent,
        id,
        details,
    );
    let details = json!({
        "old_agent_email": before.as_ref().map(|person| &person.email),
        "new_agent_email": agent.email,
        "reason": reason,
    });
    turn.audit(AuditEventType::ReassignAgent, Some(id), details);
    tell_reassigned(turn, id, before.as_ref(), &agent, reason.unwrap_or_default());
    Ok(Acted::Applied)
}

/// Ends the active assignment of a task, if any, and starts one of `agent`.
pub(super) fn give(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    agent: &Person,
    reason: Option<&str>,
) -> Result<(), Undecided> {
    let now = turn.now();
    for assignment in &mut turn.ticket.assignments {
        if assignment.ticket_step_id == *id && assignment.status == AssignmentStatus::Active {
            assignment.status = AssignmentStatus::Reassigned;
            assignment.ended_at = Some(now);
        }
    }
    let assignment = Assignment {
        id: AssignmentId::derived(&turn.draw_seed()),
        ticket_step_id: id.clone(),
        assigned_to: agent.clone(),
        assigned_by: turn.actor().person.clone(),
        status: AssignmentStatus::Active,
        reason: reason.map(str::to_owned),
        assigned_at: now,
        ended_at: None,
    };
    turn.ticket.assignments.push(assignment);
    turn.change_step(id)?.assignee = Some(agent.clone());
    timers::forget_acknowledgement(turn, id)
}

/// Tells the new agent and the one before.
pub(super) fn tell_reassigned(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    before: Option<&Person>,
    agent: &Person,
    reason: &str,
) {
    let actor = turn.actor().person.clone();
    let payload: Value = json!({
        "previous_agent": before.map(|person| &person.email),
        "new_agent": agent.email,
        "reassigned_by": actor.display_name,
        "reason": reason,
    });
    let text = format!(
        "A task of \"{}\" is now with {}.",
        turn.ticket.title, agent.display_name
    );
    let message = Message::new(TemplateKey::TaskReassigned, "Task reassigned", text, payload)
        .about(id)
        .by(&actor);
    turn.notify(agent, &message);
    turn.notify_others(before, &message);
}
