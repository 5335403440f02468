//! Raises a ticket (contract engine-core 2, with HZ-2, HZ-3, HZ-4b, HZ-10, HZ-20 and HZ-44 as targets).

use crate::domain::audit::AuditEventType;
use crate::domain::id::{StepKey, TicketStepId};
use crate::domain::json::JsonObject;
use crate::domain::notice::TemplateKey;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Phase, Step, Ticket};
use crate::domain::workflow::{PinnedWorkflow, StepType, TransitionEvent};
use crate::engine::actions::submit_form;
use crate::engine::advance::{self, Move, Scope};
use crate::engine::approver_resolver::key_text;
use crate::engine::command::CreateTicket;
use crate::engine::decision::{GrantSource, GrantedPersona, Undecided};
use crate::engine::definition::{CompiledWorkflow, FieldType, FormDefinition, StepKind};
use crate::engine::facts::{Facts, LookupQuestion, Need};
use crate::engine::form_validator::{self, Surroundings};
use crate::engine::notices::Message;
use crate::engine::transition_resolver::Route;
use crate::engine::turn::Turn;
use serde_json::{Map, json};
use std::sync::Arc;

/// Raises the ticket: validates and resolves everything first, so that a refusal leaves nothing behind.
pub(super) fn create<'a>(command: &CreateTicket, facts: Facts<'a>) -> Result<Turn<'a>, Undecided> {
    let workflow = Arc::clone(&facts.definitions.own);
    form_validator::check_size(&command.initial_form_values)?;
    let Some(manager) = &facts.sheet.manager else {
        return Err(Undecided::Needs(vec![Need::Manager]));
    };
    let forms = wizard_forms(&workflow, command)?;
    let mut turn = Turn::open(blank(command, &workflow, &facts, manager.person.clone()), facts);
    materialise(&mut turn, &workflow)?;
    accept_values(&mut turn, command, forms)?;
    let first = if forms.is_empty() {
        Move::Enter(workflow.start.clone(), Scope::main())
    } else {
        complete_wizard_forms(&mut turn, forms)?
    };
    advance::advance(&mut turn, first)?;
    let name = turn.ticket.workflow.name.clone();
    turn.audit(AuditEventType::CreateTicket, None, json!({"workflow_name": name}));
    tell_requester(&mut turn);
    tell_lookup_users(&mut turn, &workflow)?;
    Ok(turn)
}

fn blank(
    command: &CreateTicket,
    workflow: &CompiledWorkflow,
    facts: &Facts<'_>,
    manager: Option<crate::domain::person::Person>,
) -> Ticket {
    let pinned = PinnedWorkflow {
        workflow_id: workflow.workflow_id.clone(),
        version_id: workflow.version_id.clone(),
        version_number: workflow.version_number,
        name: workflow.name.clone(),
        start_step_id: workflow.start.clone(),
    };
    let requester = facts.sheet.actor.person.clone().with_role("requester");
    let (id, title) = (command.ticket_id.clone(), command.title.clone());
    Ticket {
        description: command.description.clone(),
        manager,
        current_step_id: Some(workflow.start.clone()),
        ..Ticket::new(id, pinned, title, requester, facts.sheet.now)
    }
}

/// The forms filled in the wizard: they begin with the start step, and each is a form (HZ-44). That each leads to the
/// next is seen when they are completed.
fn wizard_forms<'c>(
    workflow: &CompiledWorkflow,
    command: &'c CreateTicket,
) -> Result<&'c [StepKey], Refusal> {
    let forms = command.initial_form_step_ids.as_slice();
    for (index, key) in forms.iter().enumerate() {
        let is_form = workflow
            .step(key)
            .is_some_and(|step| matches!(step.kind, StepKind::Form(_)));
        if !is_form || (index == 0 && *key != workflow.start) {
            return Err(not_a_leading_form(key));
        }
    }
    Ok(forms)
}

fn not_a_leading_form(key: &StepKey) -> Refusal {
    Refusal::Validation {
        messages: vec![format!(
            "{key} is not a form that can be filled in while raising a ticket"
        )],
        step_id: Some(key.clone()),
    }
}

fn materialise(turn: &mut Turn<'_>, workflow: &CompiledWorkflow) -> Result<(), Refusal> {
    for definition in workflow.steps.values() {
        let id = TicketStepId::derived(&turn.draw_seed());
        let step = Step::not_started(
            id,
            definition.key.clone(),
            definition.name.clone(),
            definition.step_type(),
        );
        turn.ticket.steps.push(step);
    }
    if turn.ticket.steps.is_empty() {
        return Err(Refusal::WorkflowNotFound {
            message: "this workflow version has no steps".to_owned(),
        });
    }
    Ok(())
}

/// Takes the initial values: with the wizard they must keep the rules of its forms, on the plain path they are kept for
/// the start form, which is submitted later.
fn accept_values(turn: &mut Turn<'_>, command: &CreateTicket, forms: &[StepKey]) -> Result<(), Undecided> {
    let workflow = Arc::clone(&turn.facts.definitions.own);
    let keys = if forms.is_empty() {
        vec![workflow.start.clone()]
    } else {
        forms.to_vec()
    };
    let mut accepted = JsonObject::new();
    let mut files = Vec::new();
    for key in &keys {
        let Some(form) = workflow.step(key).and_then(|step| step.form()) else {
            continue;
        };
        let own = own_values(form, &command.initial_form_values);
        if !forms.is_empty() {
            let around = Surroundings {
                own_step: key,
                other_values: &command.initial_form_values,
                today: turn.sheet().policy.today,
            };
            let messages = form_validator::validate(form, &own, around);
            if !messages.is_empty() {
                return Err(Refusal::Validation {
                    messages,
                    step_id: Some(key.clone()),
                }
                .into());
            }
        }
        files.extend(
            form_validator::files(form, &own)
                .into_iter()
                .map(|file| (key.clone(), file)),
        );
        accepted.extend(own);
    }
    turn.ticket.form_values = accepted;
    for (key, file) in files {
        submit_form::attach(turn, &[file.id], Some(key.as_str()), &file.field_key)?;
    }
    submit_form::attach(turn, &command.attachment_ids, None, "form")?;
    Ok(())
}

/// The values that belong to a form; what other keys hold is left out (HZ-10).
fn own_values(form: &FormDefinition, values: &JsonObject) -> Map<String, serde_json::Value> {
    let foreign = form_validator::foreign_keys(form, values);
    values
        .iter()
        .filter(|(key, _)| !foreign.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Marks the wizard's forms as submitted, each led to by the one before; gives the move that follows the last one.
fn complete_wizard_forms(turn: &mut Turn<'_>, forms: &[StepKey]) -> Result<Move, Undecided> {
    let mut last: Option<TicketStepId> = None;
    for key in forms {
        if let Some(before) = &last {
            let leads_here = matches!(
                advance::way_on(turn, before, TransitionEvent::SubmitForm)?,
                Route::To(next) if next == *key
            );
            if !leads_here {
                return Err(not_a_leading_form(key).into());
            }
        }
        last = Some(complete_wizard_form(turn, key)?);
    }
    let last = last.ok_or(Refusal::StepNotFound)?;
    Ok(Move::Leave(last, TransitionEvent::SubmitForm))
}

fn complete_wizard_form(turn: &mut Turn<'_>, key: &StepKey) -> Result<TicketStepId, Undecided> {
    let now = turn.now();
    let requester = turn.ticket.requester.clone();
    let waiting = turn
        .ticket
        .newest_instance(None, key)
        .filter(|step| step.phase == Phase::NotStarted);
    let id = waiting.ok_or_else(|| not_a_leading_form(key))?.id.clone();
    let definition = turn.definition_of(turn.step(&id)?)?;
    let form = definition.form().ok_or(Refusal::StepNotFound)?;
    let values = JsonObject::from(own_values(form, &turn.ticket.form_values));
    let step = turn.change_step(&id)?;
    step.phase = Phase::Completed;
    step.assignee = Some(requester);
    step.started_at = Some(now);
    step.completed_at = Some(now);
    step.form_values = Some(values.clone());
    submit_form::audit_submission(turn, &id, &values);
    turn.ticket.current_step_id = Some(key.clone());
    Ok(id)
}

fn tell_requester(turn: &mut Turn<'_>) {
    let requester = turn.ticket.requester.clone();
    let message = Message::new(
        TemplateKey::TicketCreated,
        "Request received",
        format!("\"{}\" has been received.", turn.ticket.title),
        json!({}),
    );
    turn.notify(&requester, &message);
}

/// Tells the users of every lookup entry that the form values choose, the requester left out, and lets them act as
/// agents (contract engine-core 2, step 11).
fn tell_lookup_users(turn: &mut Turn<'_>, workflow: &CompiledWorkflow) -> Result<(), Undecided> {
    let mut needs = Vec::new();
    let mut told = Vec::new();
    for step in workflow
        .steps
        .values()
        .filter(|step| step.step_type() == StepType::Form)
    {
        let fields = step.form().map(|form| form.fields.as_slice()).unwrap_or_default();
        for field in fields
            .iter()
            .filter(|field| field.field_type == FieldType::LookupUserSelect)
        {
            let (Some(form), Some(key)) = (&field.rules.lookup_step_id, &field.rules.lookup_field_key) else {
                continue;
            };
            let Some(value) = turn.ticket.form_values.get(key).and_then(key_text) else {
                continue;
            };
            let question = LookupQuestion::Bound {
                workflow_id: workflow.workflow_id.clone(),
                step_id: form.clone(),
                field_key: key.clone(),
                key: value,
            };
            match turn.sheet().lookup(&question) {
                Some(answer) => told.extend(answer.users.iter().cloned()),
                None => needs.push(Need::Lookup(question)),
            }
        }
    }
    if !needs.is_empty() {
        return Err(Undecided::Needs(needs));
    }
    let Some(first) = turn.ticket.steps.first().map(|step| step.id.clone()) else {
        return Ok(());
    };
    for user in told {
        if user.person.is_same(&turn.ticket.requester) {
            continue;
        }
        turn.tell_lookup_user(&user.person, user.is_primary, None);
        let details = json!({"trigger": "lookup_assignment"});
        turn.grant(
            &user.person,
            GrantedPersona::Agent,
            GrantSource::LookupAssignment,
            &first,
            details,
        );
    }
    Ok(())
}
