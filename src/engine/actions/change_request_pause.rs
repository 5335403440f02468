//! Work pauses while a change request is reviewed, and goes on when it is decided (contract engine-actions 7.4).

use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::ticket::{ApprovalDecision, ChangeRequest};
use crate::engine::decision::Undecided;
use crate::engine::notices::Message;
use crate::engine::timers;
use crate::engine::turn::Turn;
use serde_json::json;

/// Pauses every live step that is not on hold; its clock stands still meanwhile.
pub(super) fn pause(turn: &mut Turn<'_>, request: &ChangeRequest) -> Result<(), Undecided> {
    let now = turn.now();
    let live = turn
        .ticket
        .steps
        .iter()
        .filter(|step| step.is_live() && !step.is_held());
    let live: Vec<TicketStepId> = live.map(|step| step.id.clone()).collect();
    for id in &live {
        turn.change_step(id)?.paused_at = Some(now);
    }
    let details = json!({
        "change_request_id": request.id,
        "paused_steps_count": live.len(),
        "paused_steps": keys(turn, &live),
    });
    turn.audit(AuditEventType::ChangeRequestWorkflowPaused, None, details);
    let message = Message::new(
        TemplateKey::ChangeRequestWorkflowPaused,
        "Work paused",
        format!(
            "Work on \"{}\" pauses until a change is reviewed.",
            turn.ticket.title
        ),
        json!({
            "change_request_id": request.id,
            "paused_steps_count": live.len(),
            "paused_steps": names(turn, &live),
        }),
    );
    let concerned = concerned(turn, &live);
    let actor = turn.actor().person.clone();
    turn.notify_others(&concerned, &message.by(&actor));
    Ok(())
}

/// Lets every paused step go on; due times move by the time paused.
pub(super) fn resume(
    turn: &mut Turn<'_>,
    request: &ChangeRequest,
    resolution: &str,
) -> Result<(), Undecided> {
    let now = turn.now();
    let paused = turn.ticket.steps.iter().filter(|step| step.is_live());
    let paused: Vec<_> = paused
        .filter_map(|step| Some((step.id.clone(), step.paused_at?)))
        .collect();
    for (id, since) in &paused {
        timers::postpone(turn, id, now.since(*since).num_milliseconds())?;
        turn.change_step(id)?.paused_at = None;
    }
    timers::postpone_joins(turn, now.since(request.requested_at).num_milliseconds());
    let ids: Vec<TicketStepId> = paused.into_iter().map(|(id, _)| id).collect();
    let details = json!({
        "change_request_id": request.id,
        "resolution": resolution,
        "resumed_steps_count": ids.len(),
        "resumed_steps": keys(turn, &ids),
    });
    turn.audit(AuditEventType::ChangeRequestWorkflowResumed, None, details);
    let actor = turn.actor().person.clone();
    let text = format!("Work on \"{}\" goes on.", turn.ticket.title);
    let message = Message::new(
        TemplateKey::ChangeRequestWorkflowResumed,
        "Work goes on",
        text.clone(),
        json!({
            "change_request_id": request.id,
            "resolution": resolution,
            "resolver_name": actor.display_name,
            "resumed_steps_count": ids.len(),
            "resumed_steps": names(turn, &ids),
            "message": text,
        }),
    );
    let concerned = concerned(turn, &ids);
    turn.notify_others(&concerned, &message.by(&actor));
    Ok(())
}

/// Whom a pause or its end concerns: requester, manager, and those who work on the steps.
fn concerned(turn: &Turn<'_>, steps: &[TicketStepId]) -> Vec<Person> {
    let ticket = &turn.ticket;
    let mut people = vec![ticket.requester.clone()];
    people.extend(ticket.manager.clone());
    for id in steps {
        people.extend(ticket.step(id).and_then(|step| step.assignee.clone()));
        let pending = ticket
            .approval_tasks_of(id)
            .filter(|task| task.decision == ApprovalDecision::Pending);
        people.extend(pending.map(|task| task.approver.clone()));
    }
    people
}

fn keys(turn: &Turn<'_>, steps: &[TicketStepId]) -> Vec<String> {
    steps
        .iter()
        .filter_map(|id| turn.ticket.step(id))
        .map(|step| step.key.to_string())
        .collect()
}

fn names(turn: &Turn<'_>, steps: &[TicketStepId]) -> Vec<String> {
    steps
        .iter()
        .filter_map(|id| turn.ticket.step(id))
        .map(|step| step.name.clone())
        .collect()
}
