//! What answers show of a step as it was published (contract http-tickets 2.7), written once for each version and not
//! for each answer.

use super::model::StepKind;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A key of an answer with its value as JSON text.
pub type PublishedField = (&'static str, Arc<RawValue>);

/// The keys that answers take from the definition, in their order on the wire.
pub(super) fn fields(kind: &StepKind, raw: &Map<String, Value>) -> Vec<PublishedField> {
    let nothing = json!([]);
    let list = |key| {
        field(
            key,
            raw.get(key).filter(|value| value.is_array()).unwrap_or(&nothing),
        )
    };
    let present = |key| field(key, raw.get(key).filter(|value| !value.is_null())?);
    let shown = match kind {
        StepKind::Form(_) => vec![list("fields"), present("sections")],
        StepKind::Task(task) => vec![
            field("instructions", &task.instructions),
            field("execution_notes_required", &task.execution_notes_required),
            field("output_fields", output_fields(raw).unwrap_or(&nothing)),
            list("sections"),
        ],
        StepKind::Fork(_) => vec![list("branches"), present("failure_policy")],
        StepKind::Join(_) => vec![present("source_fork_step_id"), present("join_mode")],
        StepKind::Approval(_) | StepKind::Notify(_) | StepKind::SubWorkflow(_) => Vec::new(),
    };
    shown.into_iter().flatten().collect()
}

/// The fields of an agent's form, under either of the names that designers' clients write.
fn output_fields(raw: &Map<String, Value>) -> Option<&Value> {
    let written = ["output_fields", "fields"]
        .into_iter()
        .filter_map(|key| raw.get(key));
    written
        .into_iter()
        .find(|fields| fields.as_array().is_some_and(|fields| !fields.is_empty()))
}

fn field(key: &'static str, value: &impl Serialize) -> Option<PublishedField> {
    Some((key, to_raw_value(value).ok()?.into()))
}
