//! Repairs the graph of a draft without the model, where there is one obvious way: when the model could not do it in time.

use super::tidy::{Notes, completion, filled};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The same definition with edges that lead somewhere, ends that end, and a way on for every value.
pub(super) fn mend(definition: &Map<String, Value>, notes: &mut Notes) -> Map<String, Value> {
    let mut steps: Vec<Map<String, Value>> = objects(definition, "steps");
    let mut edges: Vec<Map<String, Value>> = objects(definition, "transitions");
    let ids: BTreeSet<String> = steps
        .iter()
        .filter_map(|step| filled(step, "step_id"))
        .map(str::to_owned)
        .collect();
    let before = edges.len();
    edges.retain(|edge| {
        ["from_step_id", "to_step_id"]
            .iter()
            .all(|end| filled(edge, end).is_some_and(|id| ids.contains(id)))
    });
    if edges.len() < before {
        notes.add("Transitions that led nowhere were left out.");
    }
    for edge in &mut edges {
        legal_event(edge, &steps, notes);
    }
    default_edges(&steps, &mut edges, notes);
    ends(&mut steps, &edges, notes);
    let mut mended = definition.clone();
    mended.insert("steps".to_owned(), steps.into_iter().map(Value::Object).collect());
    mended.insert(
        "transitions".to_owned(),
        edges.into_iter().map(Value::Object).collect(),
    );
    mended
}

fn objects(definition: &Map<String, Value>, key: &str) -> Vec<Map<String, Value>> {
    let list = definition.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .cloned()
        .collect()
}

fn kind<'a>(steps: &'a [Map<String, Value>], id: &str) -> &'a str {
    let step = steps.iter().find(|step| filled(step, "step_id") == Some(id));
    step.and_then(|step| filled(step, "step_type"))
        .unwrap_or_default()
}

/// An event that the source never ends with becomes the one it usually ends with.
fn legal_event(edge: &mut Map<String, Value>, steps: &[Map<String, Value>], notes: &mut Notes) {
    let from = filled(edge, "from_step_id").unwrap_or_default();
    let usual = completion(steps, from);
    let event = filled(edge, "on_event").unwrap_or_default();
    let is_rejection = kind(steps, from) == "APPROVAL_STEP" && matches!(event, "REJECT" | "SKIP");
    if event != usual && !is_rejection {
        notes.add(format!("A transition from {from} is taken on {usual}."));
        edge.insert("on_event".to_owned(), json!(usual));
    }
}

/// Where every edge has a condition, the last one is drawn again without it, for all other values.
fn default_edges(steps: &[Map<String, Value>], edges: &mut Vec<Map<String, Value>>, notes: &mut Notes) {
    let mut added = Vec::new();
    for id in steps.iter().filter_map(|step| filled(step, "step_id")) {
        let usual = completion(steps, id);
        let own: Vec<&Map<String, Value>> = edges
            .iter()
            .filter(|edge| {
                filled(edge, "from_step_id") == Some(id) && filled(edge, "on_event") == Some(usual)
            })
            .collect();
        let has_default = own
            .iter()
            .any(|edge| edge.get("condition").is_none_or(Value::is_null));
        if let (false, Some(last)) = (has_default, own.last()) {
            let mut edge = (*last).clone();
            edge.insert("transition_id".to_owned(), json!(format!("t_default_{id}")));
            edge.insert("condition".to_owned(), Value::Null);
            notes.add(format!(
                "When no condition after {id} holds, the last of its ways is taken."
            ));
            added.push(edge);
        }
    }
    edges.extend(added);
}

/// A step that leads nowhere ends the workflow; one that leads on does not.
fn ends(steps: &mut [Map<String, Value>], edges: &[Map<String, Value>], notes: &mut Notes) {
    for step in steps {
        let id = filled(step, "step_id").unwrap_or_default().to_owned();
        let is_fork = filled(step, "step_type") == Some("FORK_STEP");
        let leads_on = edges.iter().any(|edge| {
            filled(edge, "from_step_id") == Some(id.as_str())
                && !matches!(filled(edge, "on_event"), Some("REJECT" | "SKIP" | "SKIP_STEP"))
        });
        let is_terminal = step.get("is_terminal") == Some(&Value::Bool(true));
        if !leads_on && !is_fork && !is_terminal {
            notes.add(format!("The workflow ends after {id}."));
            step.insert("is_terminal".to_owned(), Value::Bool(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::WorkflowId;
    use crate::engine::definition::validate::{Surroundings, normalise, validate};

    #[test]
    fn a_graph_with_the_usual_faults_becomes_publishable() {
        let condition = json!({"logic": "AND", "conditions": [
            {"field": "form_values.a", "operator": "EQUALS", "value": "x"}]});
        let broken = json!({
            "steps": [
                {"step_id": "a", "step_name": "A", "step_type": "FORM_STEP", "fields": []},
                {"step_id": "b", "step_name": "B", "step_type": "TASK_STEP"},
                {"step_id": "c", "step_name": "C", "step_type": "NOTIFY_STEP"},
            ],
            "transitions": [
                {"transition_id": "1", "from_step_id": "a", "to_step_id": "b", "on_event": "SUBMIT_FORM", "condition": condition},
                {"transition_id": "2", "from_step_id": "b", "to_step_id": "c", "on_event": "APPROVE"},
                {"transition_id": "3", "from_step_id": "b", "to_step_id": "ghost", "on_event": "COMPLETE_TASK"},
            ],
            "start_step_id": "a",
        });
        let mut notes = Notes::default();
        let mended = normalise(&mend(broken.as_object().unwrap(), &mut notes));
        let report = validate(&mended, &Surroundings::of(WorkflowId::derived("draft")));
        assert_eq!(report.errors, []);
        assert_eq!(notes.into_list().len(), 4);
    }
}
