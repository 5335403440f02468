//! What may be published: graphs that could strand a ticket are refused, graphs that the studio writes are not
//! (contract engine-core HZ-51, 9c, 33).

use crate::domain::workflow::Definition;
use crate::engine::definition::validate::{EmbeddedFact, Surroundings, validate};
use crate::engine::testing::*;
use rstest::rstest;
use serde_json::{Value, json};

fn findings(definition: Value) -> Vec<String> {
    let mut around = Surroundings::of(crate::domain::id::WorkflowId::derived("flow"));
    let inner = super::graphs::inner();
    around.embedded.insert(
        version_ref("inner"),
        EmbeddedFact::Found(workflow("inner", inner)),
    );
    let report = validate(&Definition(object(definition)), &around);
    report
        .errors
        .iter()
        .map(|finding| format!("{}: {}", finding.kind, finding.message))
        .collect()
}

fn without(mut definition: Value, key: &str) -> Value {
    definition.as_object_mut().unwrap().remove(key);
    definition
}

fn with(mut step: Value, key: &str, value: Value) -> Value {
    step[key] = value;
    step
}

/// A fork of two approvals and what follows, with its edges.
fn forked(fork_step: Value, join_step: Option<Value>) -> Value {
    let mut steps = vec![
        form("ask"),
        fork_step,
        approval("one", "carl"),
        approval("two", "cora"),
    ];
    let mut edges = vec![("ask", "SUBMIT_FORM", "split")];
    if let Some(join_step) = join_step {
        steps.push(join_step);
        edges.extend([
            ("one", "APPROVE", "meet"),
            ("two", "APPROVE", "meet"),
            ("meet", "COMPLETE_TASK", "done"),
        ]);
    }
    steps.push(end("done"));
    definition(steps, &edges)
}

fn split() -> Value {
    fork("split", "FAIL_ALL", &["one", "two"])
}

fn meet(mode: &str) -> Value {
    join("meet", "split", mode)
}

#[rstest]
#[case::no_steps(json!({"steps": [], "transitions": [], "start_step_id": "x"}))]
#[case::an_unknown_start(json!({"steps": [end("done")], "transitions": [], "start_step_id": "x"}))]
#[case::a_step_that_leads_nowhere(definition(vec![form("ask"), task("work"), end("done")], &[("ask", "SUBMIT_FORM", "work")]))]
#[case::an_edge_to_nothing(definition(vec![form("ask"), end("done")], &[("ask", "SUBMIT_FORM", "gone")]))]
#[case::an_edge_on_an_event_that_never_comes(definition(vec![form("ask"), end("done")], &[("ask", "APPROVE", "done")]))]
#[case::a_fork_without_a_join(forked(split(), None))]
#[case::a_fork_without_branches(forked(fork("split", "FAIL_ALL", &[]), Some(meet("ALL"))))]
#[case::a_branch_with_an_unknown_start(forked(fork("split", "FAIL_ALL", &["one", "gone"]), Some(meet("ALL"))))]
#[case::a_join_of_no_fork(forked(split(), Some(join("meet", "gone", "ALL"))))]
#[case::an_approval_without_an_approver(definition(vec![with(approval("ok", "carl"), "specific_approver_email", Value::Null), end("done")], &[("ok", "APPROVE", "done")]))]
#[case::two_steps_of_one_name(definition(vec![form("ask"), form("ask"), end("done")], &[("ask", "SUBMIT_FORM", "done")]))]
#[case::a_loop_without_a_person(definition(
    vec![form("ask"), step("note", "NOTIFY_STEP", json!({"recipients": ["requester"]})), step("again", "NOTIFY_STEP", json!({"recipients": ["requester"]})), end("done")],
    &[("ask", "SUBMIT_FORM", "note"), ("note", "COMPLETE_TASK", "again"), ("again", "COMPLETE_TASK", "note")]))]
fn hz_51_a_graph_that_could_strand_a_ticket_is_refused(#[case] definition: Value) {
    assert_ne!(findings(definition), [] as [String; 0]);
}

#[test]
fn hz_33_a_missing_start_is_refused_or_the_first_step() {
    let flow = definition(vec![form("ask"), end("done")], &[("ask", "SUBMIT_FORM", "done")]);
    let found = findings(without(flow, "start_step_id"));
    assert!(found.iter().any(|finding| finding.contains("start")), "{found:?}");
}

#[test]
fn hz_51_a_pattern_that_cannot_be_used_is_refused() {
    let field = json!({"field_key": "it", "field_label": "It", "field_type": "TEXT", "required": false, "order": 0,
                       "validation": {"regex_pattern": "(?<=a)b("}});
    let flow = definition(
        vec![step("ask", "FORM_STEP", json!({"fields": [field]})), end("done")],
        &[("ask", "SUBMIT_FORM", "done")],
    );
    assert_ne!(findings(flow), [] as [String; 0]);
}

/// The shapes that people draw; none is refused.
fn corpus() -> Vec<(String, Value)> {
    let mut corpus: Vec<(String, Value)> = Vec::new();
    let mut add = |name: &str, definition: Value| corpus.push((name.to_owned(), definition));
    add(
        "a form",
        definition(vec![form("ask"), end("done")], &[("ask", "SUBMIT_FORM", "done")]),
    );
    add(
        "only an approval",
        definition(
            vec![approval("ok", "carl"), end("done")],
            &[("ok", "APPROVE", "done")],
        ),
    );
    add(
        "only a task",
        definition(
            vec![task("work"), end("done")],
            &[("work", "COMPLETE_TASK", "done")],
        ),
    );
    for resolution in [
        json!({"approver_resolution": "REQUESTER_MANAGER"}),
        json!({"approver_resolution": "REQUESTER_MANAGER", "spoc_email": "carl@example.com"}),
        json!({"approver_resolution": "SPECIFIC_EMAIL", "specific_approver_email": "carl@example.com"}),
        json!({"approver_resolution": "SPOC_EMAIL", "spoc_email": "carl@example.com"}),
    ] {
        let ask = step("ok", "APPROVAL_STEP", resolution.clone());
        let flow = definition(
            vec![form("ask"), ask, task("work"), end("done")],
            &[
                ("ask", "SUBMIT_FORM", "ok"),
                ("ok", "APPROVE", "work"),
                ("work", "COMPLETE_TASK", "done"),
            ],
        );
        add(&format!("an approval by {resolution}"), flow);
    }
    for rule in ["ALL", "ANY"] {
        let both = json!({"approver_resolution": "SPECIFIC_EMAIL", "parallel_approval": rule,
                          "parallel_approvers": ["carl@example.com", "cora@example.com"], "primary_approver_email": "cora@example.com"});
        let flow = definition(
            vec![step("ok", "APPROVAL_STEP", both), end("done")],
            &[("ok", "APPROVE", "done")],
        );
        add(&format!("a parallel approval of {rule}"), flow);
    }
    for policy in ["FAIL_ALL", "CONTINUE_OTHERS", "CANCEL_OTHERS"] {
        for mode in ["ALL", "ANY", "MAJORITY"] {
            let flow = forked(fork("split", policy, &["one", "two"]), Some(meet(mode)));
            add(&format!("a fork with {policy} and {mode}"), flow);
        }
    }
    let rework = definition(
        vec![form("ask"), approval("ok", "carl"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "ok"),
            ("ok", "APPROVE", "done"),
            ("ok", "REJECT", "ask"),
        ],
    );
    add("a rejection that leads back", rework);
    let refused = definition(
        vec![
            form("ask"),
            approval("ok", "carl"),
            task("tidy"),
            end("sorry"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "ok"),
            ("ok", "APPROVE", "done"),
            ("ok", "REJECT", "tidy"),
            ("tidy", "COMPLETE_TASK", "sorry"),
        ],
    );
    add("a rejection with its own way on", refused);
    let note = step("note", "NOTIFY_STEP", json!({"recipients": ["requester"]}));
    let passing = definition(
        vec![form("ask"), note, task("work"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "note"),
            ("note", "COMPLETE_TASK", "work"),
            ("work", "COMPLETE_TASK", "done"),
        ],
    );
    add("a notification on the way", passing);
    corpus
}

#[test]
fn what_people_draw_may_be_published() {
    for (name, definition) in corpus() {
        assert_eq!(findings(definition), [] as [String; 0], "{name}");
    }
}

#[test]
fn what_people_draw_raises_tickets_that_wait_for_somebody() {
    for (name, definition) in corpus() {
        let mut world = World::of(workflow("flow", definition));
        world
            .create(json!({}), &[])
            .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert!(world.ticket().is_live(), "{name} waits for somebody");
    }
}
