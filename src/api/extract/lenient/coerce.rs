//! Which spellings stand for booleans and numbers (contract http-tickets 1.6).

use serde_json::Value;

/// A whole number as visitors take it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Integer {
    Unsigned(u64),
    Signed(i64),
}

/// `true/false/1/0/yes/no/on/off/t/f/y/n` in any case, booleans, and the numbers 0 and 1.
pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whole numbers, whole floats and texts of either.
pub(super) fn integer(value: &Value) -> Result<Integer, (&'static str, &'static str)> {
    const NOT_WHOLE: (&str, &str) = ("int_parsing", "Input should be a whole number");
    match value {
        Value::Number(number) => {
            if let Some(number) = number.as_u64() {
                return Ok(Integer::Unsigned(number));
            }
            if let Some(number) = number.as_i64() {
                return Ok(Integer::Signed(number));
            }
            number.as_f64().and_then(whole).ok_or(NOT_WHOLE)
        }
        Value::String(text) => parse(text.trim()).ok_or(NOT_WHOLE),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(("int_type", "Input should be a whole number"))
        }
    }
}

/// Finite numbers and texts of them.
pub(super) fn float(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite())
}

fn parse(text: &str) -> Option<Integer> {
    if text.len() > 32 {
        return None;
    }
    if let Ok(number) = text.parse() {
        return Some(Integer::Unsigned(number));
    }
    if let Ok(number) = text.parse() {
        return Some(Integer::Signed(number));
    }
    // Only plain decimals: `1.0` is one, `1e0` and `inf` are not.
    let (whole_part, fraction) = text.split_once('.')?;
    let is_zero = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    if is_zero {
        whole_part.parse().ok().map(Integer::Signed)
    } else {
        None
    }
}

/// A float without a fraction, within the range that floats hold exactly.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(number: f64) -> Option<Integer> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(Integer::Signed(number as i64))
}
