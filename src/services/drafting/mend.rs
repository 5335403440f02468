//! Repairs a draft without the model, where there is one obvious way: when the model could not do it in time.

use super::lenient_json::{filled, objects};
use super::notes::Notes;
use super::tidy::{Rules, by_manager, completion};
use crate::engine::definition::validate::Finding;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The same definition with approvers that can be found, edges that lead somewhere, ends that end, and a way on for
/// every value.
pub(super) fn mend(
    definition: &Map<String, Value>,
    findings: &[Finding],
    rules: Rules<'_>,
    notes: &mut Notes,
) -> Map<String, Value> {
    let mut mended = definition.clone();
    remove_unreadable(&mut mended, findings, notes);
    let mut steps: Vec<Map<String, Value>> = objects(&mended, "steps").cloned().collect();
    let mut edges: Vec<Map<String, Value>> = objects(&mended, "transitions").cloned().collect();
    approvers(&mut steps, findings, rules, notes);
    connected(&steps, &mut edges, notes);
    for edge in &mut edges {
        legal_event(edge, &steps, notes);
    }
    default_edges(&steps, &mut edges, notes);
    ends(&mut steps, &edges, notes);
    let list = |maps: Vec<Map<String, Value>>| maps.into_iter().map(Value::Object).collect();
    mended.insert("steps".to_owned(), list(steps));
    mended.insert("transitions".to_owned(), list(edges));
    mended
}

/// Takes out what the checks could not read: a rule, a pattern; a transition whose condition is meant cannot stay.
fn remove_unreadable(definition: &mut Map<String, Value>, findings: &[Finding], notes: &mut Notes) {
    let unreadable = findings.iter().filter(|finding| finding.kind == "SCHEMA_ERROR");
    let mut paths: Vec<Vec<String>> = unreadable
        .filter_map(|finding| finding.path.as_deref())
        .map(segments)
        .collect();
    for path in &mut paths {
        let is_condition =
            matches!(path.as_slice(), [list, _, key, ..] if list == "transitions" && key == "condition");
        if is_condition {
            path.truncate(2);
        }
    }
    // From the end on, so that the places of what is still to be taken out stay right.
    paths.sort_by_cached_key(|path| {
        path.iter()
            .map(|part| part.parse().unwrap_or(0))
            .collect::<Vec<usize>>()
    });
    paths.dedup();
    let mut root = Value::Object(std::mem::take(definition));
    for path in paths.iter().rev() {
        if remove(&mut root, path) {
            notes.add(format!("{} could not be read and was left out.", path.join(" ")));
        }
    }
    if let Value::Object(rest) = root {
        *definition = rest;
    }
}

/// `steps[2].fields[0].validation` as its parts.
fn segments(path: &str) -> Vec<String> {
    let parts = path.split(['.', '[', ']']).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn remove(root: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut at = root;
    for part in parents {
        let next = match at {
            Value::Object(map) => map.get_mut(part),
            Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    match at {
        Value::Object(map) => map.shift_remove(last).is_some(),
        Value::Array(items) => match last.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                true
            }
            Ok(_) | Err(_) => false,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// An approval that nobody can be found for goes to the requester's manager.
fn approvers(steps: &mut [Map<String, Value>], findings: &[Finding], rules: Rules<'_>, notes: &mut Notes) {
    let is_lost = |index: usize| {
        let path = format!("steps[{index}].");
        findings.iter().any(|finding| {
            let kinds = [
                "APPROVER_INCOMPLETE",
                "MISSING_APPROVER",
                "STEP_ASSIGNEE",
                "LOOKUP_UNKNOWN",
            ];
            kinds.iter().any(|kind| finding.kind.starts_with(kind))
                && finding.path.as_deref().is_some_and(|at| at.starts_with(&path))
        })
    };
    for (index, step) in steps.iter_mut().enumerate() {
        let has_no_rules = filled(step, "approver_resolution") == Some("CONDITIONAL")
            && objects(step, "conditional_approver_rules").next().is_none();
        if filled(step, "step_type") == Some("APPROVAL_STEP") && (is_lost(index) || has_no_rules) {
            let name = filled(step, "step_name").unwrap_or_default().to_owned();
            by_manager(step, &name, rules, notes);
        }
    }
}

/// Leaves out transitions whose ends do not exist.
fn connected(steps: &[Map<String, Value>], edges: &mut Vec<Map<String, Value>>, notes: &mut Notes) {
    let ids: BTreeSet<&str> = steps.iter().filter_map(|step| filled(step, "step_id")).collect();
    let before = edges.len();
    edges.retain(|edge| {
        ["from_step_id", "to_step_id"]
            .iter()
            .all(|end| filled(edge, end).is_some_and(|id| ids.contains(id)))
    });
    if edges.len() < before {
        notes.add("Transitions that led nowhere were left out.");
    }
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
    use super::super::known::Known;
    use super::*;
    use crate::domain::id::WorkflowId;
    use crate::domain::person::Email;
    use crate::engine::definition::validate::{Surroundings, normalise, validate};

    #[test]
    fn a_graph_with_the_usual_faults_becomes_publishable() {
        let condition = json!({"logic": "AND", "conditions": [
            {"field": "form_values.a", "operator": "EQUALS", "value": "x"}]});
        let broken = normalise(
            json!({
                "steps": [
                    {"step_id": "a", "step_name": "A", "step_type": "FORM_STEP", "fields": [
                        {"field_key": "a", "field_label": "A", "field_type": "TEXT", "validation": {"regex_pattern": "(?=x)"}}]},
                    {"step_id": "b", "step_name": "B", "step_type": "TASK_STEP"},
                    {"step_id": "ok", "step_name": "Ok", "step_type": "APPROVAL_STEP", "approver_resolution": "CONDITIONAL",
                     "conditional_approver_rules": [{"field_key": "a", "operator": "LIKE", "value": 1, "approver_email": "bob@example.com"}]},
                    {"step_id": "c", "step_name": "C", "step_type": "NOTIFY_STEP"},
                ],
                "transitions": [
                    {"transition_id": "1", "from_step_id": "a", "to_step_id": "b", "on_event": "SUBMIT_FORM", "condition": condition},
                    {"transition_id": "2", "from_step_id": "b", "to_step_id": "ok", "on_event": "APPROVE"},
                    {"transition_id": "3", "from_step_id": "b", "to_step_id": "ghost", "on_event": "COMPLETE_TASK"},
                    {"transition_id": "4", "from_step_id": "ok", "to_step_id": "c", "on_event": "APPROVE"},
                    {"transition_id": "5", "from_step_id": "b", "to_step_id": "c", "on_event": "COMPLETE_TASK", "condition": "a > 3"},
                ],
                "start_step_id": "a",
            })
            .as_object()
            .unwrap(),
        );
        let around = Surroundings::of(WorkflowId::derived("draft"));
        let contact = Email::try_from("dana@example.com").unwrap();
        let rules = Rules {
            known: &Known::default(),
            contact: &contact,
        };
        let mut notes = Notes::default();
        let findings = validate(&broken, &around).errors;
        let mended = normalise(&mend(&broken.0, &findings, rules, &mut notes));
        assert_eq!(validate(&mended, &around).errors, []);
        assert_eq!(mended.transitions().count(), 4, "{mended:?}");
        let notes = notes.into_list();
        assert!(notes.iter().any(|note| note.contains("manager")), "{notes:?}");
    }
}
