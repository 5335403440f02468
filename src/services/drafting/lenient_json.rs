//! Reading JSON that a model wrote: what is there in another shape than it should be, and texts fit to be shown.

use serde_json::{Map, Number, Value};

/// Longest name, label or choice, in characters.
pub(super) const NAME: usize = 200;
/// Longest text of several lines, in characters.
pub(super) const TEXT: usize = 4_000;

/// The text under a key, when it is there and not blank.
pub(super) fn filled<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
}

/// The first of these keys that holds a text.
pub(super) fn first_filled<'a>(map: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| filled(map, key))
}

/// The list under a key, empty when there is none.
pub(super) fn list<'a>(map: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    map.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The objects of the list under a key.
pub(super) fn objects<'a>(
    map: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    list(map, key).iter().filter_map(Value::as_object)
}

/// A truth value, also one written as text.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        },
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number, also one written as text.
pub(super) fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => serde_json::from_str(text.trim()).ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A word of the contract in the spelling of the contract: upper-case with underscores.
pub(super) fn word(text: &str) -> String {
    text.trim().to_uppercase().replace([' ', '-'], "_")
}

/// One line for people: no control characters, not longer than `most` characters.
pub(super) fn line(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(most).collect::<String>().trim().to_owned()
}

/// A text for people that may have several lines.
pub(super) fn lines(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control() || *c == '\n');
    plain.take(TEXT).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn truth_and_numbers_are_read_from_text() {
        assert_eq!(flag(&json!("Yes")), Some(true));
        assert_eq!(flag(&json!(1)), None);
        assert_eq!(number(&json!(" 12 ")), Some(12.into()));
        assert_eq!(number(&json!("a dozen")), None);
    }

    #[test]
    fn texts_hold_no_control_characters_and_end() {
        assert_eq!(line("a\u{0}b\nc ", 10), "a b c");
        assert_eq!(lines("a\u{0}b\nc "), "ab\nc");
        assert_eq!(lines(&"é".repeat(5_000)).chars().count(), TEXT);
    }
}
