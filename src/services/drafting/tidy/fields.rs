//! Forms: keys, types, choices and rules of fields.

use super::{NAME, Notes, clipped, filled, keep_flag, without_nulls};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

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

/// Corrects the fields under `list` and the sections of a step.
pub(super) fn form(step: &mut Map<String, Value>, list: &str, notes: &mut Notes) {
    let sections = sections(step);
    let given = step
        .get(list)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let fields: Vec<Value> = given
        .iter()
        .filter_map(Value::as_object)
        .enumerate()
        .map(|(order, raw)| Value::Object(field(raw, order, &sections, notes)))
        .collect();
    step.insert(list.to_owned(), Value::Array(fields));
}

fn sections(step: &mut Map<String, Value>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let Some(given) = step.get("sections") else {
        return ids;
    };
    let given = given.as_array().cloned().unwrap_or_default();
    let mut kept = Vec::new();
    for (order, raw) in given.iter().filter_map(Value::as_object).enumerate() {
        let mut section = without_nulls(raw);
        let id = filled(raw, "section_id").or_else(|| filled(raw, "id"));
        let mut id = id.map_or_else(|| format!("section_{}", order + 1), str::to_owned);
        if !ids.insert(id.clone()) {
            id = format!("section_{}", order + 1);
            ids.insert(id.clone());
        }
        let title = filled(raw, "section_title").or_else(|| filled(raw, "title"));
        let title = title.map_or_else(|| format!("Section {}", order + 1), |title| clipped(title, NAME));
        section.insert("section_id".to_owned(), json!(id));
        section.insert("section_title".to_owned(), json!(title));
        section.insert("order".to_owned(), json!(order));
        section.remove("title");
        section.remove("id");
        keep_flag(&mut section, "is_repeating");
        let repeats = section.get("is_repeating") == Some(&Value::Bool(true));
        if !repeats || section.get("min_rows").is_some_and(|rows| !rows.is_u64()) {
            section.remove("min_rows");
        }
        kept.push(Value::Object(section));
    }
    step.insert("sections".to_owned(), Value::Array(kept));
    ids
}

fn field(
    raw: &Map<String, Value>,
    order: usize,
    sections: &BTreeSet<String>,
    notes: &mut Notes,
) -> Map<String, Value> {
    let mut field = without_nulls(raw);
    let label = ["field_label", "label", "name"]
        .iter()
        .find_map(|key| filled(raw, key));
    let key = ["field_key", "key", "field_id", "id"]
        .iter()
        .find_map(|key| filled(raw, key));
    let key = key.map_or_else(|| slug(label.unwrap_or("field")), slug);
    let label = label.map_or_else(|| key.replace('_', " "), |label| clipped(label, NAME));
    for alias in ["label", "name", "key", "field_id", "id", "type"] {
        field.remove(alias);
    }
    let kind = filled(raw, "field_type")
        .or_else(|| filled(raw, "type"))
        .unwrap_or("TEXT");
    let kind = kind.trim().to_uppercase().replace([' ', '-'], "_");
    let mut known = TYPES.iter().find(|known| **known == kind).copied();
    if known == Some("LOOKUP_USER_SELECT") && !has_lookup_source(raw) {
        known = Some("USER_SELECT");
        notes.add(format!(
            "{label}: a lookup without a source became a choice of a person."
        ));
    }
    let kind = known.unwrap_or_else(|| {
        notes.add(format!(
            "{label}: a type of field that does not exist became text."
        ));
        "TEXT"
    });
    field.insert("field_key".to_owned(), json!(key));
    field.insert("field_label".to_owned(), json!(label));
    field.insert("field_type".to_owned(), json!(kind));
    field.insert("order".to_owned(), json!(order));
    let required = raw.get("required").and_then(Value::as_bool).unwrap_or(false);
    field.insert("required".to_owned(), json!(required));
    options(&mut field, kind, &label, notes);
    validation(&mut field, kind, &label, notes);
    if filled(&field, "section_id").is_some_and(|id| !sections.contains(id)) {
        field.remove("section_id");
    }
    requirements(&mut field, &label, notes);
    field
}

fn has_lookup_source(raw: &Map<String, Value>) -> bool {
    let rules = raw.get("validation").and_then(Value::as_object);
    rules.is_some_and(|rules| {
        filled(rules, "lookup_step_id").is_some() && filled(rules, "lookup_field_key").is_some()
    })
}

/// A key of letters, digits and underscores that no reserved key can be.
fn slug(text: &str) -> String {
    let plain: String = text
        .trim()
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' })
        .take(80)
        .collect();
    let plain = plain.trim_start_matches('_');
    if plain.is_empty() {
        "field".to_owned()
    } else {
        plain.to_owned()
    }
}

fn options(field: &mut Map<String, Value>, kind: &str, label: &str, notes: &mut Notes) {
    if !matches!(kind, "SELECT" | "MULTISELECT") {
        field.remove("options");
        return;
    }
    let given = field
        .get("options")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut kept: Vec<String> = Vec::new();
    for option in &given {
        let text = match option {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Object(map) => filled(map, "label")
                .or_else(|| filled(map, "value"))
                .map(str::to_owned),
            Value::Null | Value::Bool(_) | Value::Array(_) => None,
        };
        let text = text
            .map(|text| clipped(&text, NAME))
            .filter(|text| !text.is_empty());
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
    field.insert("options".to_owned(), json!(kept));
}

/// Keeps the rules that fit the type and can be kept.
fn validation(field: &mut Map<String, Value>, kind: &str, label: &str, notes: &mut Notes) {
    let Some(given) = field.remove("validation") else {
        return;
    };
    let given = given.as_object().map(without_nulls).unwrap_or_default();
    let mut kept = Map::new();
    for (key, value) in given {
        let fits = match key.as_str() {
            "min_length" | "max_length" => value.is_u64() && matches!(kind, "TEXT" | "TEXTAREA"),
            "regex_pattern" => value.is_string() && matches!(kind, "TEXT" | "TEXTAREA"),
            "min_value" | "max_value" => value.is_number() && kind == "NUMBER",
            "date_validation" => value.is_object() && kind == "DATE",
            "lookup_step_id" | "lookup_field_key" => kind == "LOOKUP_USER_SELECT",
            _ => false,
        };
        if fits {
            kept.insert(key, value);
        }
    }
    let number = |key: &str| kept.get(key).and_then(Value::as_f64);
    let is_inverted = |least: &str, most: &str| match (number(least), number(most)) {
        (Some(least), Some(most)) => least > most && most > 0.0,
        _ => false,
    };
    for (least, most) in [("min_length", "max_length"), ("min_value", "max_value")] {
        if is_inverted(least, most) {
            notes.add(format!("{label}: the two bounds were the wrong way round."));
            let (low, high) = (kept.get(most).cloned(), kept.get(least).cloned());
            kept.extend(low.map(|value| (least.to_owned(), value)));
            kept.extend(high.map(|value| (most.to_owned(), value)));
            break;
        }
    }
    let is_blocked = kept.get("date_validation").is_some_and(|dates| {
        ["allow_past_dates", "allow_today", "allow_future_dates"]
            .iter()
            .all(|key| dates.get(key) == Some(&Value::Bool(false)))
    });
    if is_blocked {
        kept.remove("date_validation");
        notes.add(format!("{label}: rules that allow no date at all were left out."));
    }
    if !kept.is_empty() {
        field.insert("validation".to_owned(), Value::Object(kept));
    }
}

/// Keeps the rules that have both of their halves.
fn requirements(field: &mut Map<String, Value>, label: &str, notes: &mut Notes) {
    let Some(given) = field.remove("conditional_requirements") else {
        return;
    };
    let given = given.as_array().cloned().unwrap_or_default();
    let mut kept = Vec::new();
    for (index, raw) in given.iter().filter_map(Value::as_object).enumerate() {
        let when = raw.get("when").and_then(Value::as_object);
        let then = raw.get("then").and_then(Value::as_object);
        let (Some(when), Some(then)) = (when, then) else {
            notes.add(format!(
                "{label}: a rule without a condition or an effect was left out."
            ));
            continue;
        };
        let mut when = without_nulls(when);
        lower_operator(&mut when);
        for further in when
            .get_mut("conditions")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(further) = further.as_object_mut() {
                lower_operator(further);
            }
        }
        let effect: Map<String, Value> = then
            .iter()
            .filter(|(key, _)| matches!(key.as_str(), "required" | "date_validation"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let id = filled(raw, "rule_id").map_or_else(|| format!("rule_{}", index + 1), str::to_owned);
        kept.push(json!({"rule_id": id, "when": when, "then": effect}));
    }
    if !kept.is_empty() {
        field.insert("conditional_requirements".to_owned(), Value::Array(kept));
    }
}

fn lower_operator(condition: &mut Map<String, Value>) {
    if let Some(Value::String(operator)) = condition.get_mut("operator") {
        *operator = operator.to_lowercase();
    }
}

/// Renames fields whose key an earlier field of the same form has.
pub(super) fn distinct_keys(steps: &mut [Map<String, Value>], notes: &mut Notes) {
    for step in steps {
        let mut used = BTreeSet::new();
        let fields = step.get_mut("fields").and_then(Value::as_array_mut);
        for field in fields.into_iter().flatten().filter_map(Value::as_object_mut) {
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
