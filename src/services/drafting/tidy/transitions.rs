//! Transitions and their conditions.

use super::super::lenient_json::{filled, first_filled, list, objects, word};
use super::super::notes::Notes;
use super::ids::Ids;
use super::{approval, fields};
use crate::domain::workflow::TransitionEvent;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub(super) fn transitions(
    answer: &Map<String, Value>,
    steps: &[Map<String, Value>],
    ids: &Ids,
    notes: &mut Notes,
) -> Vec<Value> {
    let mut used = BTreeSet::new();
    let mut edges = Vec::new();
    for raw in list(answer, "transitions") {
        let Some(edge) = raw.as_object() else {
            notes.add("Something among the transitions that is no transition was left out.");
            continue;
        };
        let end = |keys: [&str; 3]| first_filled(edge, &keys).map(|id| ids.now(id.trim()));
        let from = end(["from_step_id", "from", "source"]).unwrap_or_default();
        let to = end(["to_step_id", "to", "target"]).unwrap_or_default();
        let event = first_filled(edge, &["on_event", "event", "trigger_event"]);
        let event = event.map_or_else(|| completion(steps, &from).to_owned(), word);
        let mut id = filled(edge, "transition_id").unwrap_or_default().to_owned();
        if id.is_empty() || used.contains(&id) {
            id = (1..=used.len() + 1)
                .map(|n| format!("t_{n}"))
                .find(|id| !used.contains(id))
                .unwrap_or_default();
        }
        used.insert(id.clone());
        let priority = edge.get("priority").and_then(Value::as_i64).unwrap_or(0);
        let condition = condition(edge.get("condition").unwrap_or(&Value::Null));
        edges.push(
            json!({"transition_id": id, "from_step_id": from, "to_step_id": to, "on_event": event,
                   "trigger_event": null, "condition": condition, "priority": priority}),
        );
    }
    edges
}

/// The event with which a step usually ends.
pub(in super::super) fn completion(steps: &[Map<String, Value>], id: &str) -> &'static str {
    let kind = steps.iter().find(|step| filled(step, "step_id") == Some(id));
    let kind = kind.and_then(|step| filled(step, "step_type"));
    TransitionEvent::completing(kind.unwrap_or_default()).as_str()
}

/// A group; a bare condition becomes a group of one, an empty one none. What cannot be read stays for the checks to
/// find: without its condition the transition would be taken always.
fn condition(raw: &Value) -> Value {
    let Some(map) = raw.as_object() else {
        return raw.clone();
    };
    let list: Vec<&Map<String, Value>> = if map.contains_key("operator") {
        vec![map]
    } else if map.contains_key("conditions") {
        objects(map, "conditions").collect()
    } else if map.is_empty() {
        Vec::new()
    } else {
        return raw.clone();
    };
    if list.is_empty() {
        return Value::Null;
    }
    let is_any = filled(map, "logic").is_some_and(|logic| logic.trim().eq_ignore_ascii_case("or"));
    let conditions: Vec<Value> = list.into_iter().map(single_condition).collect();
    json!({"logic": if is_any { "OR" } else { "AND" }, "conditions": conditions})
}

fn single_condition(raw: &Map<String, Value>) -> Value {
    let field = first_filled(raw, &["field", "field_key"])
        .unwrap_or_default()
        .trim();
    let is_other_root = ["ticket.", "current_step."]
        .iter()
        .any(|root| field.starts_with(root));
    let field = if is_other_root || field.is_empty() {
        field.to_owned()
    } else {
        let key = field.strip_prefix("form_values.").unwrap_or(field);
        format!("form_values.{}", fields::slug(key))
    };
    let operator = approval::operator(filled(raw, "operator").unwrap_or_default());
    json!({"field": field, "operator": operator, "value": raw.get("value").cloned().unwrap_or(Value::Null)})
}
