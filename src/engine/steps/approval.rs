//! Approval steps: their approvers are found and asked.

use crate::domain::id::{ApprovalTaskId, TicketStepId};
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, ApprovalRule, ApprovalTask, limits};
use crate::engine::approver_resolver::{self, Approvers};
use crate::engine::decision::{GrantSource, GrantedPersona, Undecided};
use crate::engine::definition::ApprovalDefinition;
use crate::engine::notices::Message;
use crate::engine::turn::Turn;
use serde_json::json;

/// The approvers get their tasks and are told; the lookup entry's other users are told as well.
pub(super) fn activate(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    approval: &ApprovalDefinition,
) -> Result<(), Undecided> {
    let step = turn.step(id)?.clone();
    let approvers = approver_resolver::resolve(turn, &step, approval)?;
    let primary = approvers
        .people
        .iter()
        .find(|person| person.email == approvers.round.primary)
        .cloned();
    let step = turn.change_step(id)?;
    step.assignee = primary.or_else(|| approvers.people.first().cloned());
    step.approval = Some(approvers.round.clone());
    let trigger = match approvers.round.rule {
        ApprovalRule::Single => "approval_step_activation",
        ApprovalRule::All
        | ApprovalRule::Any
        | ApprovalRule::Majority
        | ApprovalRule::Required(_)
        | ApprovalRule::Percentage(_) => "parallel_approval_step_activation",
    };
    for person in &approvers.people {
        ask(turn, id, person)?;
        let source = GrantSource::ApprovalAssignment;
        turn.grant(
            person,
            GrantedPersona::Manager,
            source,
            id,
            json!({"trigger": trigger}),
        );
    }
    inform(turn, id, &approvers);
    Ok(())
}

/// Whether the requester is asked for the approval of the own request, because there is nobody else.
pub(super) fn asks_the_requester(turn: &Turn<'_>, id: &TicketStepId) -> bool {
    let requester = &turn.ticket.requester;
    let mut tasks = turn.ticket.approval_tasks_of(id);
    tasks.any(|task| task.approver.is_same(requester))
}

fn ask(turn: &mut Turn<'_>, id: &TicketStepId, person: &Person) -> Result<(), Refusal> {
    if turn.ticket.approval_tasks.len() >= limits::APPROVAL_TASKS {
        return Err(Refusal::LimitReached {
            what: "approval tasks",
            limit: limits::APPROVAL_TASKS,
        });
    }
    let task = ApprovalTask {
        id: ApprovalTaskId::derived(&turn.draw_seed()),
        ticket_step_id: id.clone(),
        approver: person.clone(),
        decision: ApprovalDecision::Pending,
        comment: None,
        decided_at: None,
        created_at: turn.now(),
        updated_at: None,
    };
    turn.ticket.approval_tasks.push(task);
    let requester = turn.ticket.requester.clone();
    let message = Message::new(
        TemplateKey::ApprovalPending,
        "Approval needed",
        format!(
            "{} asks for your approval of \"{}\".",
            requester.display_name, turn.ticket.title
        ),
        json!({}),
    );
    turn.notify(person, &message.about(id).by(&requester));
    Ok(())
}

fn inform(turn: &mut Turn<'_>, id: &TicketStepId, approvers: &Approvers) {
    for person in &approvers.informed {
        turn.tell_lookup_user(person, false, Some(id));
        let details = json!({"trigger": "lookup_assignment"});
        turn.grant(
            person,
            GrantedPersona::Manager,
            GrantSource::LookupAssignment,
            id,
            details,
        );
    }
}

impl Turn<'_> {
    /// Tells a user of a lookup entry, unless it is the actor, and lets them see the ticket.
    pub(crate) fn tell_lookup_user(
        &mut self,
        person: &Person,
        is_primary: bool,
        step: Option<&TicketStepId>,
    ) {
        let by = self.actor().person.clone();
        let mut message = Message::new(
            TemplateKey::LookupUserAssigned,
            "You are named in a request",
            format!("You are responsible in \"{}\".", self.ticket.title),
            json!({"user_name": person.display_name, "is_primary": is_primary, "assigned_by": by.display_name}),
        )
        .by(&by);
        message.step = step.cloned();
        self.notify_others([person], &message);
        let known = self.ticket.watchers.iter().any(|watcher| watcher.is_same(person));
        if !known && self.ticket.watchers.len() < limits::WATCHERS {
            self.ticket.watchers.push(person.clone());
        }
    }
}
