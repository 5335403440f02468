//! A step that is there before and after: the new words where the request speaks of it, the old ones elsewhere.

use super::super::lenient_json::{filled, objects};
use super::super::notes::Notes;
use super::request::{Liberty, Request};
use super::{kept_list, name};
use serde_json::{Map, Value};

/// Keys that a step has lists under, with the key that tells their items apart.
const LISTS: [(&str, &str); 4] = [
    ("fields", "field_key"),
    ("output_fields", "field_key"),
    ("sections", "section_id"),
    ("branches", "branch_id"),
];

/// Texts of a step that can be reworded.
const TEXTS: [&str; 3] = ["step_name", "description", "instructions"];
/// Texts of a field and a section that can be reworded.
const INNER_TEXTS: [&str; 5] = [
    "field_label",
    "placeholder",
    "help_text",
    "section_title",
    "section_description",
];

pub(super) fn kept(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    liberty: Liberty,
    request: &Request,
    notes: &mut Notes,
) -> Map<String, Value> {
    if liberty.may_convert && filled(old, "step_type") != filled(new, "step_type") {
        return new.clone();
    }
    let mut step = old.clone();
    if liberty.may_change {
        change(&mut step, old, new, liberty, notes);
    } else if liberty.may_reword {
        reword(&mut step, new, &TEXTS);
    }
    for (key, id_key) in LISTS {
        let may_go = |item: &Map<String, Value>| {
            let label = ["field_label", "section_title", "branch_name"]
                .iter()
                .find_map(|label| filled(item, label));
            let is_named = request.names_field(item) || label.is_some_and(|label| request.says_name(label));
            liberty.may_change && request.removes() && is_named
        };
        let kept = kept_list(
            (old, new),
            (key, id_key),
            liberty.may_grow,
            may_go,
            |before, after| item(key, before, after, liberty, request),
        );
        if let Some(kept) = kept {
            step.insert(key.to_owned(), kept);
        }
    }
    if step == *old && differs(old, new) {
        notes.add(format!(
            "{}: the step was left as it was, because the request does not ask to change it.",
            name(old)
        ));
    }
    step
}

fn change(
    step: &mut Map<String, Value>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    liberty: Liberty,
    notes: &mut Notes,
) {
    for (key, value) in new {
        let is_list = LISTS.iter().any(|(list, _)| list == key);
        let may_change = match key.as_str() {
            "step_id" | "order" | "step_type" | "is_start" => false,
            "is_terminal" | "branch_id" | "parent_fork_step_id" | "source_fork_step_id" => {
                liberty.may_reconnect
            }
            key if is_routing(key) => liberty.may_reroute,
            _ => !is_list,
        };
        if may_change {
            step.insert(key.clone(), value.clone());
        } else if is_routing(key) && old.get(key).is_some_and(|known| known != value) {
            notes.add(format!(
                "{}: who approves it was left as it was, because the request does not ask to change it.",
                name(old)
            ));
        }
    }
    if liberty.may_reroute {
        let is_same_person = |prefix: &str| {
            let key = format!("{prefix}_email");
            old.get(&key).is_some() && old.get(&key) == new.get(&key)
        };
        // Ids and names belong to their address; drafts have none of their own.
        step.retain(|key, _| {
            !is_routing(key)
                || new.contains_key(key)
                || (key.starts_with("specific_approver_") && is_same_person("specific_approver"))
        });
    }
}

/// Keys that say where a step leads to outside of itself.
fn is_routing(key: &str) -> bool {
    [
        "approver_",
        "specific_approver",
        "parallel_",
        "conditional_",
        "lookup_",
        "sub_workflow",
    ]
    .iter()
    .any(|prefix| key.starts_with(prefix))
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

/// Whether the answer wanted something else; defaults that it wrote out do not count.
fn differs(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    new.iter()
        .any(|(key, value)| match LISTS.iter().find(|(list, _)| list == key) {
            Some((list, id_key)) => objects(old, list).any(|item| {
                let answered = objects(new, list).find(|other| other.get(*id_key) == item.get(*id_key));
                answered.is_none_or(|answered| differs(item, answered))
            }),
            None => key != "order" && old.get(key).is_some_and(|known| known != value),
        })
}

/// An item of a list: a field, a section, a branch.
fn item(
    list: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    liberty: Liberty,
    request: &Request,
) -> Map<String, Value> {
    let mut item = old.clone();
    let is_named = |label: &str| filled(old, label).is_some_and(|label| request.says_name(label));
    match list {
        _ if !liberty.may_change => {}
        "sections" if is_named("section_title") => merge(&mut item, new, &["section_id", "order"]),
        "branches" if is_named("branch_name") => merge(&mut item, new, &["branch_id", "start_step_id"]),
        "fields" | "output_fields" => field(&mut item, new, request),
        _ => {}
    }
    if liberty.may_reword {
        reword(&mut item, new, &INNER_TEXTS);
    }
    item
}

/// A field that the request does not name stays; one that it names keeps its lookup unless that is what it is about.
fn field(field: &mut Map<String, Value>, new: &Map<String, Value>, request: &Request) {
    let is_general = request.says_any(&["all", "every", "each", "mandatory", "optional", "required"]);
    let is_named = request.names_field(field);
    if !is_named {
        if is_general && let Some(required) = new.get("required") {
            field.insert("required".to_owned(), required.clone());
        }
        return;
    }
    let was_lookup = filled(field, "field_type") == Some("LOOKUP_USER_SELECT");
    let speaks_of_lookups = request.says_any(&["lookup"]);
    let mut rules = field.get("validation").cloned();
    merge(field, new, &["field_key", "order", "validation"]);
    if was_lookup && !speaks_of_lookups {
        field.insert("field_type".to_owned(), "LOOKUP_USER_SELECT".into());
    }
    if let Some(changed) = new.get("validation").and_then(Value::as_object) {
        let mut merged = rules
            .as_ref()
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let changed = changed
            .iter()
            .filter(|(key, _)| !key.starts_with("lookup_") || speaks_of_lookups);
        merged.extend(changed.map(|(key, value)| (key.clone(), value.clone())));
        rules = Some(Value::Object(merged));
    }
    if let Some(rules) = rules {
        field.insert("validation".to_owned(), rules);
    }
}

fn merge(into: &mut Map<String, Value>, new: &Map<String, Value>, but: &[&str]) {
    for (key, value) in new {
        if !but.contains(&key.as_str()) {
            into.insert(key.clone(), value.clone());
        }
    }
}

fn reword(into: &mut Map<String, Value>, new: &Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if let (true, Some(text)) = (into.contains_key(*key), filled(new, key)) {
            into.insert((*key).to_owned(), text.into());
        }
    }
}
