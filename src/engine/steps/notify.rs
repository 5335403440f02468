//! Notification steps: they tell people and pass at once, but the end of a workflow, embedded ones too, waits for its late
//! branches.

use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::person::{Email, Person};
use crate::domain::ticket::{Phase, Step};
use crate::domain::workflow::{StepType, TransitionEvent};
use crate::engine::advance::{Move, Moves, Scope};
use crate::engine::closing::{Ending, end_step};
use crate::engine::decision::Undecided;
use crate::engine::definition::{CompiledWorkflow, NotifyDefinition, StepDefinition};
use crate::engine::notices::Message;
use crate::engine::scopes;
use crate::engine::turn::Turn;
use serde_json::{Value, json};

/// The title of a notice that says no more than that something has happened.
const NEWS: &str = "News on a request";

/// Tells the recipients and moves on. Only the end of the ticket's own workflow announces its completion (HZ-42): on the
/// way there the completion template, which is also the default, becomes a notice in the application.
pub(super) fn pass(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    definition: &StepDefinition,
    notification: &NotifyDefinition,
    moves: &mut Moves,
) -> Result<(), Undecided> {
    let people = recipients(turn, &notification.recipients);
    let template = template_of(&notification.template);
    let step = turn.step(id)?;
    let (name, scope) = (step.name.clone(), Scope::of(step));
    let workflow = turn.workflow_in(scope.container.as_ref())?;
    let text = format!("{name}: \"{}\".", turn.ticket.title);
    let message = if template != TemplateKey::TicketCompleted {
        Message::new(template, title_of(template), text, json!({}))
    } else if scope == Scope::main() && is_end(&workflow, definition) {
        let payload = json!({"completion_time": turn.now().to_wire()});
        Message::new(template, title_of(template), text, payload)
    } else {
        Message::new(template, NEWS, text, json!({})).in_app_only()
    };
    for person in &people {
        turn.notify(person, &message);
    }
    turn.audit(
        AuditEventType::StepActivated,
        Some(id),
        json!({"step_name": name}),
    );
    let addresses: Vec<_> = people.iter().map(|person| person.email.clone()).collect();
    turn.audit(
        AuditEventType::NotifySent,
        Some(id),
        json!({"template": template, "recipients": addresses}),
    );
    end_step(turn, id, Ending::DONE)?;
    moves.push(Move::Leave(id.clone(), TransitionEvent::CompleteTask));
    Ok(())
}

/// Whether this is the end of the workflow and branches whose join has passed still run.
pub(super) fn must_wait_for_late_branches(
    turn: &Turn<'_>,
    workflow: &CompiledWorkflow,
    definition: &StepDefinition,
    scope: &Scope,
) -> bool {
    definition.step_type() == StepType::Notify
        && scope.branch.is_none()
        && is_end(workflow, definition)
        && scopes::has_late_branches(&turn.ticket, scope.container.as_ref())
}

/// Whether the workflow ends behind this notification.
fn is_end(workflow: &CompiledWorkflow, definition: &StepDefinition) -> bool {
    let onward = workflow.edges_on(&definition.key, TransitionEvent::CompleteTask);
    definition.is_terminal && onward.is_empty()
}

/// Lets the end wait.
pub(super) fn defer(turn: &mut Turn<'_>, id: &TicketStepId) -> Result<(), Undecided> {
    let step = turn.step(id)?;
    let (name, container) = (step.name.clone(), step.container.clone());
    turn.ticket.set_pending_end(container.as_ref(), Some(id.clone()));
    let details = json!({"action": "deferred", "reason": "branches are still running", "step_name": name});
    turn.audit(AuditEventType::StepActivated, Some(id), details);
    Ok(())
}

/// The people that recipient words and addresses mean; the requester when they mean nobody.
///
/// Addresses outside of the allowed domains and of the requester's own are left out (contract http-workflows 3.4).
pub(crate) fn recipients(turn: &Turn<'_>, words: &[String]) -> Vec<Person> {
    let ticket = &turn.ticket;
    let completed = |kind: StepType| {
        ticket
            .steps
            .iter()
            .filter(move |step: &&Step| step.kind == kind && step.phase == Phase::Completed)
    };
    let mut people: Vec<Person> = Vec::new();
    for word in words {
        let found: Vec<Person> = match word.to_lowercase().as_str() {
            "requester" => vec![ticket.requester.clone()],
            "manager" => ticket.manager.iter().cloned().collect(),
            "assigned_agent" => completed(StepType::Task)
                .filter_map(|step| step.assignee.clone())
                .collect(),
            "approvers" => completed(StepType::Approval)
                .filter_map(|step| step.assignee.clone())
                .collect(),
            _ => literal(turn, word).into_iter().collect(),
        };
        people.extend(found);
    }
    let mut distinct: Vec<Person> = Vec::new();
    for person in people {
        if !distinct.iter().any(|known| known.is_same(&person)) {
            distinct.push(person);
        }
    }
    if distinct.is_empty() {
        distinct.push(ticket.requester.clone());
    }
    distinct
}

/// An address as a recipient, when its domain is allowed.
pub(crate) fn literal(turn: &Turn<'_>, word: &str) -> Option<Person> {
    let email = Email::try_from(word).ok()?;
    let domain = |email: &Email| email.key().rsplit_once('@').map(|(_, domain)| domain.to_owned());
    let wanted = domain(&email)?;
    let own = domain(&turn.ticket.requester.email);
    let allowed = own.is_some_and(|own| own == wanted) || turn.sheet().policy.mail_domains.contains(&wanted);
    allowed.then(|| Person::from_email(email))
}

/// The template a designer chose; the completion template for unknown words.
fn template_of(word: &str) -> TemplateKey {
    serde_json::from_value(Value::from(word)).unwrap_or(TemplateKey::TicketCompleted)
}

fn title_of(template: TemplateKey) -> &'static str {
    if template == TemplateKey::TicketCompleted {
        "Request completed"
    } else if template == TemplateKey::TicketCreated {
        "Request received"
    } else {
        NEWS
    }
}
