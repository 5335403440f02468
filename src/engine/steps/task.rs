//! Task steps: they wait for an agent to be assigned; rows of a linked section are taken when they start.

use crate::domain::id::TicketStepId;
use crate::domain::json::JsonObject;
use crate::domain::notice::{NoticeCategory, TemplateKey};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::TaskWork;
use crate::engine::decision::Undecided;
use crate::engine::definition::{CompiledWorkflow, LinkedSource, TaskDefinition};
use crate::engine::notices::Message;
use crate::engine::responsibility;
use crate::engine::turn::{Turn, as_object};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The task waits; whoever may assign it is told (HZ-43).
pub(super) fn activate(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    task: &TaskDefinition,
) -> Result<(), Undecided> {
    let linked = match &task.linked {
        Some(source) => linked_rows(turn, id, source)?,
        None => None,
    };
    turn.change_step(id)?.task = Some(TaskWork {
        linked,
        ..TaskWork::default()
    });
    let step = turn.step(id)?.clone();
    let message = Message::new(
        TemplateKey::TaskAssigned,
        "Task to assign",
        format!(
            "\"{}\" of \"{}\" waits for an agent to be assigned.",
            step.name, turn.ticket.title
        ),
        json!({}),
    );
    let message = message
        .about(id)
        .in_app_only()
        .listed(NoticeCategory::Task, "/manager/assignments");
    for owner in responsibility::task_owners(&turn.ticket, &step) {
        turn.notify(&owner, &message);
    }
    Ok(())
}

/// The rows a linked task works through, with their context, as answers show them (contract engine-core 7.3).
pub(crate) fn linked_rows(
    turn: &Turn<'_>,
    id: &TicketStepId,
    source: &LinkedSource,
) -> Result<Option<JsonObject>, Undecided> {
    let rows = turn
        .ticket
        .form_values
        .get(&format!("__section_{}", source.source_section_id));
    let Some(rows) = rows.and_then(Value::as_array).filter(|rows| !rows.is_empty()) else {
        return Ok(None);
    };
    let own = turn.workflow_in(turn.step(id)?.container.as_ref())?;
    let labels = [own, Arc::clone(&turn.facts.definitions.own)];
    let view: Vec<Value> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| json!({"__source_row_index": index, "__context": context_of(row, source, &labels)}))
        .collect();
    let info = json!({
        "source_step_id": source.source_step_id,
        "source_section_id": source.source_section_id,
        "total_rows": rows.len(),
    });
    Ok(Some(as_object(
        json!({"linked_rows": view, "linked_source_info": info}),
    )))
}

fn context_of(row: &Value, source: &LinkedSource, workflows: &[Arc<CompiledWorkflow>]) -> Map<String, Value> {
    let mut context = Map::new();
    for key in &source.context_field_keys {
        let Some(value) = row.get(key) else { continue };
        let label = workflows
            .iter()
            .find_map(|workflow| label_of(workflow, source, key));
        let label = label.unwrap_or_else(|| key.clone());
        context.insert(key.clone(), json!({"value": value, "label": label}));
    }
    context
}

fn label_of(workflow: &CompiledWorkflow, source: &LinkedSource, key: &str) -> Option<String> {
    let form = workflow.step(&source.source_step_id)?.form()?;
    form.fields
        .iter()
        .find(|field| field.key == key)
        .map(|field| field.label.clone())
}

/// Takes the linked rows again, after the form data changed, on a task nobody has worked on yet.
pub(crate) fn refresh_linked_rows(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    source: &LinkedSource,
) -> Result<(), Undecided> {
    let untouched = turn
        .step(id)?
        .task
        .as_ref()
        .is_none_or(|task| task.draft_values.is_none());
    if untouched {
        let linked = linked_rows(turn, id, source)?;
        let step = turn.change_step(id)?;
        let task = step.task.as_mut().ok_or(Refusal::StepNotFound)?;
        task.linked = linked;
    }
    Ok(())
}
