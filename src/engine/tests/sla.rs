//! Due times, reminders, escalations and joins that stop waiting (contract http-admin-notifications 16.3; engine-actions
//! S12).

use crate::domain::audit::AuditEventType;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Email;
use crate::domain::ticket::{TicketStatus, TimerKind};
use crate::engine::command::InfoTarget;
use crate::engine::testing::*;
use crate::engine::{Command, Verdict};
use serde_json::{Value, json};

fn with_sla(mut step: Value, sla: Value) -> Value {
    step["sla"] = sla;
    step
}

/// Two tasks side by side, each with its own due time; bob works on both.
fn side_by_side(one: Value, two: Value) -> World {
    let mut world = World::raised(definition(
        vec![
            fork("split", "FAIL_ALL", &["one", "two"]),
            with_sla(task("one"), one),
            with_sla(task("two"), two),
            join("meet", "split", "ALL"),
            end("done"),
        ],
        &[
            ("one", "COMPLETE_TASK", "meet"),
            ("two", "COMPLETE_TASK", "meet"),
            ("meet", "COMPLETE_TASK", "done"),
        ],
    ));
    for key in ["one", "two"] {
        let step = world.id(key);
        let agent = named("bob");
        world.must("mia", Command::Assign { step, agent });
    }
    world
}

fn fire(world: &mut World) -> Verdict {
    world.play("root", Command::FireTimers).unwrap()
}

/// The steps that the last command reminded or told off about.
fn told_about(world: &World, template: TemplateKey) -> Vec<String> {
    let mut told: Vec<String> = world
        .notices()
        .iter()
        .filter(|notice| notice.template == template)
        .filter_map(|notice| notice.payload.get("step_name")?.as_str().map(str::to_owned))
        .collect();
    told.dedup();
    told
}

#[test]
fn a_timer_of_a_held_step_waits_though_another_steps_timer_fires() {
    let sla = || json!({"due_minutes": 180, "reminders": [{"minutes_before_due": 60}]});
    let mut world = side_by_side(sla(), sla());
    let step = world.id("one");
    world.must(
        "bob",
        Command::Hold {
            step,
            reason: "parts".into(),
        },
    );
    world.wait_minutes(130);
    fire(&mut world);
    assert_eq!(told_about(&world, TemplateKey::SlaReminder), ["two"]);
    world.wait_minutes(70);
    fire(&mut world);
    assert_eq!(told_about(&world, TemplateKey::SlaEscalation), ["two"]);
    let step = world.id("one");
    world.must("bob", Command::Resume { step });
    assert!(
        matches!(fire(&mut world), Verdict::AlreadyDone { .. }),
        "its clock stood still for 200 minutes"
    );
    world.wait_minutes(121);
    fire(&mut world);
    assert_eq!(told_about(&world, TemplateKey::SlaReminder), ["one"]);
    assert_eq!(world.replayed(), *world.ticket());
}

#[test]
fn after_downtime_only_the_newest_reminder_and_one_escalation_of_a_step_are_sent() {
    let many = json!({
        "due_minutes": 600,
        "reminders": [{"minutes_before_due": 300}, {"minutes_before_due": 120}, {"minutes_before_due": 30}],
        "escalations": [{"minutes_after_due": 10}, {"minutes_after_due": 20}, {"minutes_after_due": 500}],
    });
    let mut world = side_by_side(many, json!({"due_minutes": 100_000}));
    world.wait_minutes(500);
    fire(&mut world);
    assert_eq!(world.told(TemplateKey::SlaReminder), ["bob", "mia"]);
    assert_eq!(world.count(AuditEventType::SlaReminder), 1);
    world.wait_minutes(200);
    fire(&mut world);
    assert_eq!(
        world.told(TemplateKey::SlaReminder),
        [] as [&str; 0],
        "it is due already"
    );
    assert_eq!(world.told(TemplateKey::SlaEscalation), ["bob", "mia", "ann"]);
    assert_eq!(world.count(AuditEventType::SlaEscalation), 1);
    world.wait_minutes(500);
    fire(&mut world);
    assert_eq!(world.count(AuditEventType::SlaEscalation), 2);
}

#[test]
fn without_rules_there_is_one_reminder_and_an_escalation_every_four_hours_ten_times() {
    let mut world = side_by_side(json!({"due_minutes": 100}), json!({"due_minutes": 100_000}));
    world.wait_minutes(50);
    fire(&mut world);
    assert_eq!(
        world.count(AuditEventType::SlaReminder),
        1,
        "at half of a short time"
    );
    for _ in 0..1_000 {
        world.wait_minutes(60);
        fire(&mut world);
        let over = world.ticket().timers.iter().all(|timer| match &timer.kind {
            TimerKind::SlaReminder { step, .. } | TimerKind::SlaEscalation { step, .. } => {
                *step != world.id("one")
            }
            TimerKind::JoinTimeout { .. } => true,
        });
        if over {
            break;
        }
    }
    assert_eq!(world.count(AuditEventType::SlaEscalation), 10);
}

#[test]
fn the_configured_people_are_told_and_if_there_are_none_the_usual_ones() {
    let rule = |words: Value| json!({"due_minutes": 60, "escalations": [{"minutes_after_due": 5, "recipients": words}]});
    for (words, has_manager, told) in [
        (json!(["requester"]), true, vec!["ann"]),
        (
            json!(["assigned_agent", "boss@example.com"]),
            true,
            vec!["bob", "boss"],
        ),
        (
            json!(["stranger@elsewhere.example"]),
            true,
            vec!["bob", "mia", "ann"],
        ),
        (json!(["manager"]), false, vec!["bob", "ann"]),
        (json!([]), true, vec!["bob", "mia", "ann"]),
    ] {
        let work = with_sla(task("work"), rule(words.clone()));
        let flow = definition(
            vec![approval("ok", "carl"), work, end("done")],
            &[("ok", "APPROVE", "work"), ("work", "COMPLETE_TASK", "done")],
        );
        let mut world = World::of(workflow("flow", flow));
        world.manager = has_manager.then(|| person("mia"));
        world.create(json!({}), &[]).unwrap();
        world.approve("carl", "ok");
        let step = world.id("work");
        world.must(
            "carl",
            Command::Assign {
                step,
                agent: named("bob"),
            },
        );
        world.wait_minutes(66);
        fire(&mut world);
        assert_eq!(world.told(TemplateKey::SlaEscalation), told, "{words}");
    }
}

#[test]
fn s12_the_due_time_moves_by_the_time_a_withdrawn_question_was_open() {
    let both = json!({
        "approver_resolution": "SPECIFIC_EMAIL",
        "parallel_approvers": ["carl@example.com", "cora@example.com"],
        "parallel_approval": "ALL",
        "sla": {"due_minutes": 600},
    });
    let flow = definition(
        vec![step("check", "APPROVAL_STEP", both), end("done")],
        &[("check", "APPROVE", "done")],
    );
    let mut world = World::raised(flow);
    let due = world.step("check").due_at.unwrap();
    let ask = Command::RequestInfo {
        step: world.id("check"),
        question_text: "Why?".into(),
        target: Some(InfoTarget {
            email: Email::try_from("ann@example.com").unwrap(),
            step_name: None,
        }),
        subject: None,
        attachment_ids: vec![],
    };
    world.must("carl", ask);
    world.wait_minutes(90);
    world.approve("carl", "check");
    assert_eq!(world.step("check").due_at.unwrap(), due.plus_minutes(90));
}

#[test]
fn a_join_waits_longer_by_the_time_a_change_request_paused_the_work() {
    let mut meet = join("meet", "split", "ANY");
    meet["timeout_minutes"] = json!(60);
    let flow = definition(
        vec![
            form("ask"),
            approval("first", "gus"),
            fork("split", "CONTINUE_OTHERS", &["one", "two"]),
            approval("one", "carl"),
            approval("two", "cora"),
            meet,
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "first"),
            ("first", "APPROVE", "split"),
            ("one", "APPROVE", "meet"),
            ("two", "APPROVE", "meet"),
            ("meet", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world.approve("gus", "first");
    world.wait_minutes(50);
    let propose = Command::CreateChangeRequest {
        proposed_form_values: object(json!({"ask_text": "two"})),
        proposed_attachment_ids: None,
        reason: "typo".into(),
    };
    world.must("ann", propose);
    world.wait_minutes(1_000);
    assert!(matches!(fire(&mut world), Verdict::AlreadyDone { .. }));
    let change_request = world.ticket().change_requests[0].id.clone();
    world.must(
        "gus",
        Command::RejectChangeRequest {
            change_request,
            notes: None,
        },
    );
    world.wait_minutes(9);
    assert!(matches!(fire(&mut world), Verdict::AlreadyDone { .. }));
    world.wait_minutes(2);
    fire(&mut world);
    assert_eq!(world.ticket().status, TicketStatus::Rejected);
    // Nobody decided that: it is recorded as the reason of the end, not as somebody's comment.
    let events = &world.last.as_ref().unwrap().events;
    let end = events
        .iter()
        .find(|event| event.event_type == AuditEventType::Reject)
        .unwrap();
    assert_eq!(end.details.get("ticket_rejected"), Some(&json!(true)));
    assert!(end.details.contains_key("reason") && end.ticket_step_id.is_none());
}
