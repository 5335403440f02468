//! What forms accept (contract engine-core HZ-1, 11, 21, 22, 43, 47, 48, 49).

use crate::domain::notice::TemplateKey;
use crate::domain::refusal::Refusal;
use crate::engine::Command;
use crate::engine::testing::*;
use rstest::rstest;
use serde_json::{Value, json};

fn field(key: &str, kind: &str, more: Value) -> Value {
    let mut field =
        json!({"field_key": key, "field_label": key, "field_type": kind, "required": false, "order": 0});
    field.as_object_mut().unwrap().extend(object(more).into_map());
    field
}

#[expect(clippy::needless_pass_by_value, reason = "takes a literal")]
fn form_of(id: &str, fields: Vec<Value>) -> Value {
    step(id, "FORM_STEP", json!({"fields": fields}))
}

/// Raises a ticket with one form of these fields and submits `values`.
fn submit(fields: Vec<Value>, values: Value) -> Result<(), Refusal> {
    let flow = definition(
        vec![form_of("ask", fields), end("done")],
        &[("ask", "SUBMIT_FORM", "done")],
    );
    let mut world = World::raised(flow);
    let command = Command::SubmitForm {
        step: world.id("ask"),
        form_values: object(values),
        attachment_ids: vec![],
    };
    world.play("ann", command).map(|_| ())
}

#[rstest]
#[case::hz_49_a_required_checkbox_wants_true("CHECKBOX", json!({"required": true}), json!(false), false)]
#[case::hz_49_a_ticked_checkbox("CHECKBOX", json!({"required": true}), json!(true), true)]
#[case::hz_49_a_number_is_no_boolean("NUMBER", json!({}), json!(true), false)]
#[case::hz_49_a_number_is_no_word("NUMBER", json!({}), json!("NaN"), false)]
#[case::hz_49_a_number("NUMBER", json!({}), json!(7), true)]
#[case::hz_49_a_choice_is_one_of_the_options("SELECT", json!({"options": ["a", "b"]}), json!("c"), false)]
#[case::hz_49_a_choice("SELECT", json!({"options": ["a", "b"]}), json!("b"), true)]
#[case::hz_49_a_choice_is_taken_as_it_is_written("SELECT", json!({"options": ["a ", "b"]}), json!("a "), true)]
#[case::hz_49_a_choice_with_a_blank_is_another("SELECT", json!({"options": ["a", "b"]}), json!("a "), false)]
#[case::hz_49_choices_are_all_options("MULTISELECT", json!({"options": ["a", "b"]}), json!(["a", "c"]), false)]
#[case::hz_49_text_is_no_object("TEXT", json!({}), json!({"a": 1}), false)]
#[case::hz_47_a_pattern_matches_the_whole_value("TEXT", json!({"validation": {"regex_pattern": "[0-9]{3}"}}), json!("123x"), false)]
#[case::hz_47_a_value_that_matches("TEXT", json!({"validation": {"regex_pattern": "[0-9]{3}"}}), json!("123"), true)]
#[case::hz_48_yesterday_in_the_business_zone("DATE", json!({"validation": {"date_validation": {"allow_past_dates": false}}}), json!("2026-01-04"), false)]
#[case::hz_48_today_in_the_business_zone("DATE", json!({"validation": {"date_validation": {"allow_past_dates": false}}}), json!("2026-01-05"), true)]
#[case::hz_21_a_person_is_no_number("USER_SELECT", json!({}), json!(5), false)]
#[case::hz_21_files_are_a_list_of_ids("FILE", json!({}), json!([{"x": 1}]), false)]
#[case::hz_21_nothing_is_no_value("TEXT", json!({}), json!(null), true)]
fn a_field_accepts(#[case] kind: &str, #[case] more: Value, #[case] value: Value, #[case] accepted: bool) {
    let result = submit(vec![field("it", kind, more)], json!({"it": value}));
    assert_eq!(result.is_ok(), accepted, "{result:?}");
    assert!(
        accepted || matches!(result, Err(Refusal::Validation { .. })),
        "{result:?}"
    );
}

#[test]
fn hz_47_a_pattern_that_explodes_elsewhere_takes_linear_time() {
    let hostile = field("it", "TEXT", json!({"validation": {"regex_pattern": "(a+)+b"}}));
    let long = "a".repeat(50_000);
    assert!(submit(vec![hostile], json!({"it": long})).is_err());
}

#[rstest]
#[case::rows_that_are_no_objects(json!([1, "x", null]))]
#[case::no_list(json!("rows"))]
#[case::rows_of_lists(json!([[1]]))]
fn hz_21_malformed_rows_are_refused(#[case] rows: Value) {
    let section = json!({"section_id": "items", "section_title": "Item", "is_repeating": true, "order": 0});
    let ask = step(
        "ask",
        "FORM_STEP",
        json!({"sections": [section], "fields": [field("name", "TEXT", json!({"section_id": "items"}))]}),
    );
    let mut world = World::raised(definition(
        vec![ask, end("done")],
        &[("ask", "SUBMIT_FORM", "done")],
    ));
    let form_values = object(json!({"__section_items": rows}));
    let command = Command::SubmitForm {
        step: world.id("ask"),
        form_values,
        attachment_ids: vec![],
    };
    let result = world.play("ann", command);
    assert!(matches!(result, Err(Refusal::Validation { .. })), "{result:?}");
}

/// Two forms; in the second a field is required when the first one said so.
fn two_forms() -> World {
    let rule = json!({"when": {"step_id": "first", "field_key": "kind", "operator": "equals", "value": "big"}, "then": {"required": true}});
    let second = form_of(
        "second",
        vec![field("why", "TEXT", json!({"conditional_requirements": [rule]}))],
    );
    let flow = definition(
        vec![
            form_of("first", vec![field("kind", "TEXT", json!({}))]),
            second,
            end("done"),
        ],
        &[
            ("first", "SUBMIT_FORM", "second"),
            ("second", "SUBMIT_FORM", "done"),
        ],
    );
    World::raised(flow)
}

#[test]
fn hz_11_a_rule_sees_the_values_of_other_forms() {
    for (kind, accepted) in [("big", false), ("small", true)] {
        let mut world = two_forms();
        let first = Command::SubmitForm {
            step: world.id("first"),
            form_values: object(json!({"kind": kind})),
            attachment_ids: vec![],
        };
        world.must("ann", first);
        let second = Command::SubmitForm {
            step: world.id("second"),
            form_values: object(json!({})),
            attachment_ids: vec![],
        };
        assert_eq!(world.play("ann", second).is_ok(), accepted, "{kind}");
    }
}

/// A rule on a row's field that names the same key on another form.
#[test]
fn hz_11_a_rule_that_names_another_form_does_not_look_into_the_row() {
    let rule = json!({"when": {"step_id": "first", "field_key": "kind", "operator": "equals", "value": "big"}, "then": {"required": true}});
    let rows = json!({"section_id": "rows"});
    let mut why = field("why", "TEXT", json!({"conditional_requirements": [rule]}));
    why["section_id"] = json!("rows");
    let section = json!({"section_id": "rows", "section_title": "Rows", "is_repeating": true, "order": 0});
    let second = step(
        "second",
        "FORM_STEP",
        json!({"fields": [field("kind", "TEXT", rows), why], "sections": [section]}),
    );
    for (on_form, in_row, accepted) in [("big", "small", false), ("small", "big", true)] {
        let first = form_of("first", vec![field("kind", "TEXT", json!({}))]);
        let edges = [
            ("first", "SUBMIT_FORM", "second"),
            ("second", "SUBMIT_FORM", "done"),
        ];
        let mut world = World::raised(definition(vec![first, second.clone(), end("done")], &edges));
        let submit = |world: &World, key: &str, values: Value| Command::SubmitForm {
            step: world.id(key),
            form_values: object(values),
            attachment_ids: vec![],
        };
        let command = submit(&world, "first", json!({"kind": on_form}));
        world.must("ann", command);
        let command = submit(&world, "second", json!({"__section_rows": [{"kind": in_row}]}));
        assert_eq!(world.play("ann", command).is_ok(), accepted, "{on_form} {in_row}");
    }
}

#[test]
fn hz_1_the_way_on_depends_on_the_values_just_submitted() {
    let mut flow = definition(
        vec![
            form_of("ask", vec![field("kind", "TEXT", json!({}))]),
            task("big"),
            task("small"),
            end("done"),
        ],
        &[
            ("big", "COMPLETE_TASK", "done"),
            ("small", "COMPLETE_TASK", "done"),
        ],
    );
    let edge = |to: &str| {
        let condition = json!({"field": "form_values.kind", "operator": "EQUALS", "value": to});
        json!({"from_step_id": "ask", "to_step_id": to, "on_event": "SUBMIT_FORM",
               "condition": {"logic": "AND", "conditions": [condition]}})
    };
    flow["transitions"]
        .as_array_mut()
        .unwrap()
        .extend([edge("big"), edge("small")]);
    let mut world = World::raised(flow);
    let command = Command::SubmitForm {
        step: world.id("ask"),
        form_values: object(json!({"kind": "small"})),
        attachment_ids: vec![],
    };
    world.must("ann", command);
    assert_eq!(world.live(), ["small"]);
    assert_eq!(
        world.told(TemplateKey::TaskAssigned),
        ["mia"],
        "HZ-43: whoever may assign is told"
    );
}

#[test]
fn hz_22_null_approvers_are_no_approvers() {
    let mut check = approval("check", "carl");
    check["parallel_approvers"] = Value::Null;
    check["parallel_approval"] = Value::Null;
    let mut world = World::raised(definition(
        vec![check, end("done")],
        &[("check", "APPROVE", "done")],
    ));
    world.approve("carl", "check");
}
