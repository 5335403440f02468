//! Completes a task (contract engine-core 7, with HZ-19, HZ-20 and HZ-23 as targets).

use super::{Acted, submit_form};
use crate::domain::audit::AuditEventType;
use crate::domain::id::{AttachmentId, TicketStepId};
use crate::domain::json::JsonObject;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Phase, Step, Ticket};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{StepType, TransitionEvent};
use crate::engine::advance::{self, Move};
use crate::engine::closing::{Ending, end_step};
use crate::engine::decision::{Effect, HistoryKind, Undecided, WorkHistory};
use crate::engine::definition::{FormDefinition, StepKind};
use crate::engine::form_validator::{self, Surroundings};
use crate::engine::notices::Message;
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::turn::{Turn, as_object};
use serde_json::{Map, Value, json};

/// Keys that a linked task's output carries beside its fields (contract engine-core 7.2).
const LINKED_ROW_KEYS: [&str; 2] = ["__source_row_index", "__context"];

/// Accepts the output of a task and moves on.
pub(super) fn complete(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    notes: Option<&str>,
    output: &JsonObject,
    attachments: &[AttachmentId],
) -> Result<Acted, Undecided> {
    let step = turn.step(id)?;
    let own = step
        .assignee
        .as_ref()
        .is_some_and(|assignee| assignee.is_same(&turn.actor().person));
    if step.kind == StepType::Task && step.phase == Phase::Completed && own {
        return Ok(Acted::AlreadyDone(None));
    }
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::CompleteTask, step)?;
    form_validator::check_size(output)?;
    let definition = turn.definition_of(turn.step(id)?)?;
    let StepKind::Task(task) = &definition.kind else {
        return Err(Refusal::StepNotFound.into());
    };
    let mut messages = Vec::new();
    if task.execution_notes_required && notes.is_none_or(|notes| notes.trim().is_empty()) {
        messages.push("Execution notes are required".to_owned());
    }
    let submissions = submissions(&task.form, turn.step(id)?, output, &mut messages);
    let around = Surroundings {
        own_step: &definition.key,
        other_values: &turn.ticket.form_values,
        today: turn.sheet().policy.today,
    };
    for (place, values) in &submissions {
        let broken = form_validator::validate(&task.form, values, around);
        messages.extend(broken.into_iter().map(|message| format!("{place}{message}")));
    }
    if !messages.is_empty() {
        return Err(Refusal::Validation {
            messages,
            step_id: Some(definition.key.clone()),
        }
        .into());
    }
    let mut given = attachments.to_vec();
    for (_, values) in &submissions {
        for file in form_validator::files(&task.form, values) {
            turn.link_attachments(
                std::slice::from_ref(&file.id),
                Some(definition.key.as_str()),
                &file.field_key,
            )?;
            given.push(file.id);
        }
    }
    submit_form::attach(turn, attachments, Some(definition.key.as_str()), "output")?;
    keep_output(turn, id, notes, output, given)?;
    end_step(turn, id, Ending::DONE)?;
    turn.audit(AuditEventType::CompleteTask, Some(id), json!({}));
    remember(turn, id)?;
    tell_requester(turn, id);
    advance::advance(turn, Move::Leave(id.clone(), TransitionEvent::CompleteTask))?;
    Ok(Acted::Applied)
}

/// The sets of values to validate, with the words that say which: one, or one a row of a linked task.
fn submissions(
    form: &FormDefinition,
    step: &Step,
    output: &JsonObject,
    messages: &mut Vec<String>,
) -> Vec<(String, Map<String, Value>)> {
    let linked = step.task.as_ref().and_then(|task| task.linked.as_ref());
    let Some(expected) = linked
        .and_then(|linked| linked.get("linked_rows"))
        .and_then(Value::as_array)
    else {
        return vec![(String::new(), without_markers(output))];
    };
    let rows = output
        .get("linked_rows")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if !form.fields.is_empty() && rows.len() != expected.len() {
        messages.push(format!("the output must have {} rows", expected.len()));
    }
    let mut sets = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        match row.as_object() {
            Some(row) => sets.push((format!("Row {}: ", index + 1), without_markers(row))),
            None => messages.push(format!("row {} must be an object", index + 1)),
        }
    }
    sets
}

fn without_markers(values: &Map<String, Value>) -> Map<String, Value> {
    let own = values
        .iter()
        .filter(|(key, _)| !LINKED_ROW_KEYS.contains(&key.as_str()));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn keep_output(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    notes: Option<&str>,
    output: &JsonObject,
    attachments: Vec<AttachmentId>,
) -> Result<(), Refusal> {
    let work = turn.change_step(id)?.task.get_or_insert_default();
    work.execution_notes = notes.map(str::to_owned);
    work.output_values = Some(output.clone());
    work.attachment_ids = attachments;
    Ok(())
}

fn tell_requester(turn: &mut Turn<'_>, id: &TicketStepId) {
    let actor = turn.actor().person.clone();
    let message = Message::new(
        TemplateKey::TaskCompleted,
        "Task done",
        format!(
            "{} has done a task of \"{}\".",
            actor.display_name, turn.ticket.title
        ),
        json!({"completed_by": actor.display_name}),
    );
    let requester = turn.ticket.requester.clone();
    turn.notify_others([&requester], &message.about(id).by(&actor));
}

/// Keeps the task for the agent's history (`GET /tickets/agent/history`).
fn remember(turn: &mut Turn<'_>, id: &TicketStepId) -> Result<(), Refusal> {
    let history = history_of(&turn.ticket, turn.step(id)?, &turn.actor().person, turn.now());
    turn.effect(Effect::History(history));
    Ok(())
}

/// A completed task as `agent`'s history keeps it.
pub(super) fn history_of(ticket: &Ticket, step: &Step, agent: &Person, at: Timestamp) -> WorkHistory {
    let row = as_object(json!({
        "ticket_id": ticket.id,
        "ticket_title": ticket.title,
        "ticket_step_id": step.id,
        "step_name": step.name,
        "workflow_id": ticket.workflow.workflow_id,
        "workflow_name": ticket.workflow.name,
        "completed_at": at.to_wire(),
    }));
    WorkHistory {
        who: agent.keys(),
        kind: HistoryKind::CompletedTask,
        at,
        row,
    }
}
