//! What state follows (contract engine-actions 9.2).

use super::{ask, assign, changeable, in_parallel, is_refused_by_state, propose};
use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, StepState, TicketStatus};
use crate::engine::Command;
use crate::engine::testing::*;
use serde_json::{Value, json};

#[test]
fn s25_an_approver_named_twice_has_one_vote() {
    let mut world = in_parallel();
    assert_eq!(world.ticket().approval_tasks.len(), 2);
    world.approve("carl", "check");
    assert_eq!(world.state("check"), StepState::WaitingForApproval);
    world.approve("cora", "check");
    assert_eq!(world.state("check"), StepState::Completed);
}

#[test]
fn s10_a_vote_withdraws_the_question_and_the_step_waits_for_the_others_again() {
    let mut world = in_parallel();
    let question = ask(&world, "check", "ann");
    world.must("carl", question);
    assert_eq!(world.ticket().status, TicketStatus::WaitingForRequester);
    world.approve("carl", "check");
    assert_eq!(world.state("check"), StepState::WaitingForApproval);
    assert_eq!(world.ticket().status, TicketStatus::InProgress);
    let question = ask(&world, "check", "ann");
    world.must("cora", question);
}

#[test]
fn s9_an_answer_in_one_branch_hides_no_question_of_another() {
    let flow = definition(
        vec![
            form("ask"),
            approval("first", "gus"),
            fork("split", "FAIL_ALL", &["left", "right"]),
            approval("left", "carl"),
            approval("right", "cora"),
            join("meet", "split", "ALL"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "first"),
            ("first", "APPROVE", "split"),
            ("left", "APPROVE", "meet"),
            ("right", "APPROVE", "meet"),
            ("meet", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world.approve("gus", "first");
    let (left, right) = (ask(&world, "left", "ann"), ask(&world, "right", "dora"));
    world.must("carl", left);
    world.must("cora", right);
    assert_eq!(world.ticket().status, TicketStatus::WaitingForRequester);
    let answer = Command::RespondInfo {
        step: world.id("left"),
        response_text: "So.".into(),
        attachment_ids: vec![],
    };
    world.must("ann", answer);
    assert_eq!(
        world.ticket().status,
        TicketStatus::WaitingForAgent,
        "the other question is still open"
    );
    // Hence no change request meets an open question, and none is answered during one (S3).
    assert!(is_refused_by_state(
        world.play("ann", propose(json!({"ask_text": "two"})))
    ));
}

#[test]
fn s8_a_hold_and_a_change_request_do_not_forget_each_other() {
    let mut world = changeable();
    let (assign, hold) = (
        assign(&world, "deliver", "bob"),
        Command::Hold {
            step: world.id("deliver"),
            reason: "parts".into(),
        },
    );
    world.must("carl", assign);
    world.must("bob", hold);
    world.must("ann", propose(json!({"ask_text": "two"})));
    assert_eq!(world.state("deliver"), StepState::OnHold);
    let resume = Command::Resume {
        step: world.id("deliver"),
    };
    assert!(is_refused_by_state(world.play("bob", resume.clone())));
    let change_request = world.ticket().change_requests[0].id.clone();
    world.must(
        "carl",
        Command::RejectChangeRequest {
            change_request,
            notes: None,
        },
    );
    assert_eq!(world.state("deliver"), StepState::OnHold);
    world.must("bob", resume);
    assert_eq!(world.state("deliver"), StepState::Active);
}

#[test]
fn s20_a_change_is_reviewed_by_who_approved_first_not_by_who_has_yet_to_approve() {
    let mut world = changeable();
    world.must("ann", propose(json!({"ask_text": "two"})));
    assert_eq!(
        world.ticket().change_requests[0].assigned_to.email,
        person("carl").email
    );
    assert_eq!(world.told(TemplateKey::ChangeRequestPending), ["carl"]);
}

#[test]
fn s22_a_second_change_starts_from_the_first_one() {
    let mut world = changeable();
    for (round, text) in ["two", "three"].into_iter().enumerate() {
        world.must("ann", propose(json!({"ask_text": text})));
        let request = world.ticket().change_requests[round].clone();
        let before = if round == 0 { "one" } else { "two" };
        assert_eq!(
            request.field_changes[0].old_value.get("value"),
            Some(&json!(before))
        );
        world.must(
            "carl",
            Command::ApproveChangeRequest {
                change_request: request.id,
                notes: None,
            },
        );
        assert_eq!(
            world.step("ask").form_values.as_ref().unwrap().get("ask_text"),
            Some(&json!(text))
        );
        world.wait_minutes(5);
    }
    assert_eq!(world.ticket().form_version, 3);
}

/// A form with a plain field and rows, a task over the rows.
fn with_rows() -> World {
    let field = |key: &str, section: &str, order: i64| json!({"field_key": key, "field_label": key.to_uppercase(), "field_type": "TEXT", "required": false, "section_id": section, "order": order});
    let ask = step(
        "ask",
        "FORM_STEP",
        json!({
            "sections": [
                {"section_id": "main", "section_title": "Main", "order": 0},
                {"section_id": "items", "section_title": "Item", "is_repeating": true, "order": 1},
            ],
            "fields": [field("who", "main", 0), field("name", "items", 1), field("size", "items", 2)],
        }),
    );
    let mut deliver = task("deliver");
    deliver["linked_repeating_source"] =
        json!({"source_step_id": "ask", "source_section_id": "items", "context_field_keys": ["name"]});
    let flow = definition(
        vec![ask, approval("check", "carl"), deliver, end("done")],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    let values = json!({"who": "me", "__section_items": [{"name": "pen", "size": "s"}]});
    world.create(values, &["ask"]).unwrap();
    world.approve("carl", "check");
    world
}

#[test]
fn s23_differences_have_labels_and_follow_the_form_row_by_row() {
    let mut world = with_rows();
    let rows = json!([{"name": "pen", "size": "m"}, {"name": "ink", "size": "l"}]);
    world.must("ann", propose(json!({"__section_items": rows, "who": "you"})));
    let request = &world.ticket().change_requests[0];
    let seen: Vec<_> = request
        .field_changes
        .iter()
        .map(|change| {
            let value =
                |side: &crate::domain::json::JsonObject| side.get("value").cloned().unwrap_or(Value::Null);
            (
                change.field_key.as_str(),
                change.field_label.as_str(),
                value(&change.old_value),
                value(&change.new_value),
            )
        })
        .collect();
    assert_eq!(request.field_changes[0].form_name, "ask");
    assert_eq!(
        seen,
        [
            ("who", "WHO", json!("me"), json!("you")),
            ("items[1].name", "Item 2: NAME", Value::Null, json!("ink")),
            ("items[0].size", "Item 1: SIZE", json!("s"), json!("m")),
            ("items[1].size", "Item 2: SIZE", Value::Null, json!("l")),
        ]
    );
}

#[test]
fn s24_a_task_nobody_has_worked_on_takes_the_changed_rows() {
    let mut world = with_rows();
    let linked = |world: &World| {
        let work = world.step("deliver").task.clone().unwrap();
        work.linked
            .unwrap()
            .get("linked_rows")
            .unwrap()
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(linked(&world), 1);
    world.must(
        "ann",
        propose(json!({"__section_items": [{"name": "pen"}, {"name": "ink"}]})),
    );
    let change_request = world.ticket().change_requests[0].id.clone();
    world.must(
        "carl",
        Command::ApproveChangeRequest {
            change_request,
            notes: None,
        },
    );
    assert_eq!(linked(&world), 2);
}

#[test]
fn s21_a_change_keeps_absent_keys_and_every_rule_of_the_form() {
    let mut world = with_rows();
    assert!(matches!(
        world.play("ann", propose(json!({"who": 7}))),
        Err(Refusal::Validation { .. })
    ));
    assert!(matches!(
        world.play("ann", propose(json!({"__section_items": "no"}))),
        Err(Refusal::Validation { .. })
    ));
    world.must("ann", propose(json!({"who": "you"})));
    let proposed = &world.ticket().change_requests[0].proposed_data.form_values;
    assert_eq!(
        proposed.get("__section_items"),
        Some(&json!([{"name": "pen", "size": "s"}]))
    );
}

#[test]
fn s2_a_skip_withdraws_the_question_and_cancels_the_other_votes() {
    let mut world = in_parallel();
    let question = ask(&world, "check", "dora");
    world.must("carl", question);
    let skip = Command::ApproverSkip {
        step: world.id("check"),
        comment: None,
    };
    world.must("carl", skip);
    assert_eq!(world.ticket().status, TicketStatus::Skipped);
    assert!(world.ticket().open_question(&world.id("check")).is_none());
    let decisions: Vec<_> = world
        .ticket()
        .approval_tasks
        .iter()
        .map(|task| task.decision)
        .collect();
    assert!(!decisions.contains(&ApprovalDecision::Pending));
    // S7: a skipped ticket has ended for everybody.
    assert!(is_refused_by_state(
        world.play("ann", Command::Cancel { reason: None })
    ));
    let note = Command::AddRequesterNote {
        content: "hello".into(),
        attachment_ids: vec![],
    };
    assert!(is_refused_by_state(world.play("ann", note)));
}

#[test]
fn s22_a_change_leaves_what_was_said_in_an_earlier_round() {
    let flow = definition(
        vec![
            form("ask"),
            approval("check", "carl"),
            approval("sign", "gus"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "sign"),
            ("sign", "APPROVE", "done"),
            ("sign", "REJECT", "ask"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    let first = world.id("ask");
    world.approve("carl", "check");
    world.reject("gus", "sign");
    let again = Command::SubmitForm {
        step: world.id("ask"),
        form_values: object(json!({"ask_text": "two"})),
        attachment_ids: vec![],
    };
    world.must("ann", again);
    world.approve("carl", "check");
    world.must("ann", propose(json!({"ask_text": "three"})));
    let change_request = world.ticket().change_requests[0].id.clone();
    world.must(
        "carl",
        Command::ApproveChangeRequest {
            change_request,
            notes: None,
        },
    );
    let said = |id: &TicketStepId| {
        world.ticket().step(id).unwrap().form_values.as_ref().unwrap()["ask_text"].clone()
    };
    assert_eq!(said(&first), json!("one"));
    assert_eq!(said(&world.id("ask")), json!("three"));
}
