//! Forms: sections, keys, types and choices of fields.

use super::super::lenient_json::{
    NAME, filled, first_filled, flag, line, lines, list, number, objects, word,
};
use super::super::notes::Notes;
use super::step::copy_line;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

mod rules;

/// The types of fields; a lookup field needs a source that the author named, so drafts only keep it with one.
const TYPES: [&str; 10] = [
    "TEXT",
    "TEXTAREA",
    "NUMBER",
    "DATE",
    "SELECT",
    "MULTISELECT",
    "CHECKBOX",
    "FILE",
    "USER_SELECT",
    "LOOKUP_USER_SELECT",
];

/// Longest key of a field, in characters.
const KEY: usize = 80;

/// Takes over the fields under `list` and the sections of a step.
pub(super) fn form(raw: &Map<String, Value>, step: &mut Map<String, Value>, key: &str, notes: &mut Notes) {
    let sections = sections(raw, step);
    let mut fields = Vec::new();
    for raw in list(raw, key) {
        // Some models name the fields and nothing else.
        let label = raw.as_str().filter(|label| !label.trim().is_empty());
        let label = label.map(|label| Map::from_iter([("field_label".to_owned(), json!(label))]));
        match raw.as_object().cloned().or(label) {
            Some(raw) => fields.push(Value::Object(field(&raw, fields.len(), &sections, notes))),
            None => notes.add("Something among the fields that is no field was left out."),
        }
    }
    step.insert(key.to_owned(), Value::Array(fields));
}

fn sections(raw: &Map<String, Value>, step: &mut Map<String, Value>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut kept = Vec::new();
    for (order, raw) in objects(raw, "sections").enumerate() {
        let id = first_filled(raw, &["section_id", "id"]);
        let mut id = id.map_or_else(|| format!("section_{}", order + 1), |id| line(id, NAME));
        if !ids.insert(id.clone()) {
            id = format!("section_{}", order + 1);
            ids.insert(id.clone());
        }
        let title = first_filled(raw, &["section_title", "title", "name"]);
        let title = title.map_or_else(|| format!("Section {}", order + 1), |title| line(title, NAME));
        let mut section = Map::new();
        section.insert("section_id".to_owned(), json!(id));
        section.insert("section_title".to_owned(), json!(title));
        copy_line(raw, &mut section, "section_description");
        section.insert("order".to_owned(), json!(order));
        let repeats = raw.get("is_repeating").and_then(flag).unwrap_or(false);
        section.insert("is_repeating".to_owned(), json!(repeats));
        let least = raw
            .get("min_rows")
            .and_then(number)
            .and_then(|rows| rows.as_u64());
        if let Some(least) = least.filter(|_| repeats) {
            section.insert("min_rows".to_owned(), json!(least));
        }
        kept.push(Value::Object(section));
    }
    if !kept.is_empty() {
        step.insert("sections".to_owned(), Value::Array(kept));
    }
    ids
}

fn field(
    raw: &Map<String, Value>,
    order: usize,
    sections: &BTreeSet<String>,
    notes: &mut Notes,
) -> Map<String, Value> {
    let label = first_filled(raw, &["field_label", "label", "name", "title"]);
    let key = first_filled(raw, &["field_key", "key", "field_id", "id"]);
    let key = slug(key.or(label).unwrap_or("field"));
    let label = label.map_or_else(|| key.replace('_', " "), |label| line(label, NAME));
    let kind = field_type(raw, &label, notes);
    let mut field = Map::new();
    field.insert("field_key".to_owned(), json!(key));
    field.insert("field_label".to_owned(), json!(label));
    field.insert("field_type".to_owned(), json!(kind));
    let required = raw.get("required").and_then(flag).unwrap_or(false);
    field.insert("required".to_owned(), json!(required));
    field.insert("order".to_owned(), json!(order));
    copy_line(raw, &mut field, "placeholder");
    if let Some(help) = filled(raw, "help_text") {
        field.insert("help_text".to_owned(), json!(lines(help)));
    }
    if matches!(kind, "SELECT" | "MULTISELECT") {
        let options = options(raw, &label, notes);
        field.insert("options".to_owned(), json!(options));
    }
    default_value(raw, &mut field, kind);
    if let Some(section) = filled(raw, "section_id").filter(|id| sections.contains(*id)) {
        field.insert("section_id".to_owned(), json!(section));
    }
    rules::validation(raw, &mut field, kind, &label, notes);
    rules::requirements(raw, &mut field, &label, notes);
    field
}

fn field_type(raw: &Map<String, Value>, label: &str, notes: &mut Notes) -> &'static str {
    let given = word(first_filled(raw, &["field_type", "type"]).unwrap_or("TEXT"));
    match TYPES.iter().find(|known| **known == given).copied() {
        Some("LOOKUP_USER_SELECT") if !has_lookup_source(raw) => {
            notes.add(format!(
                "{label}: a lookup without a source became a choice of a person."
            ));
            "USER_SELECT"
        }
        Some(known) => known,
        None => {
            notes.add(format!(
                "{label}: a type of field that does not exist became text."
            ));
            "TEXT"
        }
    }
}

fn has_lookup_source(raw: &Map<String, Value>) -> bool {
    let rules = raw.get("validation").and_then(Value::as_object);
    rules.is_some_and(|rules| {
        filled(rules, "lookup_step_id").is_some() && filled(rules, "lookup_field_key").is_some()
    })
}

/// A key of letters, digits and underscores that no reserved key can be; references to fields are read the same way.
pub(super) fn slug(text: &str) -> String {
    let plain: String = text
        .trim()
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' })
        .take(KEY)
        .collect();
    let plain = plain.trim_start_matches('_');
    if plain.is_empty() {
        "field".to_owned()
    } else {
        plain.to_owned()
    }
}

fn options(raw: &Map<String, Value>, label: &str, notes: &mut Notes) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for option in list(raw, "options") {
        let text = match option {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Object(map) => first_filled(map, &["label", "value"]).map(str::to_owned),
            Value::Null | Value::Bool(_) | Value::Array(_) => None,
        };
        let text = text.map(|text| line(&text, NAME)).filter(|text| !text.is_empty());
        if let Some(text) = text.filter(|text| !kept.contains(text)) {
            kept.push(text);
        }
    }
    if kept.is_empty() {
        notes.add(format!(
            "{label}: the choices are not known yet; replace the three that were put in."
        ));
        kept = ["Option 1", "Option 2", "Option 3"].map(str::to_owned).to_vec();
    }
    kept
}

/// Takes over a default in the shape that the type wants (contract http-workflows 3.5).
fn default_value(raw: &Map<String, Value>, field: &mut Map<String, Value>, kind: &str) {
    let Some(given) = raw.get("default_value") else {
        return;
    };
    let is_option = |text: &str| list(field, "options").iter().any(|option| option == text);
    let fitting = match (kind, given) {
        ("CHECKBOX", given) => flag(given).map(Value::Bool),
        ("SELECT", Value::String(text)) => is_option(text).then(|| json!(text)),
        ("TEXT" | "TEXTAREA" | "DATE", Value::String(text)) => Some(json!(lines(text))),
        ("NUMBER", given) => number(given).map(|number| json!(number.to_string())),
        _ => None,
    };
    if let Some(fitting) = fitting {
        field.insert("default_value".to_owned(), fitting);
    }
}

/// Renames fields whose key an earlier field of the same form has.
pub(super) fn distinct_keys(steps: &mut [Map<String, Value>], notes: &mut Notes) {
    let lists = steps.iter_mut().flat_map(|step| {
        step.iter_mut()
            .filter(|(key, _)| matches!(key.as_str(), "fields" | "output_fields"))
            .filter_map(|(_, fields)| fields.as_array_mut())
    });
    for fields in lists {
        let mut used = BTreeSet::new();
        for field in fields.iter_mut().filter_map(Value::as_object_mut) {
            let key = filled(field, "field_key").unwrap_or("field").to_owned();
            let mut free = key.clone();
            let mut number = 2;
            while !used.insert(free.clone()) {
                free = format!("{key}_{number}");
                number += 1;
            }
            if free != key {
                notes.add(format!("A second field with the key {key} became {free}."));
                field.insert("field_key".to_owned(), json!(free));
            }
        }
    }
}
