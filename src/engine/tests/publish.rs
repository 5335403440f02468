//! What may be published: graphs that could strand a ticket are refused, graphs that the studio writes are not
//! (contract engine-core HZ-51, 9c, 33).

use super::corpus::{amount, by_amount, choice_by, corpus, forked, meet, raised, split, with};
use crate::domain::ticket::{Phase, TicketStatus};
use crate::domain::workflow::{Definition, StepType};
use crate::engine::definition::validate::{EmbeddedFact, Surroundings, validate};
use crate::engine::testing::*;
use crate::engine::{Command, Verdict};
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet, VecDeque};

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
#[case::a_branch_that_starts_in_another_forks_branch(definition(
    vec![
        fork("outer", "FAIL_ALL", &["one"]), fork("inner", "FAIL_ALL", &["one"]), task("one"),
        join("inner_meet", "inner", "ALL"), join("meet", "outer", "ALL"), end("done"),
    ],
    &[("one", "COMPLETE_TASK", "inner_meet"), ("inner_meet", "COMPLETE_TASK", "meet"), ("meet", "COMPLETE_TASK", "done")]))]
#[case::a_branch_that_starts_at_another_forks_join(definition(
    vec![
        fork("outer", "FAIL_ALL", &["inner_meet"]), fork("inner", "FAIL_ALL", &["one"]), task("one"),
        join("inner_meet", "inner", "ALL"), join("meet", "outer", "ALL"), end("done"),
    ],
    &[("one", "COMPLETE_TASK", "inner_meet"), ("inner_meet", "COMPLETE_TASK", "meet"), ("meet", "COMPLETE_TASK", "done")]))]
#[case::a_loop_of_branches_that_end_by_themselves(definition(
    vec![fork("split", "FAIL_ALL", &["note"]), end("note"), task("never"), join("meet", "split", "ALL"), end("done")],
    &[("never", "COMPLETE_TASK", "meet"), ("meet", "COMPLETE_TASK", "split")]))]
#[case::a_choice_by_an_amount_that_need_not_be_given(choice_by(&amount(false), &task("work"), "100"))]
#[case::a_choice_by_an_amount_that_is_compared_with_a_word(choice_by(&amount(true), &task("work"), "a lot"))]
#[case::a_choice_by_an_amount_that_stands_in_rows(choice_by(&with(amount(true), "section_id", json!("lines")), &task("work"), "100"))]
#[case::a_choice_by_an_amount_that_a_later_form_may_clear(choice_by(&amount(true), &step("later", "FORM_STEP", json!({"fields": [amount(false)]})), "100"))]
#[case::a_choice_by_an_amount_of_a_form_that_is_passed_by(passed_by())]
#[case::a_choice_whose_words_a_later_form_extends(extended())]
fn hz_51_a_graph_that_could_strand_a_ticket_is_refused(#[case] definition: Value) {
    assert_ne!(findings(definition), [] as [String; 0]);
}

/// A choice between two words, and a later form that offers a third one for the same field.
fn extended() -> Value {
    let ask = |id: &str, words: &[&str]| {
        let field = json!({"field_key": "kind", "field_label": "Kind", "field_type": "SELECT", "options": words, "required": true, "order": 0});
        step(id, "FORM_STEP", json!({"fields": [field]}))
    };
    let mut flow = definition(
        vec![
            ask("ask", &["one", "two"]),
            ask("again", &["one", "two", "three"]),
            end("one"),
            end("two"),
        ],
        &[("ask", "SUBMIT_FORM", "again")],
    );
    for to in ["one", "two"] {
        let condition = json!({"logic": "AND", "conditions": [{"field": "form_values.kind", "operator": "EQUALS", "value": to}]});
        let edge = json!({"from_step_id": "again", "to_step_id": to, "on_event": "SUBMIT_FORM", "condition": condition});
        flow["transitions"].as_array_mut().unwrap().push(edge);
    }
    flow
}

/// The form with the amount stands on one of two ways only.
fn passed_by() -> Value {
    let mut flow = definition(
        vec![
            approval("ok", "carl"),
            step("ask", "FORM_STEP", json!({"fields": [amount(true)]})),
            task("work"),
            end("big"),
            end("small"),
        ],
        &[
            ("ok", "APPROVE", "ask"),
            ("ok", "REJECT", "work"),
            ("ask", "SUBMIT_FORM", "work"),
        ],
    );
    by_amount(&mut flow, "work", "COMPLETE_TASK", "100");
    flow
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

/// Found by the fuzz target `definition`.
#[test]
fn a_definition_gets_the_same_report_each_time() {
    let lost = definition(
        vec![
            fork("one", "FAIL_ALL", &["a"]),
            fork("two", "FAIL_ALL", &["b"]),
            fork("three", "FAIL_ALL", &["c"]),
        ],
        &[],
    );
    let crossing = definition(
        vec![
            fork("split", "FAIL_ALL", &["a", "b"]),
            task("a"),
            task("b"),
            task("c"),
            join("meet", "split", "ALL"),
            end("done"),
        ],
        &[
            ("a", "COMPLETE_TASK", "c"),
            ("b", "COMPLETE_TASK", "c"),
            ("a", "APPROVE", "done"),
            ("b", "APPROVE", "done"),
            ("c", "COMPLETE_TASK", "meet"),
            ("c", "REJECT", "done"),
            ("meet", "COMPLETE_TASK", "done"),
        ],
    );
    for flow in [lost, crossing] {
        let first = findings(flow.clone());
        assert!(first.len() > 2, "{first:?}");
        for _ in 0..32 {
            assert_eq!(findings(flow.clone()), first);
        }
    }
}

#[test]
fn what_people_draw_may_be_published() {
    assert!(corpus().len() >= 40, "{}", corpus().len());
    for (name, definition) in corpus() {
        assert_eq!(findings(definition), [] as [String; 0], "{name}");
    }
}

/// The steps at which a scope ends.
fn ends(definition: &Value) -> BTreeSet<String> {
    let steps = definition["steps"].as_array().unwrap().iter();
    let leads_on = |id: &Value| {
        let mut edges = definition["transitions"].as_array().unwrap().iter();
        edges.any(|edge| edge["from_step_id"] == *id)
    };
    steps
        .filter(|step| step["is_terminal"] == json!(true) && !leads_on(&step["step_id"]))
        .map(|step| step["step_id"].as_str().unwrap().to_owned())
        .collect()
}

/// What people can decide on the live steps, each in every way there is.
fn decisions(world: &World) -> Vec<(&'static str, Command)> {
    const APPROVERS: [&str; 6] = ["carl", "cora", "mia", "one", "two", "luke"];
    let mut all = Vec::new();
    for step in world.ticket().steps.iter().filter(|step| step.is_live()) {
        let id = || step.id.clone();
        match step.kind {
            StepType::Form => {
                for (kind, amount) in [("one", 500), ("two", 5)] {
                    let values = json!({"kind": kind, "amount": amount});
                    let form_values = object(values);
                    all.push((
                        "ann",
                        Command::SubmitForm {
                            step: id(),
                            form_values,
                            attachment_ids: vec![],
                        },
                    ));
                }
            }
            StepType::Approval => {
                for who in APPROVERS.into_iter().chain(["bob"]) {
                    all.push((
                        who,
                        Command::Approve {
                            step: id(),
                            comment: None,
                        },
                    ));
                    all.push((
                        who,
                        Command::Reject {
                            step: id(),
                            comment: None,
                        },
                    ));
                    all.push((
                        who,
                        Command::ApproverSkip {
                            step: id(),
                            comment: None,
                        },
                    ));
                }
            }
            StepType::Task if step.assignee.is_some() => all.push(("bob", complete(id()))),
            StepType::Task => all.push((
                "mia",
                Command::Assign {
                    step: id(),
                    agent: named("bob"),
                },
            )),
            StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => {}
        }
    }
    all
}

/// Lets people decide in every way until every end has been come to, or nothing new comes.
fn come_to_every_end(name: &str, definition: &Value) {
    let mut missing = ends(definition);
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([raised(name, definition.clone())]);
    let mut completed = false;
    while let Some(world) = queue.pop_front() {
        super::invariants::check(&world);
        for step in world
            .ticket()
            .steps
            .iter()
            .filter(|step| step.phase == Phase::Completed)
        {
            missing.remove(step.key.as_str());
        }
        completed |= world.ticket().status == TicketStatus::Completed;
        if completed && missing.is_empty() {
            return;
        }
        for (who, command) in decisions(&world) {
            let mut after = world.clone();
            after.history.clear();
            if matches!(after.play(who, command), Ok(Verdict::Applied(_)))
                && seen.insert((
                    super::offers::shape(after.ticket()),
                    format!("{:?}", after.ticket().form_values),
                ))
            {
                queue.push_back(after);
            }
        }
        assert!(seen.len() < 5_000, "{name} has no bounds");
    }
    panic!("{name} does not come to its ends: {missing:?}, completed: {completed}");
}

#[test]
fn what_people_draw_comes_to_each_of_its_ends() {
    for (name, definition) in corpus() {
        come_to_every_end(&name, &definition);
    }
}

#[test]
fn what_people_draw_runs_to_its_end_whether_people_agree_or_refuse() {
    for (name, definition) in corpus() {
        super::invariants::finish(&mut raised(&name, definition.clone()));
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
        super::invariants::finish(&mut refused);
    }
}

#[test]
fn what_people_draw_raises_tickets_that_wait_for_somebody() {
    for (name, definition) in corpus() {
        let world = raised(&name, definition);
        assert!(world.ticket().is_live(), "{name} waits for somebody");
    }
}
