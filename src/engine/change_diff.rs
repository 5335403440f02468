//! What differs between two states of a ticket's form data, field by field with labels (contract engine-actions 7.2, S23).

use super::definition::StepDefinition;
use super::facts::Definitions;
use super::turn::as_object;
use crate::domain::id::{AttachmentId, StepKey};
use crate::domain::json::JsonObject;
use crate::domain::ticket::{AttachmentAction, AttachmentChange, FieldChange, FormData, Ticket};
use crate::domain::workflow::StepType;
use serde_json::{Value, json};
use std::sync::Arc;

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differences {
    /// The fields, in definition order.
    pub field_changes: Vec<FieldChange>,
    /// The files.
    pub attachment_changes: Vec<AttachmentChange>,
}

/// What differs between two states of the form data of a ticket, over all its forms.
pub fn between(
    ticket: &Ticket,
    definitions: &Definitions,
    older: &FormData,
    newer: &FormData,
) -> Differences {
    let mut forms: Vec<Arc<StepDefinition>> = Vec::new();
    for step in ticket.steps.iter().filter(|step| step.kind == StepType::Form) {
        let workflow = definitions.workflow_in(ticket, step.container.as_ref());
        let Some(definition) = workflow.and_then(|workflow| workflow.step(&step.key)) else {
            continue;
        };
        if !forms.iter().any(|known| Arc::ptr_eq(known, definition)) {
            forms.push(Arc::clone(definition));
        }
    }
    let gone = older
        .attachment_ids
        .iter()
        .filter(|id| !newer.attachment_ids.contains(id));
    let come = newer
        .attachment_ids
        .iter()
        .filter(|id| !older.attachment_ids.contains(id));
    let files = gone
        .map(|id| (id, AttachmentAction::Removed))
        .chain(come.map(|id| (id, AttachmentAction::Added)));
    // Whatever differs between two versions came or went by a change request, which kept the name.
    let filename = |id: &AttachmentId| {
        let requests = ticket.change_requests.iter();
        let mut changes = requests.flat_map(|request| &request.attachment_changes);
        let known = changes.find(|change| change.attachment_id == *id);
        known.map(|change| change.filename.clone()).unwrap_or_default()
    };
    Differences {
        field_changes: fields(&forms, &older.form_values, &newer.form_values),
        attachment_changes: files
            .map(|(id, action)| AttachmentChange {
                attachment_id: id.clone(),
                filename: filename(id),
                action,
            })
            .collect(),
    }
}

/// The fields that differ, in definition order; repeating sections cell by cell.
pub(crate) fn fields(forms: &[Arc<StepDefinition>], old: &JsonObject, new: &JsonObject) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    for definition in forms {
        let Some(form) = definition.form() else { continue };
        let place = |key: String, label: String, old: Option<&Value>, new: Option<&Value>| {
            change(&definition.name, &definition.key, key, label, old, new)
        };
        for field in &form.fields {
            let section = field.section_id.as_ref().and_then(|id| {
                form.sections
                    .iter()
                    .find(|section| section.is_repeating && section.id == *id)
            });
            let Some(section) = section else {
                changes.extend(place(
                    field.key.clone(),
                    field.label.clone(),
                    old.get(&field.key),
                    new.get(&field.key),
                ));
                continue;
            };
            let key = section.values_key();
            let (old_rows, new_rows) = (rows(old, &key), rows(new, &key));
            for index in 0..old_rows.len().max(new_rows.len()) {
                let cell = |rows: &[Value]| rows.get(index).and_then(|row| row.get(&field.key)).cloned();
                let (before, after) = (cell(old_rows), cell(new_rows));
                let path = format!("{}[{index}].{}", section.id, field.key);
                let label = format!("{} {}: {}", section.title, index + 1, field.label);
                changes.extend(place(path, label, before.as_ref(), after.as_ref()));
            }
        }
    }
    changes
}

fn rows<'a>(values: &'a JsonObject, key: &str) -> &'a [Value] {
    values
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn change(
    form_name: &str,
    step_id: &StepKey,
    field_key: String,
    field_label: String,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Option<FieldChange> {
    if old.unwrap_or(&Value::Null) == new.unwrap_or(&Value::Null) {
        return None;
    }
    let wrapped = |value: Option<&Value>| {
        value.map_or_else(JsonObject::new, |value| as_object(json!({"value": value})))
    };
    Some(FieldChange {
        form_name: form_name.to_owned(),
        step_id: step_id.clone(),
        field_key,
        field_label,
        old_value: wrapped(old),
        new_value: wrapped(new),
    })
}
