//! JSON inputs to start from.

use crate::engine::testing::corpus::corpus;
use crate::engine::testing::graphs::Graph;
use arbitrary::{Arbitrary, Unstructured};
use serde_json::{Value, json};

/// The shapes that people draw, the workflows of `config/workflows`, and some that must be refused.
pub(super) fn definitions() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Value)> = corpus();
    all.extend(
        shipped()
            .into_iter()
            .map(|(name, workflow)| (name, workflow["definition"].clone())),
    );
    for slip in 0..12_u8 {
        let bytes: Vec<u8> = (0..60)
            .map(|at: u8| at.wrapping_mul(37).wrapping_add(slip.wrapping_mul(29)))
            .collect();
        if let Ok(graph) = Graph::arbitrary(&mut Unstructured::new(&bytes)) {
            all.push((format!("a careless drawing {slip}"), graph.definition()));
        }
    }
    files(all)
}

fn shipped() -> Vec<(String, Value)> {
    [
        (
            "laptop",
            include_str!("../../../config/workflows/1-laptop-request.json"),
        ),
        (
            "background",
            include_str!("../../../config/workflows/2-background-check.json"),
        ),
        (
            "onboarding",
            include_str!("../../../config/workflows/3-onboarding.json"),
        ),
    ]
    .map(|(name, text)| (name.to_owned(), serde_json::from_str(text).unwrap()))
    .into()
}

/// Every operator on numbers, texts, dates, lists and what is not there.
pub(super) fn conditions() -> Vec<(String, Vec<u8>)> {
    const OPERATORS: [&str; 12] = [
        "EQUALS",
        "NOT_EQUALS",
        "GREATER_THAN",
        "LESS_THAN",
        "GREATER_THAN_OR_EQUALS",
        "LESS_THAN_OR_EQUALS",
        "CONTAINS",
        "NOT_CONTAINS",
        "IN",
        "NOT_IN",
        "IS_EMPTY",
        "IS_NOT_EMPTY",
    ];
    let operands = [
        ("form_values.amount", json!("1000")),
        ("form_values.day", json!("2026-03-01T10:00:00Z")),
        ("form_values.kinds", json!(["IT", "HR"])),
        ("form_values.who", json!("ann@example.com")),
        ("form_values.sure", json!("yes")),
        (
            "ticket.form_values.who.email",
            json!("ann@example.com, bob@example.com"),
        ),
        ("ticket.requester.email", Value::Null),
        ("current_step.data.output_values.count", json!(3)),
        ("nowhere", json!("")),
    ];
    let mut all = Vec::new();
    for (at, operator) in OPERATORS.into_iter().enumerate() {
        let conditions: Vec<Value> = operands
            .iter()
            .skip(at % 4)
            .step_by(2)
            .map(|(field, value)| json!({"field": field, "operator": operator, "value": value}))
            .collect();
        for logic in ["AND", "OR"] {
            let input = json!({
                "condition": {"logic": logic, "conditions": conditions},
                "ticket": {"requester": {"email": "ann@example.com"}, "status": "IN_PROGRESS"},
                "form_values": {
                    "amount": 1500.5, "day": "2026-03-01", "kinds": ["HR", 3, null], "sure": true,
                    "who": {"email": "ann@example.com", "display_name": "Ann"},
                },
                "current_step": {"data": {"output_values": {"count": "3"}}},
            });
            all.push((format!("{operator} {logic}"), input));
        }
    }
    files(all)
}

/// A form with a field of every type and every rule, filled in rightly and wrongly, and the forms that are shipped.
pub(super) fn forms() -> Vec<(String, Vec<u8>)> {
    let field = |key: &str, kind: &str, more: Value| {
        let mut field =
            json!({"field_key": key, "field_label": key, "field_type": kind, "required": true, "order": 0});
        field
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        field
    };
    let when = json!({"field_key": "amount", "operator": "not_equals", "value": 5, "logic": "OR",
                      "conditions": [{"field_key": "elsewhere", "step_id": "other", "operator": "in", "value": ["a"]}]});
    let then = json!({"required": false, "date_validation": {"allow_past_dates": true, "allow_future_dates": false}});
    let form = json!({
        "fields": [
            field("name", "TEXT", json!({"validation": {"min_length": 2, "max_length": 8, "regex_pattern": "[A-Z][a-z]+"}})),
            field("story", "TEXTAREA", json!({"required": false})),
            field("amount", "NUMBER", json!({"validation": {"min_value": -1.5, "max_value": 1e6}})),
            field("day", "DATE", json!({"validation": {"date_validation": {"allow_past_dates": false}},
                                        "conditional_requirements": [{"when": when, "then": then}]})),
            field("kind", "SELECT", json!({"options": ["a", "b"]})),
            field("kinds", "MULTISELECT", json!({"options": ["a", "b"]})),
            field("sure", "CHECKBOX", json!({})),
            field("proof", "FILE", json!({"required": false})),
            field("boss", "USER_SELECT", json!({})),
            field("owner", "LOOKUP_USER_SELECT", json!({"required": false, "validation": {"lookup_step_id": "ask", "lookup_field_key": "kind"}})),
            field("item", "TEXT", json!({"section_id": "rows"})),
            field("count", "NUMBER", json!({"section_id": "rows", "required": false})),
            field("scan", "FILE", json!({"section_id": "rows", "required": false})),
        ],
        "sections": [{"section_id": "rows", "section_title": "Rows", "is_repeating": true, "min_rows": 1, "order": 0},
                     {"section_id": "plain", "section_title": "Plain", "order": 1}],
    });
    let right = json!({
        "name": "Ann", "story": "", "amount": "12.5", "day": "2026-01-06", "kind": "a", "kinds": ["a", "b"], "sure": true,
        "proof": ["ATT-0123456789ab"], "boss": {"email": "mia@example.com"}, "owner": "luke@example.com",
        "__section_rows": [{"item": "Desk", "count": 2, "scan": "ATT-0123456789ac"}],
    });
    let mut all = vec![(
        "right".to_owned(),
        json!({"form": form, "values": right, "other_values": {"elsewhere": "a"}}),
    )];
    for (key, wrong) in [
        ("name", json!("ann")),
        ("name", json!(7)),
        ("amount", json!(1e9)),
        ("amount", json!("a lot")),
        ("day", json!("2020-01-01T10:00")),
        ("day", json!("2026-02-30")),
        ("kind", json!("c")),
        ("kinds", json!(["c"])),
        ("sure", json!(false)),
        ("sure", json!("yes")),
        ("proof", json!(["none"])),
        ("boss", json!({"email": "nobody"})),
        ("__section_rows", json!([])),
        ("__section_rows", json!([{"item": "", "other": 1}, 3])),
        ("unknown", json!(1)),
    ] {
        let mut values = right.clone();
        values[key] = wrong.clone();
        all.push((
            format!("{key} {wrong}"),
            json!({"form": form, "values": values, "other_values": {}}),
        ));
    }
    for (name, workflow) in shipped() {
        for step in workflow["definition"]["steps"].as_array().unwrap() {
            if step["step_type"] == json!("FORM_STEP") {
                all.push((
                    format!("{name} {}", step["step_id"]),
                    json!({"form": step, "values": {"amount": 1400}, "other_values": {}}),
                ));
            }
        }
    }
    files(all)
}

/// The inputs as files, numbered so that names are plain.
fn files(all: Vec<(String, Value)>) -> Vec<(String, Vec<u8>)> {
    let plain = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let numbered = all.into_iter().enumerate();
    numbered
        .map(|(at, (name, value))| {
            (
                format!("{at:03}-{:.40}", plain(&name)),
                value.to_string().into_bytes(),
            )
        })
        .collect()
}
