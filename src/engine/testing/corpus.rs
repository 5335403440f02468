//! Definitions as people draw them: every step type, nesting, loops, embedded workflows, drawn rejections, the shapes the
//! studio writes.

use crate::engine::testing::*;
use serde_json::{Value, json};

/// The shapes that people draw; none is refused.
pub(crate) fn corpus() -> Vec<(String, Value)> {
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
    corpus.extend(studio_shapes());
    corpus
}

/// What the studio writes beyond that: choices without a default that leave nothing out, rules of votes, due times,
/// linked rows, an embedded workflow in a branch, loops of work, approvers found on the way.
#[expect(clippy::too_many_lines, reason = "one entry per shape")]
fn studio_shapes() -> Vec<(String, Value)> {
    let mut corpus: Vec<(String, Value)> = Vec::new();
    let mut add = |name: &str, definition: Value| corpus.push((name.to_owned(), definition));
    add("a choice by an amount right behind its form", {
        let mut flow = definition(
            vec![
                step("ask", "FORM_STEP", json!({"fields": [amount(true)]})),
                end("big"),
                end("small"),
            ],
            &[],
        );
        by_amount(&mut flow, "ask", "SUBMIT_FORM", "100");
        flow
    });
    add(
        "a choice by an amount further on",
        choice_by(&amount(true), &task("work"), "100"),
    );
    let kind = json!({"field_key": "kind", "field_label": "Kind", "field_type": "SELECT", "options": ["one", "two"], "required": true, "order": 0});
    for (name, operator) in [
        ("each choice by its own edge", "EQUALS"),
        ("each choice by a list", "IN"),
    ] {
        let ask = step("ask", "FORM_STEP", json!({"fields": [kind.clone()]}));
        let mut flow = definition(vec![ask, end("one"), end("two")], &[]);
        for to in ["one", "two"] {
            let condition = json!({"logic": "AND", "conditions": [{"field": "form_values.kind", "operator": operator, "value": to}]});
            let edge = json!({"from_step_id": "ask", "to_step_id": to, "on_event": "SUBMIT_FORM", "condition": condition});
            flow["transitions"].as_array_mut().unwrap().push(edge);
        }
        add(name, flow);
    }
    for rule in [
        json!({"parallel_approval": "MAJORITY"}),
        json!({"parallel_approval": "MAJORITY", "veto": false}),
        json!({"parallel_approval": "ALL", "required_approvals": 2, "veto": false}),
        json!({"parallel_approval": "ALL", "approval_percentage": 60, "veto": false}),
    ] {
        let mut votes = step("ok", "APPROVAL_STEP", rule.clone());
        votes["parallel_approvers"] = json!(["carl@example.com", "cora@example.com", "one@example.com"]);
        add(
            &format!("a vote by {rule}"),
            definition(vec![votes, end("done")], &[("ok", "APPROVE", "done")]),
        );
    }
    let found = [
        json!({"approver_resolution": "STEP_ASSIGNEE", "step_assignee_step_id": "work", "spoc_email": "carl@example.com"}),
        json!({"approver_resolution": "CONDITIONAL", "conditional_approver_rules": [{"field_key": "kind", "operator": "EQUALS", "value": "one", "approver_email": "carl@example.com"}], "conditional_fallback_approver": "cora@example.com"}),
        json!({"approver_resolution": "FROM_LOOKUP", "lookup_id": "LKP-000000000001", "lookup_source_step_id": "ask", "lookup_source_field_key": "kind", "spoc_email": "carl@example.com"}),
    ];
    for resolution in found {
        let name = format!("an approver found by {}", resolution["approver_resolution"]);
        let ask = step("ask", "FORM_STEP", json!({"fields": [kind.clone()]}));
        let flow = definition(
            vec![
                ask,
                task("work"),
                step("ok", "APPROVAL_STEP", resolution),
                end("done"),
            ],
            &[
                ("ask", "SUBMIT_FORM", "work"),
                ("work", "COMPLETE_TASK", "ok"),
                ("ok", "APPROVE", "done"),
            ],
        );
        add(&name, flow);
    }
    let timed = with(
        task("work"),
        "sla",
        json!({"due_minutes": 60, "reminders": [{"minutes_before_due": 10}], "escalations": [{"minutes_after_due": 5, "recipients": ["manager"]}]}),
    );
    add(
        "a task that is due",
        definition(vec![timed, end("done")], &[("work", "COMPLETE_TASK", "done")]),
    );
    add("a join that stops waiting", {
        let patient = with(meet("ALL"), "timeout_minutes", json!(60));
        forked(fork("split", "CONTINUE_OTHERS", &["one", "two"]), Some(patient))
    });
    let section = json!({"section_id": "items", "section_title": "Rows", "is_repeating": true, "min_rows": 0, "order": 0});
    let item = json!({"field_key": "item", "field_label": "Item", "field_type": "TEXT", "required": false, "section_id": "items", "order": 0});
    let source =
        json!({"source_step_id": "ask", "source_section_id": "items", "context_field_keys": ["item"]});
    add(
        "a task over the rows of a form",
        definition(
            vec![
                step(
                    "ask",
                    "FORM_STEP",
                    json!({"fields": [item], "sections": [section]}),
                ),
                with(task("work"), "linked_repeating_source", source),
                end("done"),
            ],
            &[("ask", "SUBMIT_FORM", "work"), ("work", "COMPLETE_TASK", "done")],
        ),
    );
    add(
        "an embedded workflow in a branch, its rejection leading on",
        definition(
            vec![
                fork("split", "CONTINUE_OTHERS", &["run", "side"]),
                embedded("run"),
                task("mend"),
                task("side"),
                join("meet", "split", "ALL"),
                end("done"),
            ],
            &[
                ("run", "COMPLETE_TASK", "meet"),
                ("run", "REJECT", "mend"),
                ("mend", "COMPLETE_TASK", "meet"),
                ("side", "COMPLETE_TASK", "meet"),
                ("meet", "COMPLETE_TASK", "done"),
            ],
        ),
    );
    add(
        "work that is sent back",
        definition(
            vec![task("work"), approval("check", "carl"), end("done")],
            &[
                ("work", "COMPLETE_TASK", "check"),
                ("check", "APPROVE", "done"),
                ("check", "REJECT", "work"),
            ],
        ),
    );
    add(
        "an approval with an end for each decision",
        definition(
            vec![approval("ok", "carl"), end("yes"), end("no"), end("neither")],
            &[
                ("ok", "APPROVE", "yes"),
                ("ok", "REJECT", "no"),
                ("ok", "SKIP", "neither"),
            ],
        ),
    );
    add("a branch with an end of its own", {
        let mut flow = forked(split(), Some(meet("ALL")));
        flow["steps"].as_array_mut().unwrap().push(end("aside"));
        let edge = json!({"from_step_id": "one", "to_step_id": "aside", "on_event": "REJECT"});
        flow["transitions"].as_array_mut().unwrap().push(edge);
        flow
    });
    corpus
}

/// A step with one more key.
pub(crate) fn with(mut step: Value, key: &str, value: Value) -> Value {
    step[key] = value;
    step
}

/// A fork of two approvals and what follows, with its edges.
pub(crate) fn forked(fork_step: Value, join_step: Option<Value>) -> Value {
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

/// A fork of two branches.
pub(crate) fn split() -> Value {
    fork("split", "FAIL_ALL", &["one", "two"])
}

/// Its join.
pub(crate) fn meet(mode: &str) -> Value {
    join("meet", "split", mode)
}

/// A number field.
pub(crate) fn amount(required: bool) -> Value {
    json!({"field_key": "amount", "field_label": "Amount", "field_type": "NUMBER", "required": required, "order": 0})
}

/// Two edges of a step, one above `limit` and one up to it.
pub(crate) fn by_amount(flow: &mut Value, from: &str, event: &str, limit: &str) {
    for (operator, to) in [("GREATER_THAN", "big"), ("LESS_THAN_OR_EQUALS", "small")] {
        let condition = json!({"logic": "AND", "conditions": [{"field": "form_values.amount", "operator": operator, "value": limit}]});
        let edge = json!({"from_step_id": from, "to_step_id": to, "on_event": event, "condition": condition});
        flow["transitions"].as_array_mut().unwrap().push(edge);
    }
}

/// A form with `field`, then `next`, whose way on depends on the amount.
pub(crate) fn choice_by(field: &Value, next: &Value, limit: &str) -> Value {
    let section = json!({"section_id": "lines", "section_title": "Lines", "is_repeating": true, "order": 0});
    let id = next["step_id"].as_str().unwrap().to_owned();
    let event = if next["step_type"] == json!("FORM_STEP") {
        "SUBMIT_FORM"
    } else {
        "COMPLETE_TASK"
    };
    let ask = step(
        "ask",
        "FORM_STEP",
        json!({"fields": [field], "sections": [section]}),
    );
    let mut flow = definition(
        vec![ask, next.clone(), end("big"), end("small")],
        &[("ask", "SUBMIT_FORM", id.as_str())],
    );
    by_amount(&mut flow, &id, event, limit);
    flow
}

/// A ticket of a shape, raised by the plain path.
pub(crate) fn raised(name: &str, definition: Value) -> World {
    let mut world = World::of(workflow("flow", definition));
    world.embed("inner", super::graphs::inner());
    world
        .create(json!({}), &[])
        .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
    world
}
