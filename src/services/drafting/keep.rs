//! Refining changes what it was asked to change: everything else of a definition is put back as it was, whatever the
//! model answered (contract http-workflows 10, item 57).
//!
//! What a request speaks of is decided by its words alone (`request`), never by the model. A step that is not spoken of
//! stays to the letter (`step`), edges change only where something comes, goes or is rerouted by the request (`edges`),
//! and no approval that every ticket had to pass can be passed by afterwards (`bypass`).

mod bypass;
mod edges;
mod request;
mod step;

pub(super) use bypass::bypassed;
pub(super) use request::Request;

use super::lenient_json::{filled, list, objects};
use super::notes::Notes;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The answer with all that the request does not speak of as it was in `current`.
pub(super) fn keep_the_rest(
    current: &Map<String, Value>,
    answer: &Map<String, Value>,
    request: &Request,
    notes: &mut Notes,
) -> Map<String, Value> {
    let mut steps: Vec<Map<String, Value>> = Vec::new();
    let mut changes = Changes::default();
    for old in objects(current, "steps") {
        let id = id_of(old);
        let answered = objects(answer, "steps").find(|step| id_of(step) == id);
        let liberty = request.liberty(old);
        match answered {
            Some(new) => steps.push(step::kept(old, new, liberty, request, notes)),
            None if liberty.may_go => {
                changes.removed.insert(id.to_owned());
            }
            None => {
                notes.add(format!("{}: the step was kept.", name(old)));
                steps.push(old.clone());
            }
        }
        if liberty.may_reconnect {
            changes.reconnected.insert(id.to_owned());
        }
    }
    add_new(&mut steps, current, answer, request, &mut changes, notes);
    let transitions = edges::kept(current, answer, &changes, notes);
    let start = edges::start(current, answer, &changes);
    mark_start(&mut steps, current, &start);
    // Keys that definitions do not have are left out of the result in any case.
    let mut result = Map::new();
    result.insert("steps".to_owned(), steps.into_iter().map(Value::Object).collect());
    result.insert("transitions".to_owned(), Value::Array(transitions));
    result.insert("start_step_id".to_owned(), start);
    result
}

/// What becomes of the steps, as far as edges are concerned.
#[derive(Debug, Default)]
struct Changes {
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
    /// Steps of which the request says where they lead.
    reconnected: BTreeSet<String>,
}

fn id_of(step: &Map<String, Value>) -> &str {
    filled(step, "step_id").unwrap_or_default()
}

fn name(step: &Map<String, Value>) -> &str {
    filled(step, "step_name").unwrap_or_else(|| id_of(step))
}

/// New steps stand where the answer has them: behind the step they follow there.
fn add_new(
    steps: &mut Vec<Map<String, Value>>,
    current: &Map<String, Value>,
    answer: &Map<String, Value>,
    request: &Request,
    changes: &mut Changes,
    notes: &mut Notes,
) {
    let known: BTreeSet<&str> = objects(current, "steps").map(id_of).collect();
    let mut previous: Option<&str> = None;
    for step in objects(answer, "steps") {
        let id = id_of(step);
        if !known.contains(id) {
            if !request.may_add() {
                notes.add(format!(
                    "{}: the step was not added, because the request does not ask for one.",
                    name(step)
                ));
                continue;
            }
            let place = steps.iter().position(|known| Some(id_of(known)) == previous);
            let at = match (place, previous) {
                (Some(at), _) => at + 1,
                (None, None) => 0,
                (None, Some(_)) => steps.len(),
            };
            steps.insert(at, step.clone());
            changes.added.insert(id.to_owned());
        }
        previous = Some(id);
    }
    if changes.added.is_empty() && changes.removed.is_empty() {
        return;
    }
    for (order, step) in steps.iter_mut().enumerate() {
        if step.contains_key("order") {
            step.insert("order".to_owned(), order.into());
        }
    }
}

/// Where the start moves, its mark moves along.
fn mark_start(steps: &mut [Map<String, Value>], current: &Map<String, Value>, start: &Value) {
    let has_moved = current.get("start_step_id") != Some(start);
    for step in steps {
        let is_start = step.get("step_id") == Some(start);
        if has_moved && (is_start || step.contains_key("is_start")) {
            step.insert("is_start".to_owned(), Value::Bool(is_start));
        }
    }
}

/// A list whose items have ids: those that are there stay in their order, changed by `change`; those that are gone leave
/// where `may_go` says so; new ones follow where `may_add`.
fn kept_list(
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    (key, id_key): (&str, &str),
    may_add: bool,
    may_go: impl Fn(&Map<String, Value>) -> bool,
    mut change: impl FnMut(&Map<String, Value>, &Map<String, Value>) -> Map<String, Value>,
) -> Option<Value> {
    let id = |item: &Map<String, Value>| filled(item, id_key).unwrap_or_default().to_owned();
    let mut kept: Vec<Value> = Vec::new();
    for raw in list(old, key) {
        let Some(item) = raw.as_object() else {
            kept.push(raw.clone());
            continue;
        };
        match objects(new, key).find(|answered| id(answered) == id(item)) {
            Some(answered) => kept.push(Value::Object(change(item, answered))),
            None if may_go(item) => {}
            None => kept.push(raw.clone()),
        }
    }
    let known: BTreeSet<String> = objects(old, key).map(id).collect();
    let added = objects(new, key).filter(|item| may_add && !known.contains(&id(item)));
    kept.extend(added.cloned().map(Value::Object));
    (old.contains_key(key) || !kept.is_empty()).then_some(Value::Array(kept))
}

#[cfg(test)]
mod tests;
