//! Brings an answer of the model into the form of a definition (contract http-workflows 7.3): words, ids and shapes that
//! can be read in one way only are corrected, references that nobody named are taken out, and keys that definitions do
//! not have are left out. Each correction that changes a meaning is told.

mod approval;
mod fields;
mod ids;
mod step;
mod transitions;

pub(super) use approval::by_manager;
pub(super) use transitions::completion;

use super::known::Known;
use super::lenient_json::{filled, list};
use super::notes::Notes;
use crate::domain::person::Email;
use ids::Ids;
use serde_json::{Map, Value, json};

/// What the corrections go by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// What a draft may refer to.
    pub(super) known: &'a Known,
    /// Who approves when nobody else can be found: the designer.
    pub(super) contact: &'a Email,
}

/// The answer as a definition: `steps`, `transitions`, `start_step_id`.
pub(super) fn tidy(answer: &Map<String, Value>, rules: Rules<'_>, notes: &mut Notes) -> Map<String, Value> {
    let answer = unwrapped(answer);
    let mut ids = Ids::default();
    let mut steps: Vec<Map<String, Value>> = Vec::new();
    for raw in list(answer, "steps") {
        match raw.as_object() {
            Some(raw) => steps.push(step::step(raw, &mut ids, rules, notes)),
            None => notes.add("Something among the steps that is no step was left out."),
        }
    }
    for (order, step) in steps.iter_mut().enumerate() {
        step.insert("order".to_owned(), json!(order));
        ids.rename_references(step);
    }
    fields::distinct_keys(&mut steps, notes);
    approval::assignees_exist(&mut steps, rules, notes);
    let start = start(answer, &mut steps, &ids, notes);
    let transitions = transitions::transitions(answer, &steps, &ids, notes);
    let mut definition = Map::new();
    let steps = steps.into_iter().map(Value::Object).collect();
    definition.insert("steps".to_owned(), Value::Array(steps));
    definition.insert("transitions".to_owned(), Value::Array(transitions));
    definition.insert("start_step_id".to_owned(), start);
    definition
}

/// Whether an answer has steps, itself or in the wrapper that models like to put around a definition.
pub(super) fn has_steps(answer: &Map<String, Value>) -> bool {
    !list(unwrapped(answer), "steps").is_empty()
}

/// The object that has the steps.
fn unwrapped(answer: &Map<String, Value>) -> &Map<String, Value> {
    if answer.contains_key("steps") {
        return answer;
    }
    let mut inner = answer.values().filter_map(Value::as_object);
    inner.find(|inner| inner.contains_key("steps")).unwrap_or(answer)
}

/// The step at which the workflow starts; it alone is marked as the start.
fn start(
    answer: &Map<String, Value>,
    steps: &mut [Map<String, Value>],
    ids: &Ids,
    notes: &mut Notes,
) -> Value {
    let named = filled(answer, "start_step_id").map(|id| ids.now(id));
    let exists = |id: &String| steps.iter().any(|step| filled(step, "step_id") == Some(id));
    let marked = |step: &&Map<String, Value>| step.get("is_start") == Some(&Value::Bool(true));
    let start = named.filter(exists).or_else(|| {
        let found = steps.iter().find(marked).or_else(|| steps.first());
        let id = found.and_then(|step| filled(step, "step_id")).map(str::to_owned);
        if let Some(id) = &id {
            notes.add(format!("The start was set to {id}."));
        }
        id
    });
    for step in steps {
        step.remove("is_start");
        if filled(step, "step_id") == start.as_deref() {
            step.insert("is_start".to_owned(), Value::Bool(true));
        }
    }
    start.map_or(Value::Null, Value::String)
}
