//! Edges change where a step comes or goes, or where the request says how steps are connected; all others stay.

use super::super::lenient_json::{filled, list, objects};
use super::super::notes::Notes;
use super::Changes;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

type Edge = Map<String, Value>;

pub(super) fn kept(
    current: &Map<String, Value>,
    answer: &Map<String, Value>,
    changes: &Changes,
    notes: &mut Notes,
) -> Vec<Value> {
    let answered: Vec<&Edge> = objects(answer, "transitions").collect();
    let mut kept: Vec<Edge> = Vec::new();
    for edge in objects(current, "transitions") {
        let (from, to) = (end(edge, "from_step_id"), end(edge, "to_step_id"));
        if changes.removed.contains(from) || changes.removed.contains(to) {
            continue;
        }
        let is_reconnected = changes.reconnected.contains(from);
        match answered.iter().find(|other| is_same_way(edge, other)) {
            Some(other) if is_reconnected => {
                let mut changed = edge.clone();
                for key in ["condition", "priority"] {
                    if let Some(value) = other.get(key) {
                        changed.insert(key.to_owned(), value.clone());
                    }
                }
                kept.push(changed);
            }
            None if is_reconnected || leads_there_by_new_steps(&answered, edge, changes) => {}
            None => {
                notes.add(format!("The transition from {from} to {to} was kept."));
                kept.push(edge.clone());
            }
            Some(_) => kept.push(edge.clone()),
        }
    }
    add_new(&mut kept, current, &answered, changes);
    kept.into_iter().map(Value::Object).collect()
}

fn add_new(kept: &mut Vec<Edge>, current: &Map<String, Value>, answered: &[&Edge], changes: &Changes) {
    let mut used: BTreeSet<String> = kept
        .iter()
        .map(|edge| end(edge, "transition_id").to_owned())
        .collect();
    for edge in answered {
        let (from, to) = (end(edge, "from_step_id"), end(edge, "to_step_id"));
        let is_known = objects(current, "transitions").any(|other| is_same_way(edge, other));
        // From a step that stays, an edge leads to what is new, or fills a gap: never past what stays.
        let leads_on = kept.iter().any(|other| {
            end(other, "from_step_id") == from && filled(other, "on_event") == filled(edge, "on_event")
        });
        let follows_a_removed_one = !changes.removed.is_empty() && !leads_on;
        let is_wanted = changes.added.contains(from)
            || changes.added.contains(to)
            || changes.reconnected.contains(from)
            || follows_a_removed_one;
        if is_known || !is_wanted {
            continue;
        }
        let mut edge = (*edge).clone();
        let mut id = end(&edge, "transition_id").to_owned();
        let mut number = 1;
        while id.is_empty() || used.contains(&id) {
            id = format!("t_new_{number}");
            number += 1;
        }
        used.insert(id.clone());
        edge.insert("transition_id".to_owned(), id.into());
        kept.push(edge);
    }
}

fn end<'a>(edge: &'a Edge, key: &str) -> &'a str {
    filled(edge, key).unwrap_or_default()
}

fn is_same_way(one: &Edge, other: &Edge) -> bool {
    ["from_step_id", "to_step_id", "on_event"]
        .iter()
        .all(|key| filled(one, key) == filled(other, key))
}

/// Whether the answer leads from the source to the target of `edge` through steps that are all new.
fn leads_there_by_new_steps(answered: &[&Edge], edge: &Edge, changes: &Changes) -> bool {
    let (from, to) = (end(edge, "from_step_id"), end(edge, "to_step_id"));
    let first = answered.iter().filter(|other| {
        end(other, "from_step_id") == from && filled(other, "on_event") == filled(edge, "on_event")
    });
    let mut open: Vec<&str> = first.map(|other| end(other, "to_step_id")).collect();
    open.retain(|id| changes.added.contains(*id));
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        for next in answered.iter().filter(|other| end(other, "from_step_id") == id) {
            let target = end(next, "to_step_id");
            if target == to {
                return true;
            }
            if changes.added.contains(target) {
                open.push(target);
            }
        }
    }
    false
}

/// The start stays, unless it was taken away or a new step leads to it.
pub(super) fn start(current: &Map<String, Value>, answer: &Map<String, Value>, changes: &Changes) -> Value {
    let old = current.get("start_step_id").cloned().unwrap_or(Value::Null);
    let new = answer.get("start_step_id").cloned().unwrap_or(Value::Null);
    let is_gone = old
        .as_str()
        .is_none_or(|id| id.is_empty() || changes.removed.contains(id));
    let comes_first = new.as_str().is_some_and(|id| changes.added.contains(id));
    let leads_to_the_old = list(answer, "transitions").iter().any(|edge| {
        edge.get("to_step_id") == Some(&old)
            && edge
                .get("from_step_id")
                .and_then(Value::as_str)
                .is_some_and(|from| changes.added.contains(from))
    });
    if is_gone || (comes_first && leads_to_the_old) {
        new
    } else {
        old
    }
}
