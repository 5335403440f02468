use super::*;
use crate::domain::id::WorkflowId;
use crate::engine::testing::{approval, definition, end, fork, form, join, object, step, task};
use serde_json::json;

fn played(flow: Value) -> DryRun {
    let around = Surroundings::of(WorkflowId::derived("draft"));
    dry_run(&Definition(object(flow)), &around, Managers::KnownAndUnknown)
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
fn an_edge_that_is_missing_for_some_values_is_found() {
    let mut flow = definition(vec![form("start"), end("done")], &[]);
    let edge = conditional("start", "done", "start_text", "EQUALS", &json!("yes"));
    flow["transitions"].as_array_mut().unwrap().push(edge);
    assert_eq!(played(flow).stuck.len(), 1);
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
