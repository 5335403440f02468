//! Rules of fields: those that fit the type and can be kept.

use super::super::super::lenient_json::{filled, flag, number, objects};
use super::super::super::notes::Notes;
use super::slug;
use serde_json::{Map, Number, Value, json};

const DATES: [&str; 3] = ["allow_past_dates", "allow_today", "allow_future_dates"];

pub(super) fn validation(
    raw: &Map<String, Value>,
    field: &mut Map<String, Value>,
    kind: &str,
    label: &str,
    notes: &mut Notes,
) {
    let Some(given) = raw.get("validation").and_then(Value::as_object) else {
        return;
    };
    let mut kept = Map::new();
    for (key, value) in given {
        let fitting = match (key.as_str(), kind) {
            ("min_length" | "max_length", "TEXT" | "TEXTAREA") => {
                number(value).filter(Number::is_u64).map(Value::Number)
            }
            ("min_value" | "max_value", "NUMBER") => number(value).map(Value::Number),
            ("regex_pattern", "TEXT" | "TEXTAREA") | ("lookup_step_id", "LOOKUP_USER_SELECT") => {
                filled(given, key).map(Value::from)
            }
            ("date_validation", "DATE") => dates(value, label, notes),
            ("lookup_field_key", "LOOKUP_USER_SELECT") => filled(given, key).map(|key| json!(slug(key))),
            _ => None,
        };
        if let Some(fitting) = fitting {
            kept.insert(key.clone(), fitting);
        }
    }
    for (least, most) in [("min_length", "max_length"), ("min_value", "max_value")] {
        right_way_round(&mut kept, least, most, label, notes);
    }
    if !kept.is_empty() {
        field.insert("validation".to_owned(), Value::Object(kept));
    }
}

/// Rules for dates; none when they would allow no date at all.
fn dates(given: &Value, label: &str, notes: &mut Notes) -> Option<Value> {
    let given = given.as_object()?;
    let rules: Map<String, Value> = DATES
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), json!(flag(given.get(*key)?)?))))
        .collect();
    if DATES
        .iter()
        .all(|key| rules.get(*key) == Some(&Value::Bool(false)))
    {
        notes.add(format!("{label}: rules that allow no date at all were left out."));
        return None;
    }
    Some(Value::Object(rules))
}

/// Exchanges two bounds of which the lower one is the higher; a greatest length of zero is none.
fn right_way_round(rules: &mut Map<String, Value>, least: &str, most: &str, label: &str, notes: &mut Notes) {
    let (Some(low), Some(high)) = (rules.get(least).cloned(), rules.get(most).cloned()) else {
        return;
    };
    let is_unbounded = most == "max_length" && high.as_u64() == Some(0);
    if low.as_f64() > high.as_f64() && !is_unbounded {
        notes.add(format!("{label}: the two bounds were the wrong way round."));
        rules.insert(least.to_owned(), high);
        rules.insert(most.to_owned(), low);
    }
}

/// Takes over the rules that have a condition that can be read and an effect.
pub(super) fn requirements(
    raw: &Map<String, Value>,
    field: &mut Map<String, Value>,
    label: &str,
    notes: &mut Notes,
) {
    let mut kept = Vec::new();
    for (index, raw) in objects(raw, "conditional_requirements").enumerate() {
        let when = raw.get("when").and_then(Value::as_object).and_then(when);
        let then = raw.get("then").and_then(Value::as_object);
        let (Some(when), Some(then)) = (when, then) else {
            notes.add(format!(
                "{label}: a rule without a condition or an effect was left out."
            ));
            continue;
        };
        let mut effect = Map::new();
        if let Some(required) = then.get("required").and_then(flag) {
            effect.insert("required".to_owned(), json!(required));
        }
        if let Some(dates) = then
            .get("date_validation")
            .and_then(|given| dates(given, label, notes))
        {
            effect.insert("date_validation".to_owned(), dates);
        }
        let id = filled(raw, "rule_id").map_or_else(|| format!("rule_{}", index + 1), str::to_owned);
        kept.push(json!({"rule_id": id, "when": when, "then": effect}));
    }
    if !kept.is_empty() {
        field.insert("conditional_requirements".to_owned(), Value::Array(kept));
    }
}

fn when(raw: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut when = comparison(raw)?;
    let further: Vec<Value> = objects(raw, "conditions")
        .filter_map(|one| comparison(one).map(Value::Object))
        .collect();
    if !further.is_empty() {
        let is_any = filled(raw, "logic").is_some_and(|logic| logic.trim().eq_ignore_ascii_case("or"));
        when.insert("logic".to_owned(), json!(if is_any { "OR" } else { "AND" }));
        when.insert("conditions".to_owned(), Value::Array(further));
    }
    Some(when)
}

fn comparison(raw: &Map<String, Value>) -> Option<Map<String, Value>> {
    const OPERATORS: [&str; 6] = ["equals", "not_equals", "in", "not_in", "is_empty", "is_not_empty"];
    let operator = super::super::approval::operator(filled(raw, "operator")?).to_lowercase();
    let operator = OPERATORS.iter().find(|known| **known == operator)?;
    let key = slug(filled(raw, "field_key")?.trim_start_matches("form_values."));
    let mut comparison = Map::new();
    comparison.insert("field_key".to_owned(), json!(key));
    if let Some(step) = filled(raw, "step_id") {
        comparison.insert("step_id".to_owned(), json!(step));
    }
    comparison.insert("operator".to_owned(), json!(operator));
    if let Some(value) = raw.get("value").filter(|value| !value.is_object()) {
        comparison.insert("value".to_owned(), value.clone());
    }
    Some(comparison)
}
