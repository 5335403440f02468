//! What is particular to a step's type and to what people did to it (contract http-tickets 2.7).

use super::wire_time::wire_time;
use crate::domain::json::JsonObject;
use crate::domain::ticket::{NoteKind, Step, TaskWork};
use crate::domain::workflow::StepType;
use crate::services::tickets::OpenedTicket;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;

/// The `data` of a step. What was published and what somebody entered is shared with the version and the ticket.
#[derive(Debug, Clone, Default)]
pub(super) struct StepData(Vec<(Cow<'static, str>, Shown)>);

/// One value of it.
#[derive(Debug, Clone)]
enum Shown {
    /// As a designer published it.
    Published(Arc<RawValue>),
    /// As somebody entered it.
    Entered(JsonObject),
    /// As it follows from the step.
    Told(Value),
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Published(text) => text.serialize(serializer),
            Self::Entered(values) => values.serialize_entries(serializer),
            Self::Told(value) => value.serialize(serializer),
        }
    }
}

impl Serialize for StepData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl StepData {
    /// That of one step of an opened ticket.
    pub(super) fn of(opened: &OpenedTicket, step: &Step) -> Self {
        let mut data = Self::default();
        let definition = opened
            .workflow_of(step)
            .and_then(|workflow| workflow.step(&step.key));
        for (key, value) in definition.iter().flat_map(|definition| &definition.published) {
            data.put(*key, Shown::Published(Arc::clone(value)));
        }
        if let Some(values) = &step.form_values {
            data.enter("form_values", values);
        }
        if let Some(run) = &step.embedded {
            data.tell("sub_workflow_id", json!(run.version.workflow_id));
            data.tell("sub_workflow_version", json!(run.version.version_number));
            data.tell("sub_workflow_name", json!(run.name));
            data.tell("sub_workflow_step_count", json!(run.step_count));
            data.tell("sub_workflow_start_step_id", json!(run.start_step_id));
        }
        if let Some(work) = &step.task {
            data.add_work(work);
        }
        if let Some(hold) = &step.hold {
            data.tell("hold_reason", json!(hold.reason));
            data.tell("held_at", json!(wire_time(hold.held_at)));
            data.tell("held_by", json!(hold.held_by.email));
            if let Some(at) = hold.resumed_at {
                let by = hold.resumed_by.as_ref().map(|person| &person.email);
                data.tell("resumed_at", json!(wire_time(at)));
                data.tell("resumed_by", json!(by));
            }
        }
        if let Some(skip) = &step.skip {
            data.tell("skipped_reason", json!(skip.reason));
            data.tell("skipped_by", json!(skip.skipped_by.email));
        }
        if let Some(at) = step.sla_acknowledged_at {
            data.tell("sla_acknowledged", json!(true));
            data.tell("sla_acknowledged_at", json!(wire_time(at)));
        }
        if matches!(step.kind, StepType::Approval | StepType::Task) {
            data.tell("notes", notes(opened, step));
        }
        data
    }

    fn add_work(&mut self, work: &TaskWork) {
        for (key, value) in work.linked.iter().flat_map(|linked| linked.iter()) {
            self.put(key.clone(), Shown::Told(value.clone()));
        }
        if let Some(notes) = &work.execution_notes {
            self.tell("execution_notes", json!(notes));
        }
        if let Some(values) = &work.output_values {
            self.enter("output_values", values);
        }
        if let Some(values) = &work.draft_values {
            self.enter("draft_values", values);
        }
        if let Some(notes) = &work.draft_execution_notes {
            self.tell("draft_execution_notes", json!(notes));
        }
        if let Some(at) = work.draft_saved_at {
            self.tell("draft_saved_at", json!(wire_time(at)));
        }
        if let Some(person) = &work.draft_saved_by {
            self.tell("draft_saved_by", three_keys(person));
        }
    }

    fn tell(&mut self, key: &'static str, value: Value) {
        self.put(key, Shown::Told(value));
    }

    fn enter(&mut self, key: &'static str, values: &JsonObject) {
        self.put(key, Shown::Entered(values.clone()));
    }

    /// What comes later under the same key counts.
    fn put(&mut self, key: impl Into<Cow<'static, str>>, value: Shown) {
        let key = key.into();
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }
}

fn notes(opened: &OpenedTicket, step: &Step) -> Value {
    let own = opened
        .notes
        .iter()
        .filter(|row| matches!(&row.body.kind, NoteKind::Step(id) if *id == step.id));
    let shown = own.map(|row| {
        json!({
            "content": row.body.content,
            "actor": three_keys(&row.body.author),
            "timestamp": wire_time(row.body.at),
            "attachment_ids": row.body.attachment_ids,
        })
    });
    Value::Array(shown.collect())
}

/// A person as notes and drafts show one (contract http-tickets 2.4).
fn three_keys(person: &crate::domain::person::Person) -> Value {
    json!({"aad_id": person.aad_id, "email": person.email, "display_name": person.display_name})
}
