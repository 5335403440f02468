//! What may be published: graphs that could strand a ticket are refused, graphs that the studio writes are not
//! (contract engine-core HZ-51, 9c, 33).

use crate::domain::workflow::Definition;
use crate::engine::Command;
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
    corpus.extend(further_shapes());
    corpus
}

/// A form whose field `kind` chooses between two steps of these types.
fn choice(one: Value, two: Value, event_one: &str, event_two: &str) -> Value {
    let kind = json!({"field_key": "kind", "field_label": "Kind", "field_type": "TEXT", "required": false, "order": 0});
    let mut flow = definition(
        vec![
            step("ask", "FORM_STEP", json!({"fields": [kind]})),
            one,
            two,
            end("done"),
            end("other"),
        ],
        &[
            ("one", event_one, "done"),
            ("two", event_two, "other"),
            ("ask", "SUBMIT_FORM", "two"),
        ],
    );
    let condition = json!({"logic": "AND", "conditions": [{"field": "form_values.kind", "operator": "EQUALS", "value": "one"}]});
    let edge = json!({"from_step_id": "ask", "to_step_id": "one", "on_event": "SUBMIT_FORM", "condition": condition, "priority": 1});
    flow["transitions"].as_array_mut().unwrap().push(edge);
    flow
}

fn embedded(id: &str) -> Value {
    step(
        id,
        "SUB_WORKFLOW_STEP",
        json!({"sub_workflow_id": version_ref("inner").workflow_id, "sub_workflow_version": 1, "sub_workflow_name": "inner"}),
    )
}

fn further_shapes() -> Vec<(String, Value)> {
    let mut corpus: Vec<(String, Value)> = Vec::new();
    let kinds = [
        ("form", "SUBMIT_FORM"),
        ("approval", "APPROVE"),
        ("task", "COMPLETE_TASK"),
    ];
    let of = |kind: &str, id: &str| match kind {
        "form" => form(id),
        "approval" => approval(id, "carl"),
        _ => task(id),
    };
    for (one, event_one) in kinds {
        for (two, event_two) in kinds {
            let flow = choice(of(one, "one"), of(two, "two"), event_one, event_two);
            corpus.push((format!("a choice between {one} and {two}"), flow));
            let chain = definition(
                vec![of(one, "one"), of(two, "two"), end("done")],
                &[("one", event_one, "two"), ("two", event_two, "done")],
            );
            corpus.push((format!("{one} then {two}"), chain));
        }
    }
    for mode in ["ALL", "ANY", "MAJORITY"] {
        let nested = definition(
            vec![
                fork("split", "CONTINUE_OTHERS", &["inner_split", "side", "third"]),
                fork("inner_split", "FAIL_ALL", &["left", "right"]),
                task("left"),
                approval("right", "carl"),
                join("inner_meet", "inner_split", "ALL"),
                task("side"),
                approval("third", "cora"),
                join("meet", "split", mode),
                end("done"),
            ],
            &[
                ("left", "COMPLETE_TASK", "inner_meet"),
                ("right", "APPROVE", "inner_meet"),
                ("inner_meet", "COMPLETE_TASK", "meet"),
                ("side", "COMPLETE_TASK", "meet"),
                ("third", "APPROVE", "meet"),
                ("meet", "COMPLETE_TASK", "done"),
            ],
        );
        corpus.push((format!("a fork within a fork, {mode}"), nested));
    }
    let around = definition(
        vec![form("ask"), embedded("run"), task("work"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "run"),
            ("run", "COMPLETE_TASK", "work"),
            ("work", "COMPLETE_TASK", "done"),
        ],
    );
    corpus.push(("an embedded workflow".to_owned(), around));
    let twice = definition(
        vec![embedded("run"), embedded("again"), end("done")],
        &[
            ("run", "COMPLETE_TASK", "again"),
            ("again", "COMPLETE_TASK", "done"),
        ],
    );
    corpus.push(("an embedded workflow twice".to_owned(), twice));
    corpus
}

#[test]
fn what_people_draw_may_be_published() {
    assert!(corpus().len() >= 40, "{}", corpus().len());
    for (name, definition) in corpus() {
        assert_eq!(findings(definition), [] as [String; 0], "{name}");
    }
}

fn raised(name: &str, definition: Value) -> World {
    let mut world = World::of(workflow("flow", definition));
    world.embed("inner", super::graphs::inner());
    world
        .create(json!({}), &[])
        .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
    world
}

#[test]
fn what_people_draw_runs_to_its_end_whether_people_agree_or_refuse() {
    for (name, definition) in corpus() {
        super::properties::finish(&mut raised(&name, definition.clone()));
        let mut refused = raised(&name, definition);
        // One refusal of everything that waits for an approval; then people agree again.
        let waiting: Vec<_> = refused
            .ticket()
            .steps
            .iter()
            .filter(|step| step.is_live())
            .map(|step| step.id.clone())
            .collect();
        for step in waiting {
            for who in ["carl", "cora", "mia", "one", "two"] {
                let command = Command::Reject {
                    step: step.clone(),
                    comment: Some("no".to_owned()),
                };
                let _ = refused.play(who, command);
            }
        }
        super::properties::finish(&mut refused);
    }
}

#[test]
fn what_people_draw_raises_tickets_that_wait_for_somebody() {
    for (name, definition) in corpus() {
        let world = raised(&name, definition);
        assert!(world.ticket().is_live(), "{name} waits for somebody");
    }
}
