//! The data of a change request: which keys may change, whether the result keeps the forms' rules, and what differs
//! field by field (contract engine-actions 7.2, S21 to S23).

use crate::domain::id::AttachmentId;
use crate::domain::json::JsonObject;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{AttachmentAction, AttachmentChange, FieldChange, FormData, Phase, Step, Ticket};
use crate::domain::workflow::StepType;
use crate::engine::change_diff;
use crate::engine::decision::Undecided;
use crate::engine::definition::{FormDefinition, StepDefinition};
use crate::engine::form_validator::{self, Surroundings};
use crate::engine::turn::Turn;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A proposal that keeps every rule, with what it changes.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    /// The whole data as it would be.
    pub(super) proposed: FormData,
    /// The fields that differ, in definition order.
    pub(super) field_changes: Vec<FieldChange>,
    /// The files that differ.
    pub(super) attachment_changes: Vec<AttachmentChange>,
}

impl Proposal {
    /// The files that are not the ticket's yet.
    pub(super) fn added_files(&self, known: &[AttachmentId]) -> Vec<AttachmentId> {
        self.proposed
            .attachment_ids
            .iter()
            .filter(|id| !known.contains(id))
            .cloned()
            .collect()
    }
}

/// The form data as it is.
pub(super) fn current(ticket: &Ticket) -> FormData {
    FormData {
        form_values: ticket.form_values.clone(),
        attachment_ids: ticket.attachment_ids.clone(),
    }
}

/// Checks a proposal: only keys of the requester's completed forms, absent keys unchanged, the rules of the forms kept.
pub(super) fn propose(
    turn: &Turn<'_>,
    proposed: &JsonObject,
    attachments: Option<&[AttachmentId]>,
) -> Result<Proposal, Undecided> {
    form_validator::check_size(proposed)?;
    let forms = completed_forms(turn)?;
    refuse_foreign_keys(turn, &forms, proposed)?;
    let mut merged = turn.ticket.form_values.clone();
    merged.extend(proposed.clone().into_map());
    for definition in &forms {
        let Some(form) = definition.form() else { continue };
        let around = Surroundings {
            own_step: &definition.key,
            other_values: &merged,
            today: turn.sheet().policy.today,
        };
        let own = own_values(form, &merged);
        let messages = form_validator::validate(form, &own, around);
        if !messages.is_empty() {
            return Err(Refusal::Validation {
                messages,
                step_id: Some(definition.key.clone()),
            }
            .into());
        }
    }
    let files = proposed_files(turn, &forms, &merged, attachments);
    let field_changes = change_diff::fields(&forms, &turn.ticket.form_values, &merged);
    let attachment_changes = file_differences(turn, &turn.ticket.attachment_ids, &files)?;
    if field_changes.is_empty() && attachment_changes.is_empty() {
        return Err(Refusal::invalid("the proposal changes nothing").into());
    }
    let proposed = FormData {
        form_values: merged,
        attachment_ids: files,
    };
    Ok(Proposal {
        proposed,
        field_changes,
        attachment_changes,
    })
}

/// Gives each completed form its own values of the ticket's data (S22); earlier rounds keep what was said in them.
pub(super) fn refresh_forms(turn: &mut Turn<'_>) -> Result<(), Undecided> {
    let ticket = &turn.ticket;
    let completed = ticket
        .steps
        .iter()
        .filter(|s| s.kind == StepType::Form && s.phase == Phase::Completed);
    let is_newest = |step: &Step| {
        completed.clone().all(|other| {
            other.key != step.key || other.container != step.container || other.round <= step.round
        })
    };
    let completed: Vec<_> = completed
        .clone()
        .filter(|step| is_newest(step))
        .cloned()
        .collect();
    for step in completed {
        let definition = turn.definition_of(&step)?;
        let Some(form) = definition.form() else { continue };
        let values = JsonObject::from(own_values(form, &turn.ticket.form_values));
        turn.change_step(&step.id)?.form_values = Some(values);
    }
    Ok(())
}

/// One difference as messages show it.
pub(super) fn change_view(change: &FieldChange) -> Value {
    json!({
        "field_key": change.field_key,
        "field_label": change.field_label,
        "old_value": change.old_value.get("value"),
        "new_value": change.new_value.get("value"),
        "step_id": change.step_id,
    })
}

/// The forms that the requester has completed, in definition order, each once.
fn completed_forms(turn: &Turn<'_>) -> Result<Vec<Arc<StepDefinition>>, Undecided> {
    let mut forms: Vec<Arc<StepDefinition>> = Vec::new();
    for step in turn
        .ticket
        .steps
        .iter()
        .filter(|s| s.kind == StepType::Form && s.phase == Phase::Completed)
    {
        let definition = turn.definition_of(step)?;
        if !forms.iter().any(|known| Arc::ptr_eq(known, &definition)) {
            forms.push(definition);
        }
    }
    Ok(forms)
}

/// A key that no completed form has may be sent back unchanged, as the client does, but not changed.
fn refuse_foreign_keys(
    turn: &Turn<'_>,
    forms: &[Arc<StepDefinition>],
    proposed: &JsonObject,
) -> Result<(), Refusal> {
    let single = |key: &str| {
        forms
            .iter()
            .filter_map(|definition| definition.form())
            .any(|form| {
                form.fields.iter().any(|field| field.key == key)
                    || form.sections.iter().any(|s| s.values_key() == key)
            })
    };
    let foreign = proposed.iter().filter(|(key, _)| !single(key));
    let changed = foreign.filter(|(key, value)| turn.ticket.form_values.get(*key) != Some(*value));
    let messages: Vec<String> = changed
        .map(|(key, _)| format!("{key} is not a field of a form you have submitted"))
        .collect();
    if messages.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Validation {
            messages,
            step_id: None,
        })
    }
}

fn own_values(form: &FormDefinition, values: &JsonObject) -> Map<String, Value> {
    let foreign = form_validator::foreign_keys(form, values);
    values
        .iter()
        .filter(|(key, _)| !foreign.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// The files named beside the values, else the present ones, with those that the values name.
fn proposed_files(
    turn: &Turn<'_>,
    forms: &[Arc<StepDefinition>],
    merged: &JsonObject,
    given: Option<&[AttachmentId]>,
) -> Vec<AttachmentId> {
    let mut files = given.unwrap_or(&turn.ticket.attachment_ids).to_vec();
    for form in forms.iter().filter_map(|definition| definition.form()) {
        for file in form_validator::files(form, merged) {
            if !files.contains(&file.id) {
                files.push(file.id);
            }
        }
    }
    files
}

/// The files that come and go; names are looked up for the ones that are new.
fn file_differences(
    turn: &Turn<'_>,
    old: &[AttachmentId],
    new: &[AttachmentId],
) -> Result<Vec<AttachmentChange>, Undecided> {
    let removed = old
        .iter()
        .filter(|id| !new.contains(id))
        .map(|id| (id, AttachmentAction::Removed));
    let added = new
        .iter()
        .filter(|id| !old.contains(id))
        .map(|id| (id, AttachmentAction::Added));
    let changed: Vec<_> = removed.chain(added).collect();
    let unknown: Vec<AttachmentId> = changed
        .iter()
        .filter(|(id, _)| turn.sheet().attachment(id).is_none())
        .map(|(id, _)| (*id).clone())
        .collect();
    if !unknown.is_empty() {
        return Err(Undecided::Needs(vec![crate::engine::facts::Need::Attachments(
            unknown,
        )]));
    }
    let name = |id: &AttachmentId| {
        let fact = turn.sheet().attachment(id).and_then(|named| named.fact.as_ref());
        fact.map(|fact| fact.filename.clone()).unwrap_or_default()
    };
    Ok(changed
        .into_iter()
        .map(|(id, action)| AttachmentChange {
            attachment_id: id.clone(),
            filename: name(id),
            action,
        })
        .collect())
}
