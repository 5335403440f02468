//! Creation, forms, approvals, tasks, ends and re-entry.

use crate::domain::audit::AuditEventType;
use crate::domain::notice::TemplateKey;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{AssignmentStatus, StepState, TicketStatus};
use crate::engine::testing::*;
use crate::engine::{Command, Verdict};
use rstest::rstest;
use serde_json::{Value, json};

fn laptop() -> Value {
    let amount = json!({"field_key": "amount", "field_label": "Amount", "field_type": "NUMBER", "required": true, "order": 0});
    let ask = step("ask", "FORM_STEP", json!({"fields": [amount]}));
    let manager = step(
        "manager",
        "APPROVAL_STEP",
        json!({"approver_resolution": "REQUESTER_MANAGER"}),
    );
    let mut flow = definition(
        vec![
            ask,
            manager,
            approval("finance", "fin"),
            task("deliver"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "manager"),
            ("manager", "APPROVE", "deliver"),
            ("finance", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    );
    let condition = json!({"logic": "AND", "conditions": [{"field": "form_values.amount", "operator": "GREATER_THAN", "value": "1000"}]});
    let edge = json!({"from_step_id": "manager", "to_step_id": "finance", "on_event": "APPROVE", "condition": condition, "priority": 0});
    flow["transitions"].as_array_mut().unwrap().push(edge);
    flow
}

fn raised(amount: i64) -> World {
    let mut world = World::of(workflow("laptop", laptop()));
    world.create(json!({"amount": amount}), &["ask"]).unwrap();
    world
}

#[test]
fn a_ticket_goes_from_the_wizard_to_completion() {
    let mut world = raised(500);
    assert_eq!(world.live(), ["manager"]);
    assert_eq!(world.told(TemplateKey::ApprovalPending), ["mia"]);
    assert_eq!(world.told(TemplateKey::TicketCreated), ["ann"]);
    world.approve("mia", "manager");
    assert_eq!(world.live(), ["deliver"]);
    world.work("bob", "deliver");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.told(TemplateKey::TicketCompleted), ["ann"]);
    assert_eq!(world.state("finance"), StepState::Cancelled);
    assert_eq!(world.ticket().assignments[0].status, AssignmentStatus::Completed);
    assert_eq!(world.replayed(), *world.ticket());
}

#[test]
fn hz_2_a_conditional_edge_decides_where_the_flow_goes() {
    let mut world = raised(5_000);
    world.approve("mia", "manager");
    assert_eq!(world.live(), ["finance"]);
}

#[test]
fn hz_3_a_workflow_that_ends_with_its_wizard_form_completes() {
    let mut only = form("ask");
    only["is_terminal"] = json!(true);
    let mut world = World::of(workflow("one", definition(vec![only], &[])));
    world.create(json!({"ask_text": "x"}), &["ask"]).unwrap();
    assert_eq!(world.ticket().status, TicketStatus::Completed);
}

#[test]
fn hz_4b_a_refused_creation_leaves_nothing() {
    let mut world = World::of(workflow("laptop", laptop()));
    let refusal = world.create(json!({}), &["ask"]).unwrap_err();
    assert!(matches!(refusal, Refusal::Validation { .. }));
    assert!(world.ticket.is_none());
}

#[test]
fn hz_13_without_a_manager_and_contact_the_creation_is_refused() {
    let mut world = World::of(workflow("laptop", laptop()));
    world.manager = None;
    assert_eq!(
        world.create(json!({"amount": 1}), &["ask"]).unwrap_err(),
        Refusal::ManagerNotFound
    );
}

#[rstest]
#[case::an_approval("manager")]
#[case::a_step_that_does_not_exist("nowhere")]
fn hz_44_only_leading_forms_can_be_filled_in_while_raising_a_ticket(#[case] key: &str) {
    let mut world = World::of(workflow("laptop", laptop()));
    assert!(matches!(
        world.create(json!({"amount": 1}), &["ask", key]),
        Err(Refusal::Validation { .. })
    ));
    assert!(matches!(
        world.create(json!({"amount": 1}), &[key]),
        Err(Refusal::Validation { .. })
    ));
}

#[test]
fn hz_10_keys_of_other_forms_are_not_taken() {
    let mut world = raised(500);
    world.create(json!({"amount": 1}), &["ask"]).unwrap_err();
    assert!(world.ticket().form_values.get("evil").is_none());
    let mut world = World::of(workflow("laptop", laptop()));
    world
        .create(json!({"amount": 1, "evil": true}), &["ask"])
        .unwrap();
    assert!(world.ticket().form_values.get("evil").is_none());
}

#[test]
fn hz_17_the_same_decision_twice_succeeds_and_another_one_is_refused() {
    let mut world = raised(500);
    let step = world.id("manager");
    world.approve("mia", "manager");
    let again = world
        .play(
            "mia",
            Command::Approve {
                step: step.clone(),
                comment: None,
            },
        )
        .unwrap();
    assert_eq!(again, Verdict::AlreadyDone { created: None });
    let other = world
        .play(
            "mia",
            Command::Reject {
                step: step.clone(),
                comment: None,
            },
        )
        .unwrap_err();
    assert!(matches!(other, Refusal::InvalidState(_)));
    let stranger = world
        .play("eve", Command::Approve { step, comment: None })
        .unwrap_err();
    assert!(matches!(stranger, Refusal::PermissionDenied(_)));
}

#[test]
fn a_rejection_ends_the_ticket_and_tells_the_requester_once() {
    let mut world = raised(500);
    world.reject("mia", "manager");
    assert_eq!(world.ticket().status, TicketStatus::Rejected);
    assert_eq!(world.told(TemplateKey::Rejected), ["ann"]);
    assert!(world.live().is_empty());
    assert_eq!(world.count(AuditEventType::Reject), 1);
}

#[test]
fn a_skip_by_the_approver_ends_the_ticket_as_skipped() {
    let mut world = raised(500);
    let step = world.id("manager");
    world.must("mia", Command::ApproverSkip { step, comment: None });
    assert_eq!(world.ticket().status, TicketStatus::Skipped);
}

#[test]
fn hz_28_a_drawn_reject_edge_is_followed_and_the_form_is_entered_again() {
    let flow = definition(
        vec![form("ask"), approval("check", "carl"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "done"),
            ("check", "REJECT", "ask"),
        ],
    );
    let mut world = World::raised(flow);
    let first = world.id("ask");
    world.must(
        "ann",
        Command::SubmitForm {
            step: first.clone(),
            form_values: object(json!({"ask_text": "a"})),
            attachment_ids: vec![],
        },
    );
    world.reject("carl", "check");
    assert_eq!(world.ticket().status, TicketStatus::InProgress);
    assert_eq!(world.live(), ["ask"]);
    assert_ne!(world.id("ask"), first);
    assert_eq!(world.step("ask").round, 2);
    let again = world.id("ask");
    world.must(
        "ann",
        Command::SubmitForm {
            step: again,
            form_values: object(json!({"ask_text": "b"})),
            attachment_ids: vec![],
        },
    );
    world.approve("carl", "check");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.replayed(), *world.ticket());
}

#[test]
fn hz_14_the_requester_does_not_approve_while_a_manager_can() {
    let world = World::raised(definition(
        vec![approval("check", "ann"), end("done")],
        &[("check", "APPROVE", "done")],
    ));
    assert_eq!(
        world.step("check").assignee.as_ref().unwrap().email,
        person("mia").email
    );
    let mut alone = World::of(workflow(
        "flow",
        definition(
            vec![approval("check", "ann"), end("done")],
            &[("check", "APPROVE", "done")],
        ),
    ));
    alone.manager = None;
    alone.create(json!({}), &[]).unwrap();
    assert_eq!(
        alone.step("check").assignee.as_ref().unwrap().email,
        person("ann").email
    );
    let marked = alone
        .last
        .as_ref()
        .unwrap()
        .events
        .iter()
        .any(|event| event.details.get("self_approval") == Some(&json!(true)));
    assert!(marked);
}

#[test]
fn hz_36_a_parallel_approval_completes_when_all_have_approved() {
    let parallel = step(
        "check",
        "APPROVAL_STEP",
        json!({
            "parallel_approval": "ALL",
            "parallel_approvers": ["one@example.com", "two@example.com", "ONE@example.com"],
            "primary_approver_email": "two@example.com",
        }),
    );
    let mut world = World::raised(definition(
        vec![parallel, task("deliver"), end("done")],
        &[
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    ));
    assert_eq!(world.ticket().approval_tasks.len(), 2);
    world.approve("one", "check");
    assert_eq!(world.state("check"), StepState::WaitingForApproval);
    world.approve("two", "check");
    assert_eq!(world.live(), ["deliver"]);
    // The primary approver answers for the task, the other one does not.
    let step = world.id("deliver");
    let other = world
        .play(
            "one",
            Command::Assign {
                step: step.clone(),
                agent: named("bob"),
            },
        )
        .unwrap_err();
    assert!(matches!(other, Refusal::PermissionDenied(_)));
    world.must(
        "two",
        Command::Assign {
            step,
            agent: named("bob"),
        },
    );
}

#[test]
fn hz_16_the_others_need_not_decide_any_more_when_one_is_enough() {
    let parallel = step(
        "check",
        "APPROVAL_STEP",
        json!({"parallel_approval": "ANY", "parallel_approvers": ["one@example.com", "two@example.com"]}),
    );
    let mut world = World::raised(definition(
        vec![parallel, end("done")],
        &[("check", "APPROVE", "done")],
    ));
    world.approve("two", "check");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    let pending = world
        .ticket()
        .approval_tasks
        .iter()
        .filter(|task| task.decision == crate::domain::ticket::ApprovalDecision::Pending);
    assert_eq!(pending.count(), 0);
}

#[test]
fn hz_19_a_task_needs_its_notes_and_its_output() {
    let output = json!({"field_key": "serial", "field_label": "Serial", "field_type": "TEXT", "required": true, "order": 0});
    let deliver = step("deliver", "TASK_STEP", json!({"output_fields": [output]}));
    let mut world = World::raised(definition(
        vec![deliver, end("done")],
        &[("deliver", "COMPLETE_TASK", "done")],
    ));
    let step = world.id("deliver");
    world.must(
        "mia",
        Command::Assign {
            step: step.clone(),
            agent: named("bob"),
        },
    );
    let Err(Refusal::Validation { messages, .. }) = world.play("bob", complete(step.clone())) else {
        panic!("accepted")
    };
    assert_eq!(messages.len(), 2, "{messages:?}");
    let output_values = object(json!({"serial": "S-1"}));
    world.must(
        "bob",
        Command::CompleteTask {
            step,
            execution_notes: Some("done".into()),
            output_values,
            attachment_ids: vec![],
        },
    );
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.told(TemplateKey::TaskCompleted), ["ann"]);
}

#[test]
fn hz_50_a_finished_task_is_told_to_the_requester_unless_they_did_it_themselves() {
    let flow = || {
        World::raised(definition(
            vec![task("deliver"), end("done")],
            &[("deliver", "COMPLETE_TASK", "done")],
        ))
    };
    let mut world = flow();
    world.work("bob", "deliver");
    let notices = world.notices();
    let told = notices
        .iter()
        .find(|notice| notice.template == TemplateKey::TaskCompleted)
        .unwrap();
    assert_eq!(
        told.payload.get("completed_by"),
        Some(&json!(person("bob").display_name))
    );
    assert_eq!(told.payload.get("step_name"), Some(&json!("deliver")));
    let mut world = flow();
    world.work("ann", "deliver");
    assert!(world.told(TemplateKey::TaskCompleted).is_empty());
}

#[test]
fn a_lookup_entry_names_the_approver_and_the_others_are_told() {
    let unit = json!({"field_key": "unit", "field_label": "Unit", "field_type": "SELECT", "options": ["IT"], "required": true, "order": 0});
    let ask = step("ask", "FORM_STEP", json!({"fields": [unit]}));
    let check = step(
        "check",
        "APPROVAL_STEP",
        json!({"approver_resolution": "FROM_LOOKUP", "lookup_id": "LKP-000000000001", "lookup_source_field_key": "unit"}),
    );
    let mut world = World::of(workflow(
        "flow",
        definition(
            vec![ask, check, end("done")],
            &[("ask", "SUBMIT_FORM", "check"), ("check", "APPROVE", "done")],
        ),
    ));
    world.create(json!({"unit": "IT"}), &["ask"]).unwrap();
    assert_eq!(
        world.step("check").assignee.as_ref().unwrap().email,
        person("luke").email
    );
    assert_eq!(world.told(TemplateKey::LookupUserAssigned), ["lucy"]);
}

#[test]
fn a_lookup_user_who_brings_the_step_about_is_not_told_of_it() {
    let unit = json!({"field_key": "unit", "field_label": "Unit", "field_type": "SELECT", "options": ["IT"], "required": true, "order": 0});
    let ask = step("ask", "FORM_STEP", json!({"fields": [unit]}));
    let check = step(
        "check",
        "APPROVAL_STEP",
        json!({"approver_resolution": "FROM_LOOKUP", "lookup_id": "LKP-000000000001", "lookup_source_field_key": "unit"}),
    );
    let steps = vec![ask, approval("first", "lucy"), check, end("done")];
    let edges = [
        ("ask", "SUBMIT_FORM", "first"),
        ("first", "APPROVE", "check"),
        ("check", "APPROVE", "done"),
    ];
    let mut world = World::of(workflow("flow", definition(steps, &edges)));
    world.create(json!({"unit": "IT"}), &["ask"]).unwrap();
    world.approve("lucy", "first");
    assert_eq!(world.told(TemplateKey::ApprovalPending), ["luke"]);
    assert!(world.told(TemplateKey::LookupUserAssigned).is_empty());
}

#[test]
fn addresses_of_foreign_domains_get_no_news() {
    let news = json!({"is_terminal": true, "recipients": ["team@example.com", "team@elsewhere.example"]});
    let mut world = World::of(workflow(
        "flow",
        definition(
            vec![task("deliver"), step("done", "NOTIFY_STEP", news)],
            &[("deliver", "COMPLETE_TASK", "done")],
        ),
    ));
    world.create(json!({}), &[]).unwrap();
    world.work("bob", "deliver");
    let told = world.told(TemplateKey::TicketCompleted);
    assert_eq!(told, ["team", "ann"], "and the requester, whatever the step says");
}

/// A wizard of two forms, the second only for people of one domain, then a task.
fn two_step_wizard() -> World {
    let mut flow = definition(
        vec![form("ask"), form("more"), task("work"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "work"),
            ("more", "SUBMIT_FORM", "work"),
            ("work", "COMPLETE_TASK", "done"),
        ],
    );
    let condition = json!({"conditions": [{"field": "ticket.requester.email", "operator": "CONTAINS", "value": "@example.com"}]});
    let edge = json!({"from_step_id": "ask", "to_step_id": "more", "on_event": "SUBMIT_FORM", "condition": condition});
    flow["transitions"].as_array_mut().unwrap().push(edge);
    World::of(workflow("flow", flow))
}

#[test]
fn hz_2_the_wizard_follows_conditions_on_the_requester_too() {
    let values = json!({"ask_text": "a", "more_text": "b"});
    let mut world = two_step_wizard();
    world.create(values.clone(), &["ask", "more"]).unwrap();
    assert_eq!(world.live(), ["work"]);
    let mut world = two_step_wizard();
    world.create(values.clone(), &["ask"]).unwrap();
    assert_eq!(world.live(), ["more"], "the second form is still to be filled in");
    for forms in [
        &["ask", "ask"][..],
        &["more"],
        &["ask", "more", "ask"],
        &["ask", "work"],
    ] {
        let refused = two_step_wizard().create(values.clone(), forms);
        assert!(
            matches!(refused, Err(Refusal::Validation { .. })),
            "{forms:?}: {refused:?}"
        );
    }
}

/// A form whose answer a later choice counts on.
fn counted_on() -> World {
    let amount = json!({"field_key": "amount", "field_label": "Amount", "field_type": "NUMBER", "required": true, "order": 0});
    let mut flow = definition(
        vec![
            step("ask", "FORM_STEP", json!({"fields": [amount]})),
            task("work"),
            approval("big", "carl"),
            end("done"),
        ],
        &[("ask", "SUBMIT_FORM", "work"), ("big", "APPROVE", "done")],
    );
    for (operator, to) in [("GREATER_THAN", "big"), ("LESS_THAN_OR_EQUALS", "done")] {
        let condition =
            json!({"conditions": [{"field": "form_values.amount", "operator": operator, "value": "100"}]});
        let edge = json!({"from_step_id": "work", "to_step_id": to, "on_event": "COMPLETE_TASK", "condition": condition});
        flow["transitions"].as_array_mut().unwrap().push(edge);
    }
    World::raised(flow)
}

#[test]
fn a_form_is_not_skipped_while_a_later_choice_counts_on_its_answer() {
    let mut world = counted_on();
    let skip = Command::ManagerSkip {
        step: world.id("ask"),
        reason: "no need".into(),
    };
    let refused = world.play("mia", skip);
    assert!(matches!(refused, Err(Refusal::InvalidState(_))), "{refused:?}");
    let submit = Command::SubmitForm {
        step: world.id("ask"),
        form_values: object(json!({"amount": 500})),
        attachment_ids: vec![],
    };
    world.must("ann", submit);
    world.work("bob", "work");
    assert_eq!(world.live(), ["big"]);
}

#[test]
fn hz_50_reminders_and_escalations_fire_once_each() {
    let mut check = approval("check", "carl");
    check["sla"] = json!({"due_minutes": 180, "reminders": [{"minutes_before_due": 60, "recipients": []}], "escalations": [{"minutes_after_due": 30, "recipients": ["manager"]}]});
    let mut world = World::raised(definition(
        vec![check, end("done")],
        &[("check", "APPROVE", "done")],
    ));
    assert_eq!(
        world.play("root", Command::FireTimers).unwrap(),
        Verdict::AlreadyDone { created: None }
    );
    world.wait_minutes(121);
    world.must("root", Command::FireTimers);
    assert_eq!(world.told(TemplateKey::SlaReminder), ["carl", "mia"]);
    assert_eq!(
        world.play("root", Command::FireTimers).unwrap(),
        Verdict::AlreadyDone { created: None }
    );
    world.wait_minutes(120);
    world.must("root", Command::FireTimers);
    assert_eq!(world.told(TemplateKey::SlaEscalation), ["mia"]);
    assert!(world.ticket().timers.is_empty());
}
