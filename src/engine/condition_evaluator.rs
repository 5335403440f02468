//! Conditions on edges and in approver rules, with the target semantics of contract engine-core 4.4: sides are coerced
//! when exactly one is text, ISO dates have an order, a missing operand makes an ordering false, lists use membership.

use super::definition::{Condition, ConditionGroup, Logic, Operator};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::{Map, Number, Value};
use std::cmp::Ordering;

/// What conditions look at: a path starts with `ticket.`, `form_values.` or `current_step.`.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The ticket as answers show it, without its form values.
    pub ticket: &'a Map<String, Value>,
    /// The ticket's form values, those of the present submission included.
    pub form_values: &'a Map<String, Value>,
    /// The step that has just ended as answers show it.
    pub current_step: &'a Map<String, Value>,
}

impl<'a> Context<'a> {
    /// The value at a dotted path; nothing for a path that does not lead to one.
    fn value(&self, path: &str) -> Option<&'a Value> {
        let (root, rest) = path.split_once('.')?;
        let map = match root {
            "ticket" => match rest.split_once('.') {
                Some(("form_values", inner)) => return descend(self.form_values, inner),
                _ => self.ticket,
            },
            "form_values" => self.form_values,
            "current_step" => self.current_step,
            _ => return None,
        };
        descend(map, rest)
    }
}

/// Whether a group holds; an empty group does.
pub fn holds(group: &ConditionGroup, context: Context<'_>) -> bool {
    let mut results = group
        .conditions
        .iter()
        .map(|condition| condition_holds(condition, context));
    match group.logic {
        Logic::All => results.all(|held| held),
        Logic::Any => group.conditions.is_empty() || results.any(|held| held),
    }
}

/// Whether one condition holds.
pub fn condition_holds(condition: &Condition, context: Context<'_>) -> bool {
    compare(
        context.value(&condition.field),
        condition.operator,
        &condition.value,
    )
}

/// Compares the value of a field with a configured operand.
pub fn compare(field: Option<&Value>, operator: Operator, operand: &Value) -> bool {
    let field = field.unwrap_or(&Value::Null);
    match operator {
        Operator::Equals => equals(field, operand),
        Operator::NotEquals => !equals(field, operand),
        Operator::GreaterThan => order(field, operand) == Some(Ordering::Greater),
        Operator::LessThan => order(field, operand) == Some(Ordering::Less),
        Operator::GreaterThanOrEquals => {
            matches!(order(field, operand), Some(Ordering::Greater | Ordering::Equal))
        }
        Operator::LessThanOrEquals => matches!(order(field, operand), Some(Ordering::Less | Ordering::Equal)),
        Operator::Contains => contains(field, operand),
        Operator::NotContains => !contains(field, operand),
        Operator::In => is_in(field, operand),
        Operator::NotIn => !is_in(field, operand),
        Operator::IsEmpty => is_empty(field),
        Operator::IsNotEmpty => !is_empty(field),
    }
}

/// Null, empty text or an empty list.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

fn descend<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut keys = path.split('.');
    let mut value = map.get(keys.next()?)?;
    for key in keys {
        value = value.as_object()?.get(key)?;
    }
    Some(value)
}

/// Equality, coercing when exactly one side is text and the other a number or a truth value.
fn equals(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => numbers_equal(a, b),
        (Value::String(text), Value::Number(number)) | (Value::Number(number), Value::String(text)) => {
            parse_number(text).is_some_and(|parsed| number.as_f64() == Some(parsed))
        }
        (Value::String(text), Value::Bool(flag)) | (Value::Bool(flag), Value::String(text)) => {
            parse_bool(text) == Some(*flag)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equals(a, b))
        }
        // An unanswered checkbox or text and an empty operand mean the same to the person who draws the edge.
        (Value::Null, Value::String(text)) | (Value::String(text), Value::Null) => text.is_empty(),
        (Value::Object(_), Value::String(_)) => {
            object_key(left).is_some_and(|key| equals(&Value::from(key), right))
        }
        _ => left == right,
    }
}

fn numbers_equal(a: &Number, b: &Number) -> bool {
    a == b || a.as_f64() == b.as_f64()
}

/// A picked person is compared by address.
fn object_key(value: &Value) -> Option<&str> {
    value.as_object()?.get("email")?.as_str()
}

/// The order of two values, when they have one: numbers, or dates and times in ISO form.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (as_number(left), as_number(right)) {
        return a.partial_cmp(&b);
    }
    let (Value::String(a), Value::String(b)) = (left, right) else {
        return None;
    };
    Some(parse_instant(a)?.cmp(&parse_instant(b)?))
}

pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => parse_number(text),
        Value::Bool(flag) => Some(if *flag { 1.0 } else { 0.0 }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A finite decimal number; words like `inf` are none.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    let number: f64 = if plain { text.parse().ok()? } else { return None };
    number.is_finite().then_some(number)
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Milliseconds since 1970 of an ISO date, or of an ISO date and time (UTC unless it names a zone).
pub(super) fn parse_instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.timestamp_millis());
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f") {
        return Some(at.and_utc().timestamp_millis());
    }
    // A form accepts a date whatever follows its `T`; then its day counts.
    parse_instant(text.split_once('T')?.0)
}

/// Membership for lists, substring for text.
fn contains(field: &Value, operand: &Value) -> bool {
    match field {
        Value::Array(items) => items.iter().any(|item| equals(item, operand)),
        Value::String(text) => match operand {
            Value::String(part) => text.contains(part.as_str()),
            Value::Number(part) => text.contains(&part.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        },
        Value::Number(number) => operand
            .as_str()
            .is_some_and(|part| number.to_string().contains(part)),
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    }
}

/// Membership of the field, or for a list any of its items, in the operand; text is split at commas.
fn is_in(field: &Value, operand: &Value) -> bool {
    let one_of = |value: &Value| match operand {
        Value::Array(choices) => choices.iter().any(|choice| equals(value, choice)),
        Value::String(text) => {
            equals(value, operand)
                || text
                    .split(',')
                    .any(|part| equals(value, &Value::from(part.trim())))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => equals(value, operand),
    };
    match field {
        Value::Array(items) => items.iter().any(one_of),
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => one_of(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::numbers_as_text(json!(5), Operator::Equals, json!("5"), true)]
    #[case::numbers_of_both_kinds(json!(5), Operator::Equals, json!(5.0), true)]
    #[case::checkbox_as_text(json!(true), Operator::Equals, json!("true"), true)]
    #[case::text_keeps_its_case(json!("Abc"), Operator::Equals, json!("abc"), false)]
    #[case::missing_is_not_a_value(json!(null), Operator::NotEquals, json!("x"), true)]
    #[case::amount_over_limit(json!(1500), Operator::GreaterThan, json!("1000"), true)]
    #[case::missing_is_not_less(json!(null), Operator::LessThan, json!(10), false)]
    #[case::missing_operand(json!(5), Operator::GreaterThanOrEquals, json!(null), false)]
    #[case::dates_have_an_order(json!("2026-03-01"), Operator::LessThan, json!("2026-10-01"), true)]
    #[case::date_and_instant(json!("2026-03-01"), Operator::LessThan, json!("2026-03-01T00:00:01Z"), true)]
    #[case::a_minute_is_enough(json!("2026-03-02T10:00"), Operator::GreaterThan, json!("2026-03-01"), true)]
    #[case::words_have_no_order(json!("b"), Operator::GreaterThan, json!("a"), false)]
    #[case::infinity_is_no_number(json!("inf"), Operator::GreaterThan, json!(1), false)]
    #[case::list_membership(json!(["IT", "HR"]), Operator::Contains, json!("HR"), true)]
    #[case::no_partial_item(json!(["ITX"]), Operator::Contains, json!("IT"), false)]
    #[case::substring(json!("laptop"), Operator::Contains, json!("top"), true)]
    #[case::comma_text(json!("HR"), Operator::In, json!("IT, HR"), true)]
    #[case::list_intersects(json!(["A", "B"]), Operator::In, json!(["B", "C"]), true)]
    #[case::number_in_list(json!(2), Operator::In, json!("1,2"), true)]
    #[case::missing_is_in_nothing(json!(null), Operator::NotIn, json!("a"), true)]
    #[case::blank_text_is_not_empty(json!(" "), Operator::IsEmpty, json!(null), false)]
    #[case::empty_list(json!([]), Operator::IsEmpty, json!(null), true)]
    #[case::zero_is_not_empty(json!(0), Operator::IsNotEmpty, json!(null), true)]
    fn values_compare(
        #[case] field: Value,
        #[case] operator: Operator,
        #[case] operand: Value,
        #[case] expected: bool,
    ) {
        assert_eq!(compare(Some(&field), operator, &operand), expected);
    }

    #[test]
    fn paths_descend_through_objects_only() {
        let ticket = json!({"requester": {"email": "a@b.example"}});
        let values = json!({"amount": 5, "rows": [{"a": 1}]});
        let step = json!({"data": {"output_values": {"ok": true}}});
        let context = Context {
            ticket: ticket.as_object().unwrap(),
            form_values: values.as_object().unwrap(),
            current_step: step.as_object().unwrap(),
        };
        assert_eq!(
            context.value("ticket.requester.email"),
            Some(&json!("a@b.example"))
        );
        assert_eq!(context.value("ticket.form_values.amount"), Some(&json!(5)));
        assert_eq!(
            context.value("current_step.data.output_values.ok"),
            Some(&json!(true))
        );
        assert_eq!(context.value("form_values.rows.0.a"), None);
        assert_eq!(context.value("amount"), None);
    }

    fn arbitrary_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            Just(json!("2026-02-30")),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop::collection::vec(inner, 0..4).prop_map(Value::from)
        })
    }

    proptest! {
        #[test]
        fn no_values_make_a_comparison_panic_and_negations_agree(field in arbitrary_json(), operand in arbitrary_json()) {
            for (yes, no) in [
                (Operator::Equals, Operator::NotEquals),
                (Operator::Contains, Operator::NotContains),
                (Operator::In, Operator::NotIn),
                (Operator::IsEmpty, Operator::IsNotEmpty),
            ] {
                prop_assert_ne!(compare(Some(&field), yes, &operand), compare(Some(&field), no, &operand));
            }
            let less = compare(Some(&field), Operator::LessThan, &operand);
            let more = compare(Some(&field), Operator::GreaterThan, &operand);
            prop_assert!(!(less && more));
        }
    }
}
