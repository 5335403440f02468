//! Adds the edges that designers leave out: from the last step of each branch to the join of its fork (contract
//! http-workflows 2.6). Only edges of success are walked, so a `REJECT` edge is never followed.

use crate::domain::workflow::{Definition, StepType};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The definition with the missing edges.
pub(super) fn add_join_edges(definition: Definition) -> Definition {
    let joins: Vec<(String, String)> = definition
        .steps()
        .filter(|step| word(step, "step_type") == Some(StepType::Join.as_str()))
        .filter_map(|step| {
            Some((
                word(step, "source_fork_step_id")?.to_owned(),
                word(step, "step_id")?.to_owned(),
            ))
        })
        .collect();
    let mut added = Vec::new();
    for (fork, join) in joins {
        let branches = definition
            .steps()
            .find(|step| word(step, "step_id") == Some(fork.as_str()));
        let branches = branches
            .and_then(|step| step.get("branches"))
            .and_then(Value::as_array);
        for branch in branches.into_iter().flatten().filter_map(Value::as_object) {
            if let Some(start) = word(branch, "start_step_id") {
                added.extend(missing_edge(&definition, start, &join));
            }
        }
    }
    let mut definition = definition;
    if let Some(transitions) = definition.0.get_mut("transitions").and_then(Value::as_array_mut) {
        for edge in added {
            if !transitions.contains(&edge) {
                transitions.push(edge);
            }
        }
    }
    definition
}

/// Walks a branch along its first edge of success; the edge that its last step lacks, if it lacks one.
fn missing_edge(definition: &Definition, start: &str, join: &str) -> Option<Value> {
    let mut seen = HashSet::new();
    let mut at = start.to_owned();
    loop {
        let step = definition
            .steps()
            .find(|step| word(step, "step_id") == Some(at.as_str()))?;
        let step_type = word(step, "step_type")?;
        if step_type == StepType::Join.as_str() || !seen.insert(at.clone()) {
            return None;
        }
        if step_type == StepType::Fork.as_str() {
            // The walk goes on behind the inner fork's own join.
            let inner = definition
                .steps()
                .find(|step| word(step, "source_fork_step_id") == Some(at.as_str()))?;
            let inner = word(inner, "step_id")?.to_owned();
            match success_edges(definition, &inner, StepType::Join.as_str()).first() {
                Some(next) if next == join => return None,
                Some(next) => at.clone_from(next),
                None => return Some(edge(&inner, join, "COMPLETE_TASK")),
            }
            continue;
        }
        let next = success_edges(definition, &at, step_type);
        if next.iter().any(|to| to == join) {
            return None;
        }
        match next.first() {
            Some(next) => at.clone_from(next),
            None if step.get("is_terminal").and_then(Value::as_bool) == Some(true) => return None,
            None => return Some(edge(&at, join, completion(step_type))),
        }
    }
}

fn success_edges(definition: &Definition, from: &str, step_type: &str) -> Vec<String> {
    let event = completion(step_type);
    let own = definition
        .transitions()
        .filter(|edge| word(edge, "from_step_id") == Some(from));
    let own = own.filter(|edge| word(edge, "on_event") == Some(event));
    own.filter_map(|edge| word(edge, "to_step_id"))
        .map(str::to_owned)
        .collect()
}

fn completion(step_type: &str) -> &'static str {
    match step_type {
        "FORM_STEP" => "SUBMIT_FORM",
        "APPROVAL_STEP" => "APPROVE",
        _ => "COMPLETE_TASK",
    }
}

fn edge(from: &str, to: &str, event: &str) -> Value {
    json!({
        "transition_id": format!("t_auto_{from}_to_join"),
        "from_step_id": from,
        "to_step_id": to,
        "on_event": event,
        "trigger_event": null,
        "condition": null,
        "priority": 0,
    })
}

fn word<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}
