//! How single values are written: lines, lengths, instants, links.

use super::markup::escaped;
use chrono::{DateTime, NaiveDate, Utc};
use minijinja::{AutoEscape, State, Value};

/// Template filter: line breaks of the text stay line breaks in HTML.
pub(super) fn lines(state: &State<'_, '_>, value: Value) -> Value {
    if value.is_safe() || *state.auto_escape() != AutoEscape::Html {
        return value;
    }
    let text = text_of(&value);
    let broken = text.lines().map(escaped).collect::<Vec<_>>().join("<br>");
    if broken.is_empty() {
        Value::from("")
    } else {
        Value::from_safe_string(broken)
    }
}

/// Template filter: at most `limit` characters, with an ellipsis when something was cut.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a template filter")]
pub(super) fn brief(value: Value, limit: usize) -> String {
    cut(&text_of(&value), limit)
}

/// Template filter: an RFC 3339 instant or a date in words, anything else as it is.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a template filter")]
pub(super) fn instant(value: Value) -> String {
    let text = text_of(&value);
    if let Ok(at) = DateTime::parse_from_rfc3339(&text) {
        return at.with_timezone(&Utc).format("%-d %B %Y, %H:%M UTC").to_string();
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return day.format("%-d %B %Y").to_string();
    }
    text
}

fn text_of(value: &Value) -> String {
    if value.is_none() || value.is_undefined() {
        String::new()
    } else {
        value.to_string()
    }
}

/// At most `limit` characters of `text`.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// One line: control characters, line separators and direction overrides become spaces, runs of spaces one.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let plain: String = text.chars().map(|c| if is_unfit(c) { ' ' } else { c }).collect();
    cut(&plain.split_whitespace().collect::<Vec<_>>().join(" "), limit)
}

fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` as one segment or value of a URL.
pub(super) fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}
