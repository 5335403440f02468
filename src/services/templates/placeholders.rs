//! Administrators' wordings: text with `{{name}}` placeholders, filled in one pass.
//!
//! A value that holds `{{other}}` stays as it is, and a name nobody knows becomes empty.

use super::values::{Values, as_text};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// An administrator's wording of a message; a missing half stays built-in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Override {
    /// The subject.
    pub subject: Option<String>,
    /// The body, sanitised when it was saved.
    pub body: Option<String>,
}

static PLACEHOLDER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}").ok());

/// Fills the placeholders of plain text.
pub(super) fn fill_text(text: &str, values: &Values) -> String {
    replace(text, |name, _| values.get(name).map(as_text).unwrap_or_default())
}

/// Replaces each placeholder by what `value` answers for its name and its byte offset.
pub(super) fn replace(text: &str, value: impl Fn(&str, usize) -> String) -> String {
    let Some(pattern) = PLACEHOLDER.as_ref() else {
        return text.to_owned();
    };
    let filled = pattern.replace_all(text, |found: &Captures<'_>| {
        let start = found.get(0).map_or(0, |whole| whole.start());
        value(found.get(1).map_or("", |name| name.as_str()), start)
    });
    filled.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn filled(text: &str, values: Value) -> String {
        let Value::Object(values) = values else {
            panic!("an object")
        };
        fill_text(text, &values)
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_not_filled_again() {
        let values = json!({"title": "{{secret}}", "secret": "x", "nothing": null});
        assert_eq!(
            filled("{{title}}|{{unknown}}|{{nothing}}", values),
            "{{secret}}||"
        );
    }

    #[test]
    fn expressions_and_spaces_are_no_placeholders() {
        assert_eq!(
            filled("{{ a }}{{a.b}}{{a|upper}}", json!({"a": "x"})),
            "{{ a }}{{a.b}}{{a|upper}}"
        );
    }
}
