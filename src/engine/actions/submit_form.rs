//! Submits a form (contract engine-core 5.1, with HZ-1, HZ-4, HZ-10 and HZ-20 as targets).

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::{AttachmentId, TicketStepId};
use crate::domain::json::JsonObject;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::Phase;
use crate::domain::workflow::TransitionEvent;
use crate::engine::advance::{self, Move};
use crate::engine::closing::{Ending, end_step};
use crate::engine::decision::Undecided;
use crate::engine::form_validator::{self, Surroundings};
use crate::engine::notices::preview;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::turn::Turn;
use serde_json::{Map, Value, json};

/// Accepts the values of a form and moves on.
pub(super) fn submit(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    values: &JsonObject,
    attachments: &[AttachmentId],
) -> Result<Acted, Undecided> {
    if is_repeat(turn, id, values)? {
        return Ok(Acted::AlreadyDone(None));
    }
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::SubmitForm, turn.step(id)?)?;
    form_validator::check_size(values)?;
    let definition = turn.definition_of(turn.step(id)?)?;
    let form = definition.form().ok_or(Refusal::StepNotFound)?;
    // The client sends the whole form state back; keys of other forms are left as they are (HZ-10).
    let foreign = form_validator::foreign_keys(form, values);
    let own: Map<String, Value> = values
        .iter()
        .filter(|(key, _)| !foreign.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let around = Surroundings {
        own_step: &definition.key,
        other_values: &turn.ticket.form_values,
        today: turn.sheet().policy.today,
    };
    let messages = form_validator::validate(form, &own, around);
    if !messages.is_empty() {
        return Err(Refusal::Validation {
            messages,
            step_id: Some(definition.key.clone()),
        }
        .into());
    }
    for file in form_validator::files(form, &own) {
        attach(turn, &[file.id], Some(definition.key.as_str()), &file.field_key)?;
    }
    attach(turn, attachments, Some(definition.key.as_str()), "form")?;
    let own = JsonObject::from(own);
    turn.ticket.form_values.extend(own.clone().into_map());
    turn.change_step(id)?.form_values = Some(own.clone());
    end_step(turn, id, Ending::DONE)?;
    audit_submission(turn, id, &own);
    advance::advance(turn, Move::Leave(id.clone(), TransitionEvent::SubmitForm))?;
    Ok(Acted::Applied)
}

/// Whether the requester has submitted exactly these values to this step before (design 8, repeats).
fn is_repeat(turn: &Turn<'_>, id: &TicketStepId, values: &JsonObject) -> Result<bool, Refusal> {
    let step = turn.step(id)?;
    let same_values = || {
        step.form_values.as_ref().is_some_and(|submitted| {
            submitted
                .iter()
                .all(|(key, value)| values.get(key) == Some(value))
        })
    };
    let own = turn.ticket.requester.is_same(&turn.actor().person);
    Ok(step.phase == Phase::Completed && own && same_values())
}

/// Ties files to the ticket and lists them.
pub(super) fn attach(
    turn: &mut Turn<'_>,
    files: &[AttachmentId],
    step: Option<&str>,
    context: &str,
) -> Result<(), Undecided> {
    turn.link_attachments(files, step, context)?;
    for id in files {
        if !turn.ticket.attachment_ids.contains(id) {
            turn.ticket.attachment_ids.push(id.clone());
        }
    }
    Ok(())
}

/// Records a submission with each value as text, cut at 100 characters.
pub(super) fn audit_submission(turn: &mut Turn<'_>, id: &TicketStepId, values: &JsonObject) {
    let summary: Map<String, Value> = values
        .iter()
        .map(|(key, value)| (key.clone(), summarised(value)))
        .collect();
    turn.audit(
        AuditEventType::SubmitForm,
        Some(id),
        json!({"form_values_summary": summary}),
    );
}

fn summarised(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let short = preview(&text, 100);
    if short.len() < text.len() {
        Value::from(format!("{short}..."))
    } else {
        Value::from(short)
    }
}
