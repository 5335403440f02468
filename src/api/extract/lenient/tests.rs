use super::{Origin, read};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Debug, PartialEq, Deserialize)]
struct Form {
    name: String,
    count: i64,
    active: Option<bool>,
    #[serde(default)]
    rows: Vec<Row>,
    #[serde(default)]
    values: Map<String, Value>,
    kind: Option<Kind>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Row {
    key: String,
    amount: f64,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Kind {
    FormStep,
    TaskStep,
}

fn faults(value: &Value) -> Vec<(String, &'static str)> {
    let (_, faults) = read::<Form>(Origin::Body, value);
    faults
        .into_iter()
        .map(|fault| (fault.location.join("."), fault.kind))
        .collect()
}

#[test]
fn a_correct_body_is_read_with_the_contract_s_coercions() {
    let body = json!({
        "name": "a", "count": "3", "active": "yes", "unknown": {"x": 1},
        "rows": [{"key": "k", "amount": "1.5"}], "values": {"$set": [1, null, {"a.b": 2.0}]}, "kind": "TASK_STEP"
    });
    let (form, faults) = read::<Form>(Origin::Body, &body);
    assert!(faults.is_empty(), "{faults:?}");
    let form = form.unwrap();
    assert_eq!(
        (form.name.as_str(), form.count, form.active),
        ("a", 3, Some(true))
    );
    assert_eq!((form.rows[0].key.as_str(), form.rows[0].amount), ("k", 1.5));
    assert_eq!(
        form.values,
        *json!({"$set": [1, null, {"a.b": 2.0}]}).as_object().unwrap()
    );
    assert!(matches!(form.kind, Some(Kind::TaskStep)));
}

#[test]
fn every_fault_is_found_wherever_it_is() {
    let body = json!({
        "name": 5, "active": "perhaps", "rows": [{"key": 1, "amount": "x"}, {"amount": 1}, 7], "values": [],
        "kind": "NOPE"
    });
    let mut found = faults(&body);
    found.sort();
    let mut expected = [
        ("body.name", "string_type"),
        ("body.count", "missing"),
        ("body.active", "bool_parsing"),
        ("body.rows.0.key", "string_type"),
        ("body.rows.0.amount", "float_parsing"),
        ("body.rows.1.key", "missing"),
        ("body.rows.2", "model_attributes_type"),
        ("body.values", "dict_type"),
        ("body.kind", "enum"),
    ]
    .map(|(at, kind)| (at.to_owned(), kind));
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_body_that_is_no_object_is_one_fault() {
    for body in [json!([]), json!("text"), json!(null), json!(1)] {
        assert_eq!(
            faults(&body),
            [("body".to_owned(), "model_attributes_type")],
            "{body}"
        );
    }
}

#[test]
fn numbers_out_of_range_are_faults_and_not_panics() {
    for count in [
        json!(1e30),
        json!(1.5),
        json!(u64::MAX),
        json!("9".repeat(100)),
        json!(true),
        json!({}),
    ] {
        let found = faults(&json!({"name": "a", "count": count}));
        assert_eq!(found.len(), 1, "{count}");
        assert!(found[0].1.starts_with("int_"), "{count} {found:?}");
    }
}

#[test]
fn many_faults_in_a_large_body_are_bounded_in_number_and_time() {
    let rows: Vec<Value> = (0..50_000).map(|_| json!({"amount": "x"})).collect();
    let found = faults(&json!({"name": "a", "count": 1, "rows": rows}));
    assert!(!found.is_empty() && found.len() <= 128, "{}", found.len());
}

#[test]
fn path_parameters_are_read_as_one_value_a_tuple_or_a_struct() {
    let path = json!({"workflow_id": "WF-1", "number": "3"});
    assert_eq!(
        read::<(String, i64)>(Origin::Path, &path).0,
        Some(("WF-1".to_owned(), 3))
    );
    let one = json!({"number": "3"});
    assert_eq!(read::<i64>(Origin::Path, &one).0, Some(3));
    let (_, faults) = read::<(String, i64)>(Origin::Path, &json!({"workflow_id": "WF-1", "number": "x"}));
    assert_eq!(faults[0].location, ["path", "number"]);
}

/// Any JSON, with the names of our fields among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,6}".prop_map(Value::from),
        prop_oneof![Just("FORM_STEP"), Just("1"), Just("yes"), Just("1.0")].prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("name".to_owned()),
        Just("count".to_owned()),
        Just("active".to_owned()),
        Just("rows".to_owned()),
        Just("values".to_owned()),
        Just("kind".to_owned()),
        Just("key".to_owned()),
        Just("amount".to_owned()),
        ".{0,3}",
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_reads_is_read_the_same_and_without_a_fault(value in any_json()) {
        let (read, faults) = read::<Form>(Origin::Body, &value);
        if let Ok(strict) = serde_json::from_value::<Form>(value) {
            prop_assert!(faults.is_empty(), "{faults:?}");
            prop_assert_eq!(read, Some(strict));
        } else {
            // Either a coercion made sense of it, or every fault has a place.
            prop_assert!(read.is_some() || !faults.is_empty());
            prop_assert!(faults.iter().all(|fault| fault.location.first().is_some_and(|first| first == "body")));
        }
    }
}
