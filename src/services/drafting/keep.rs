//! Refining changes what it was asked to change: everything else of a definition is put back as it was, whatever the
//! model answered (contract http-workflows 10, item 57).
//!
//! What a request speaks of is decided by its words alone, never by the model: a step by its id, its name, a word of its
//! name, the label of a field or its type. Who approves, lookups and embedded workflows need more than the type.

use super::tidy::{Notes, filled};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The answer with all that the request does not speak of as it was in `current`.
pub(super) fn keep_the_rest(
    current: &Map<String, Value>,
    answer: &Map<String, Value>,
    request: &str,
    notes: &mut Notes,
) -> Map<String, Value> {
    let request = Request::of(request);
    let before = by_id(current);
    let after = by_id(answer);
    let mut steps: Vec<Value> = Vec::new();
    let mut removed: BTreeSet<String> = BTreeSet::new();
    for (id, old) in &before {
        match after.get(id) {
            Some(new) => steps.push(Value::Object(kept_step(old, new, &request, notes))),
            None if request.removes() && request.names_step(old) => {
                removed.insert(id.clone());
            }
            None => {
                notes.add(format!(
                    "The step {} was kept: the request does not take it away.",
                    name(old)
                ));
                steps.push(Value::Object(old.clone()));
            }
        }
    }
    let is_new = |id: &String| !before.contains_key(id);
    insert_new(&mut steps, answer, &is_new);
    let touched = |id: &str| {
        removed.contains(id)
            || is_new(&id.to_owned())
            || before.get(id).is_some_and(|step| request.names_step(step))
    };
    let transitions = kept_transitions(current, answer, &removed, &is_new, &touched);
    let start = start(current, answer, &removed, &is_new);
    let mut result = Map::new();
    result.insert("steps".to_owned(), Value::Array(steps));
    result.insert("transitions".to_owned(), Value::Array(transitions));
    result.insert("start_step_id".to_owned(), start);
    result
}

/// The words of a request, lower-cased.
struct Request {
    text: String,
    words: BTreeSet<String>,
}

impl Request {
    fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let words = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .map(singular)
            .collect();
        Self { text, words }
    }

    fn says_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.words.contains(*word))
    }

    fn says_name(&self, name: &str) -> bool {
        /// Words of names that say nothing of which step is meant.
        const COMMON: [&str; 14] = [
            "step",
            "form",
            "task",
            "approval",
            "approve",
            "request",
            "requester",
            "notification",
            "notify",
            "with",
            "from",
            "workflow",
            "ticket",
            "this",
        ];
        let name = name.to_lowercase();
        if name.chars().count() >= 3 && self.text.contains(&name) {
            return true;
        }
        let mut words = name.split(|c: char| !c.is_alphanumeric()).map(singular);
        words.any(|word| {
            word.chars().count() >= 3 && !COMMON.contains(&word.as_str()) && self.words.contains(&word)
        })
    }

    /// Whether the request names this very step.
    fn names_step(&self, step: &Map<String, Value>) -> bool {
        let id = filled(step, "step_id").unwrap_or_default().to_lowercase();
        let is_by_id = id.chars().count() >= 2 && self.words.contains(&id);
        let is_by_field = fields(step).any(|field| self.names_field(field));
        is_by_id || is_by_field || self.says_name(&name(step))
    }

    fn names_field(&self, field: &Map<String, Value>) -> bool {
        let key = filled(field, "field_key").unwrap_or_default().to_lowercase();
        let is_by_key = key.chars().count() >= 3 && self.words.contains(&key);
        is_by_key || filled(field, "field_label").is_some_and(|label| self.says_name(label))
    }

    /// Whether the request speaks of this step, at least by its type.
    fn speaks_of(&self, step: &Map<String, Value>) -> bool {
        let kind: &[&str] = match filled(step, "step_type").unwrap_or_default() {
            "FORM_STEP" => &["form", "field", "question", "section"],
            "APPROVAL_STEP" => &["approval", "approver", "approve"],
            "TASK_STEP" => &["task", "instruction", "agent"],
            "NOTIFY_STEP" => &["notification", "notify", "notice", "mail", "email", "recipient"],
            "FORK_STEP" | "JOIN_STEP" => &["fork", "join", "branch", "branche", "parallel"],
            _ => &["embedded", "subworkflow"],
        };
        self.says_any(kind) || self.names_step(step)
    }

    fn removes(&self) -> bool {
        self.says_any(&[
            "remove",
            "removing",
            "delete",
            "drop",
            "without",
            "replace",
            "merge",
            "combine",
            "simplify",
            "skip",
            "eliminate",
            "omit",
        ])
    }

    /// Whether the request changes where approvals, lookups or embedded workflows lead.
    fn reroutes(&self) -> bool {
        self.says_any(&[
            "approval", "approver", "approve", "approved", "manager", "lookup", "route", "routed", "sign",
            "assignee", "embedded", "person", "parallel",
        ]) || self.text.contains('@')
    }
}

/// A word without the ending of the plural.
fn singular(word: &str) -> String {
    if word.len() > 3 {
        word.strip_suffix('s').unwrap_or(word).to_owned()
    } else {
        word.to_owned()
    }
}

fn name(step: &Map<String, Value>) -> String {
    filled(step, "step_name")
        .or_else(|| filled(step, "step_id"))
        .unwrap_or_default()
        .to_owned()
}

fn by_id(definition: &Map<String, Value>) -> indexmap::IndexMap<String, Map<String, Value>> {
    let steps = definition.get("steps").and_then(Value::as_array);
    let steps = steps.into_iter().flatten().filter_map(Value::as_object);
    let mut found = indexmap::IndexMap::new();
    for step in steps {
        if let Some(id) = filled(step, "step_id") {
            found.entry(id.to_owned()).or_insert_with(|| step.clone());
        }
    }
    found
}

fn fields(step: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let lists = ["fields", "output_fields"]
        .into_iter()
        .filter_map(|key| step.get(key)?.as_array());
    lists.flatten().filter_map(Value::as_object)
}

/// Keys that say where a step leads to outside of itself.
fn is_routing(key: &str) -> bool {
    key.starts_with("approver_")
        || key.starts_with("specific_approver")
        || key.starts_with("parallel_")
        || key.starts_with("conditional_")
        || key.starts_with("lookup_")
        || key.starts_with("sub_workflow")
        || matches!(
            key,
            "spoc_email"
                | "primary_approver_email"
                | "step_assignee_step_id"
                | "linked_repeating_source"
                | "required_approvals"
                | "approval_percentage"
                | "veto"
        )
}

/// A step that is there before and after: the new words where the request speaks of it, the old ones elsewhere.
fn kept_step(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    request: &Request,
    notes: &mut Notes,
) -> Map<String, Value> {
    if !request.speaks_of(old) {
        let changes = new
            .iter()
            .any(|(key, value)| key != "order" && old.get(key) != Some(value));
        if changes && !is_only_defaults(old, new) {
            notes.add(format!(
                "The step {} was left as it was: the request does not speak of it.",
                name(old)
            ));
        }
        return old.clone();
    }
    let may_reroute = request.names_step(old) && request.reroutes();
    let may_retype = request.names_step(old);
    let mut step = old.clone();
    for (key, value) in new {
        let may_change = match key.as_str() {
            "step_id" | "order" | "fields" | "output_fields" => false,
            "step_type" => may_retype,
            key if is_routing(key) => may_reroute,
            _ => true,
        };
        if may_change {
            step.insert(key.clone(), value.clone());
        } else if is_routing(key) && old.get(key) != Some(value) {
            notes.add(format!("{}: where it leads was left as it was.", name(old)));
        }
    }
    if may_reroute {
        step.retain(|key, _| !is_routing(key) || new.contains_key(key));
    }
    for list in ["fields", "output_fields"] {
        if let Some(fields) = kept_fields(old, new, list, request, notes) {
            step.insert(list.to_owned(), fields);
        }
    }
    step
}

/// Whether a new step, or each of its fields, only adds what was absent before, as a model writes defaults out.
fn is_only_defaults(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    new.iter().all(|(key, value)| match (old.get(key), value) {
        (None, _) => true,
        (Some(Value::Array(before)), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(old, new)| adds_defaults(old, new))
        }
        (Some(known), value) => known == value,
    })
}

fn adds_defaults(old: &Value, new: &Value) -> bool {
    match (old.as_object(), new.as_object()) {
        (Some(old), Some(new)) => is_only_defaults(old, new),
        _ => old == new,
    }
}

/// Fields by key: those that are gone only leave when the request takes them away, those that stay keep their lookups.
fn kept_fields(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    list: &str,
    request: &Request,
    notes: &mut Notes,
) -> Option<Value> {
    let read = |step: &Map<String, Value>| -> Vec<Map<String, Value>> {
        let fields = step.get(list).and_then(Value::as_array);
        fields
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .cloned()
            .collect()
    };
    let (before, after) = (read(old), read(new));
    if before.is_empty() && after.is_empty() {
        return None;
    }
    let key = |field: &Map<String, Value>| filled(field, "field_key").unwrap_or_default().to_owned();
    let answered: BTreeMap<String, &Map<String, Value>> =
        after.iter().map(|field| (key(field), field)).collect();
    let mut kept = Vec::new();
    for field in &before {
        match answered.get(&key(field)) {
            Some(changed) => kept.push(Value::Object(kept_field(field, changed, request))),
            None if request.removes() && request.names_field(field) => {}
            None => {
                notes.add(format!("The field {} was kept.", key(field)));
                kept.push(Value::Object(field.clone()));
            }
        }
    }
    let known: BTreeSet<String> = before.iter().map(key).collect();
    kept.extend(
        after
            .iter()
            .filter(|field| !known.contains(&key(field)))
            .cloned()
            .map(Value::Object),
    );
    Some(Value::Array(kept))
}

/// A field that the request does not name stays; one that it names keeps its lookup unless that is what it is about.
fn kept_field(old: &Map<String, Value>, new: &Map<String, Value>, request: &Request) -> Map<String, Value> {
    let is_general = request.says_any(&["all", "every", "each", "mandatory", "optional", "required"]);
    if !request.names_field(old) && !is_general {
        return old.clone();
    }
    let mut field = old.clone();
    for (key, value) in new {
        if key != "field_key" && key != "order" && key != "validation" {
            field.insert(key.clone(), value.clone());
        }
    }
    if let Some(rules) = new.get("validation").and_then(Value::as_object) {
        let mut merged = old
            .get("validation")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let changed = rules
            .iter()
            .filter(|(key, _)| !key.starts_with("lookup_") || request.says_any(&["lookup"]));
        merged.extend(changed.map(|(key, value)| (key.clone(), value.clone())));
        field.insert("validation".to_owned(), Value::Object(merged));
    }
    field
}

/// New steps stand where the answer has them: behind the step they follow there.
fn insert_new(steps: &mut Vec<Value>, answer: &Map<String, Value>, is_new: &dyn Fn(&String) -> bool) {
    let id_of = |step: &Value| {
        step.get("step_id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut previous: Option<String> = None;
    let answered = answer.get("steps").and_then(Value::as_array);
    for step in answered.into_iter().flatten() {
        let id = id_of(step);
        if is_new(&id) {
            let place = steps.iter().position(|known| Some(id_of(known)) == previous);
            let at = place.map_or_else(|| if previous.is_none() { 0 } else { steps.len() }, |at| at + 1);
            steps.insert(at.min(steps.len()), step.clone());
        }
        previous = Some(id);
    }
    for (order, step) in steps.iter_mut().enumerate() {
        if let Some(step) = step.as_object_mut()
            && step.contains_key("order")
        {
            step.insert("order".to_owned(), order.into());
        }
    }
}

/// Edges between steps that the request does not touch stay as they were; new ones come in where a step is touched.
fn kept_transitions(
    current: &Map<String, Value>,
    answer: &Map<String, Value>,
    removed: &BTreeSet<String>,
    is_new: &dyn Fn(&String) -> bool,
    touched: &dyn Fn(&str) -> bool,
) -> Vec<Value> {
    let edges = |definition: &Map<String, Value>| -> Vec<Map<String, Value>> {
        let list = definition.get("transitions").and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .cloned()
            .collect()
    };
    let end = |edge: &Map<String, Value>, key: &str| filled(edge, key).unwrap_or_default().to_owned();
    let same_way = |a: &Map<String, Value>, b: &Map<String, Value>| {
        ["from_step_id", "to_step_id", "on_event"]
            .iter()
            .all(|key| filled(a, key) == filled(b, key))
    };
    let (before, after) = (edges(current), edges(answer));
    let mut kept: Vec<Map<String, Value>> = Vec::new();
    for edge in &before {
        let (from, to) = (end(edge, "from_step_id"), end(edge, "to_step_id"));
        if removed.contains(&from) || removed.contains(&to) {
            continue;
        }
        let answered = after.iter().find(|other| same_way(edge, other));
        let leads_to_new = after.iter().any(|other| {
            end(other, "from_step_id") == from
                && filled(other, "on_event") == filled(edge, "on_event")
                && is_new(&end(other, "to_step_id"))
        });
        let may_change = touched(&from) || leads_to_new;
        match answered {
            Some(other) if may_change => {
                let mut changed = edge.clone();
                for key in ["condition", "priority"] {
                    changed.insert(key.to_owned(), other.get(key).cloned().unwrap_or(Value::Null));
                }
                kept.push(changed);
            }
            None if may_change || (touched(&to) && leads_elsewhere(&after, &from)) => {}
            Some(_) | None => kept.push(edge.clone()),
        }
    }
    let used: BTreeSet<String> = kept.iter().map(|edge| end(edge, "transition_id")).collect();
    for (index, edge) in after.iter().enumerate() {
        let (from, to) = (end(edge, "from_step_id"), end(edge, "to_step_id"));
        let is_known = before.iter().any(|other| same_way(edge, other));
        // From a step that the request does not name, an edge leads to what is new, or fills a gap: never past what stays.
        let leads_on = kept.iter().any(|other| {
            end(other, "from_step_id") == from && filled(other, "on_event") == filled(edge, "on_event")
        });
        if is_known || !(touched(&from) || is_new(&to) || !leads_on) {
            continue;
        }
        let mut edge = edge.clone();
        if used.contains(&end(&edge, "transition_id")) {
            edge.insert("transition_id".to_owned(), format!("t_new_{index}").into());
        }
        kept.push(edge);
    }
    kept.into_iter().map(Value::Object).collect()
}

fn leads_elsewhere(edges: &[Map<String, Value>], from: &str) -> bool {
    edges
        .iter()
        .any(|edge| filled(edge, "from_step_id") == Some(from))
}

/// The start stays, unless it was taken away or a new step comes before it.
fn start(
    current: &Map<String, Value>,
    answer: &Map<String, Value>,
    removed: &BTreeSet<String>,
    is_new: &dyn Fn(&String) -> bool,
) -> Value {
    let old = current.get("start_step_id").cloned().unwrap_or(Value::Null);
    let new = answer.get("start_step_id").cloned().unwrap_or(Value::Null);
    let is_gone = old
        .as_str()
        .is_none_or(|id| id.is_empty() || removed.contains(id));
    let comes_first = new.as_str().is_some_and(|id| is_new(&id.to_owned()));
    if is_gone || comes_first { new } else { old }
}

#[cfg(test)]
mod tests;
