//! From a notice's payload to the values a message is filled with.

use super::catalogue::{COMMON_VARIABLES, Message, SAMPLES};
use crate::domain::time::Timestamp;
use chrono::Datelike;
use serde_json::{Map, Value};

/// The values a notice brings.
pub type Payload = Map<String, Value>;

/// The values a message is filled with: every variable it may use, empty where nothing is known.
pub(super) type Values = Map<String, Value>;

/// Values that do not come from the notice.
pub(super) struct Common<'a> {
    pub(super) app_url: &'a str,
    pub(super) company_name: &'a str,
    pub(super) now: Timestamp,
}

/// All values of a message: the payload's, the common and the derived ones; `null` counts as empty.
pub(super) fn of_payload(message: &Message, payload: &Payload, common: &Common<'_>) -> Values {
    let mut values = Values::new();
    for name in message.variables.iter().chain(&COMMON_VARIABLES) {
        values.insert((*name).to_owned(), Value::from(""));
    }
    for (name, value) in payload.iter().filter(|(_, value)| !value.is_null()) {
        values.insert(name.clone(), value.clone());
    }
    derive(&mut values);
    values.insert("app_url".to_owned(), common.app_url.into());
    values.insert("company_name".to_owned(), common.company_name.into());
    let year = common.now.to_chrono().year().to_string();
    values.insert("current_year".to_owned(), year.into());
    values
}

/// Every variable of a message standing for itself.
pub(super) fn placeholders(message: &Message) -> Values {
    let names = message.variables.iter().chain(&COMMON_VARIABLES);
    names
        .map(|name| ((*name).to_owned(), Value::from(format!("{{{{{name}}}}}"))))
        .collect()
}

/// The payload laid over the example values.
pub(super) fn over_samples(payload: &Payload) -> Payload {
    let mut merged: Payload = SAMPLES
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect();
    merged.extend(payload.iter().map(|(name, value)| (name.clone(), value.clone())));
    merged
}

/// Values that follow from others, where the payload does not bring them.
fn derive(values: &mut Values) {
    if is_empty(values, "time_remaining")
        && let Some(minutes) = values.get("minutes_until_due").and_then(Value::as_f64)
    {
        values.insert("time_remaining".to_owned(), duration_words(minutes).into());
    }
    if values.contains_key("is_primary") && is_empty(values, "role_label") {
        let is_primary = values.get("is_primary").and_then(Value::as_bool) == Some(true);
        let label = if is_primary { "primary contact" } else { "contact" };
        values.insert("role_label".to_owned(), label.into());
    }
}

fn is_empty(values: &Values, name: &str) -> bool {
    values.get(name).is_some_and(|value| value.as_str() == Some(""))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole minutes are meant, and the cast saturates"
)]
fn duration_words(minutes: f64) -> String {
    let minutes = minutes.max(0.0).round() as i64;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// A value as text for an override: lists with commas, field changes as `label: old → new`.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(", "),
        Value::Object(object) => change_as_text(object),
    }
}

fn change_as_text(object: &Map<String, Value>) -> String {
    let text = |name: &str| object.get(name).map(as_text).unwrap_or_default();
    if object.contains_key("new_value") {
        let label = Some(text("field_label")).filter(|label| !label.is_empty());
        let label = label.unwrap_or_else(|| text("field_key"));
        return format!("{label}: {} → {}", text("old_value"), text("new_value"));
    }
    object.values().map(as_text).collect::<Vec<_>>().join(" ")
}
