use super::*;
use crate::engine::definition::validate::validate;
use crate::engine::testing::corpus::{amount, by_amount, choice_by, corpus, with};
use crate::engine::testing::graphs::surroundings;
use crate::engine::testing::{
    approval, definition, end, fork, form, join, object, step, task, version_ref, workflow,
};
use rstest::rstest;
use serde_json::json;

fn played(flow: Value) -> DryRun {
    dry_run(
        &Definition(object(flow)),
        &surroundings(),
        Managers::KnownAndUnknown,
    )
}

fn conditional(from: &str, to: &str, field: &str, operator: &str, value: &Value) -> Value {
    let condition = json!({"field": format!("form_values.{field}"), "operator": operator, "value": value});
    json!({"from_step_id": from, "to_step_id": to, "on_event": "SUBMIT_FORM",
           "condition": {"logic": "AND", "conditions": [condition]}})
}

#[test]
fn both_sides_of_every_condition_and_every_refusal_are_played() {
    let mut flow = definition(
        vec![
            form("start"),
            approval("cheap", "bob"),
            approval("dear", "carl"),
            task("work"),
            form("again"),
            end("done"),
        ],
        &[
            ("start", "SUBMIT_FORM", "cheap"),
            ("cheap", "APPROVE", "work"),
            ("dear", "APPROVE", "work"),
            ("dear", "REJECT", "again"),
            ("again", "SUBMIT_FORM", "dear"),
            ("work", "COMPLETE_TASK", "done"),
        ],
    );
    let edge = conditional("start", "dear", "start_text", "GREATER_THAN", &json!(1000));
    flow["transitions"].as_array_mut().unwrap().push(edge);
    let outcome = played(flow);
    assert_eq!(outcome.stuck, []);
    assert_eq!(outcome.entered.len(), 6, "{:?}", outcome.entered);
}

#[test]
fn branches_run_to_their_join() {
    let outcome = played(definition(
        vec![
            form("start"),
            fork("split", "FAIL_ALL", &["left", "right"]),
            task("left"),
            approval("right", "bob"),
            join("meet", "split", "ALL"),
            end("done"),
        ],
        &[
            ("start", "SUBMIT_FORM", "split"),
            ("left", "COMPLETE_TASK", "meet"),
            ("right", "APPROVE", "meet"),
            ("meet", "COMPLETE_TASK", "done"),
        ],
    ));
    assert_eq!(outcome.stuck, []);
    assert_eq!(outcome.entered.len(), 6);
}

#[test]
fn an_approval_without_anybody_is_found() {
    let ask = step(
        "ask",
        "APPROVAL_STEP",
        json!({"approver_resolution": "REQUESTER_MANAGER"}),
    );
    let outcome = played(definition(
        vec![form("start"), ask, end("done")],
        &[("start", "SUBMIT_FORM", "ask"), ("ask", "APPROVE", "done")],
    ));
    assert_eq!(outcome.stuck.len(), 1, "{:?}", outcome.stuck);
    assert_eq!(outcome.stuck[0].kind, "DRY_RUN_STUCK");
    assert_eq!(outcome.stuck[0].details["requester_has_a_manager"], false);
}

#[test]
fn a_loop_that_no_answer_leads_out_of_is_found_by_the_limit_it_runs_into() {
    let mut flow = definition(
        vec![
            form("start"),
            step("work", "TASK_STEP", json!({"execution_notes_required": false})),
            end("done"),
        ],
        &[
            ("start", "SUBMIT_FORM", "work"),
            ("work", "COMPLETE_TASK", "start"),
        ],
    );
    let mut out = conditional(
        "start",
        "done",
        "start_text",
        "EQUALS",
        &json!(["no text is a list"]),
    );
    out["priority"] = json!(1);
    flow["transitions"].as_array_mut().unwrap().push(out);
    let outcome = played(flow);
    assert!(!outcome.stuck.is_empty());
    for finding in outcome.stuck {
        assert_eq!(finding.details["limit"], "rounds of one step");
    }
}

#[test]
fn an_edge_that_is_missing_for_some_values_is_found() {
    let mut flow = definition(vec![form("start"), end("done")], &[]);
    let edge = conditional("start", "done", "start_text", "EQUALS", &json!("yes"));
    flow["transitions"].as_array_mut().unwrap().push(edge);
    assert_eq!(played(flow).stuck.len(), 1);
}

/// A required choice between some words.
fn kind(words: &[&str]) -> Value {
    json!({"field_key": "kind", "field_label": "Kind", "field_type": "SELECT", "options": words, "required": true, "order": 0})
}

/// Forms with these fields one after the other, the last of which leads on by an edge for `one` and one for `two`.
fn choice_of_words(forms: &[Value]) -> Value {
    let ids: Vec<String> = (0..forms.len()).map(|at| format!("ask{at}")).collect();
    let asked = ids.iter().zip(forms);
    let mut steps: Vec<Value> = asked
        .map(|(id, field)| step(id, "FORM_STEP", json!({"fields": [field]})))
        .collect();
    steps.extend([end("one"), end("two")]);
    let edges: Vec<(&str, &str, &str)> = ids
        .windows(2)
        .map(|two| (two[0].as_str(), "SUBMIT_FORM", two[1].as_str()))
        .collect();
    let mut flow = definition(steps, &edges);
    for word in ["one", "two"] {
        let edge = conditional(&ids[ids.len() - 1], word, "kind", "EQUALS", &json!(word));
        flow["transitions"].as_array_mut().unwrap().push(edge);
    }
    flow
}

/// The amount is asked behind the choice that looks at it.
fn asked_too_late() -> Value {
    let mut flow = definition(
        vec![
            task("work"),
            step("big", "FORM_STEP", json!({"fields": [amount(true)]})),
            end("small"),
        ],
        &[("big", "SUBMIT_FORM", "small")],
    );
    by_amount(&mut flow, "work", "COMPLETE_TASK", "100");
    flow
}

#[test]
fn what_people_draw_is_never_called_stuck() {
    for (name, flow) in corpus() {
        let outcome = dry_run(&Definition(object(flow)), &surroundings(), Managers::Known);
        assert_eq!(outcome.stuck, [], "{name}");
    }
}

#[rstest]
#[case::an_amount_that_need_not_be_given(choice_by(&amount(false), &task("work"), "100"))]
#[case::an_amount_that_is_compared_with_a_word(choice_by(&amount(true), &task("work"), "a lot"))]
#[case::an_amount_that_stands_in_rows(choice_by(&with(amount(true), "section_id", json!("lines")), &task("work"), "100"))]
#[case::an_amount_that_a_later_form_may_clear(choice_by(&amount(true), &step("later", "FORM_STEP", json!({"fields": [amount(false)]})), "100"))]
#[case::an_amount_that_is_asked_too_late(asked_too_late())]
#[case::a_word_without_an_edge(choice_of_words(&[kind(&["one", "two", "three"])]))]
#[case::a_word_that_a_later_form_adds(choice_of_words(&[kind(&["one", "two"]), kind(&["one", "two", "three"])]))]
fn a_choice_that_leaves_an_answer_out_is_found(#[case] flow: Value) {
    let outcome = played(flow.clone());
    assert_eq!(outcome.stuck.len(), 1, "{:?}", outcome.stuck);
    let report = validate(&Definition(object(flow)), &surroundings());
    assert!(!report.is_valid(), "publishing agrees");
}

#[test]
fn a_finding_shows_the_answers_that_lead_nowhere() {
    let outcome = played(choice_of_words(&[kind(&["one", "two", "three"])]));
    assert_eq!(outcome.stuck[0].details["form_values"], json!({"kind": "three"}));
    assert_eq!(outcome.stuck[0].details["steps"], json!(["ask0"]));
}

#[test]
fn choices_within_an_embedded_workflow_are_played_with_its_own_answers() {
    let around = || {
        definition(
            vec![
                form("start"),
                step(
                    "run",
                    "SUB_WORKFLOW_STEP",
                    json!({"sub_workflow_id": version_ref("chooses").workflow_id, "sub_workflow_version": 1}),
                ),
                end("done"),
            ],
            &[("start", "SUBMIT_FORM", "run"), ("run", "COMPLETE_TASK", "done")],
        )
    };
    let mut surroundings = surroundings();
    for (words, stops) in [(&["one", "two"][..], 0), (&["one", "two", "three"][..], 1)] {
        let inner = workflow("chooses", choice_of_words(&[kind(words)]));
        surroundings
            .embedded
            .insert(version_ref("chooses"), EmbeddedFact::Found(inner));
        let outcome = dry_run(&Definition(object(around())), &surroundings, Managers::Known);
        assert_eq!(outcome.stuck.len(), stops, "{words:?} {:?}", outcome.stuck);
        assert!(outcome.entered.contains(&StepKey::from("two")));
    }
}

#[test]
fn a_form_asked_again_until_the_answer_changes_comes_to_an_end() {
    let mut flow = definition(
        vec![form("start"), task("work"), end("done")],
        &[
            ("start", "SUBMIT_FORM", "work"),
            ("work", "COMPLETE_TASK", "done"),
        ],
    );
    let mut edge = conditional("work", "start", "start_text", "EQUALS", &json!("again"));
    edge["on_event"] = json!("COMPLETE_TASK");
    flow["transitions"].as_array_mut().unwrap().push(edge);
    assert_eq!(played(flow).stuck, []);
}

#[test]
fn a_workflow_of_the_greatest_length_is_played_to_its_end() {
    let ids: Vec<String> = (0..498).map(|number| format!("task{number}")).collect();
    let mut steps = vec![form("start")];
    steps.extend(ids.iter().map(|id| task(id)));
    steps.push(end("done"));
    let mut edges = vec![("start", "SUBMIT_FORM", "task0")];
    edges.extend(
        ids.windows(2)
            .map(|two| (two[0].as_str(), "COMPLETE_TASK", two[1].as_str())),
    );
    edges.push(("task497", "COMPLETE_TASK", "done"));
    let outcome = played(definition(steps, &edges));
    assert_eq!(outcome.stuck, []);
    assert_eq!(outcome.entered.len(), 500);
    assert_eq!(outcome.runs, 1, "the bound on effort ends it");
}
