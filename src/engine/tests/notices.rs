//! What is recorded and who is told: each thing once, and only what is true (contract engine-core HZ-14, 26, 42;
//! engine-actions C13).

use crate::domain::audit::{AuditEvent, AuditEventType};
use crate::domain::notice::{Channel, TemplateKey};
use crate::domain::ticket::TicketStatus;
use crate::engine::Command;
use crate::engine::testing::*;
use serde_json::{Value, json};

fn events(world: &World, kind: AuditEventType) -> Vec<&AuditEvent> {
    let last = world.last.as_ref().unwrap();
    last.events
        .iter()
        .filter(|event| event.event_type == kind)
        .collect()
}

fn note(id: &str, more: Value) -> Value {
    step(id, "NOTIFY_STEP", more)
}

/// A notification on the way, then a task, then the end.
fn with_news(news: Value) -> World {
    World::raised(definition(
        vec![form("ask"), note("news", news), task("work"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "news"),
            ("news", "COMPLETE_TASK", "work"),
            ("work", "COMPLETE_TASK", "done"),
        ],
    ))
}

fn submit(world: &mut World) {
    let command = Command::SubmitForm {
        step: world.id("ask"),
        form_values: object(json!({"ask_text": "x"})),
        attachment_ids: vec![],
    };
    world.must("ann", command);
}

#[test]
fn hz_42_a_notification_honours_its_template_and_its_literal_recipients() {
    let mut world = with_news(json!({
        "notification_template": "APPROVED",
        "recipients": ["boss@example.com", "manager", "stranger@elsewhere.example", "not an address"],
    }));
    submit(&mut world);
    assert_eq!(world.told(TemplateKey::Approved), ["boss", "mia"]);
    assert!(
        world
            .notices()
            .iter()
            .all(|notice| notice.template != TemplateKey::TicketCompleted)
    );
}

#[test]
fn hz_42_the_requesters_own_domain_is_allowed_without_being_configured() {
    let recipients = json!({"notification_template": "APPROVED", "recipients": ["boss@example.com"]});
    let mut world = with_news(recipients);
    let mut policy = policy();
    policy.mail_domains.clear();
    world.policy = policy;
    submit(&mut world);
    assert_eq!(world.told(TemplateKey::Approved), ["boss"]);
}

#[test]
fn hz_42_no_mail_announces_completion_before_the_end() {
    // The studio marks every new notification as an end and leaves the template at completion.
    let mut world = with_news(json!({"is_terminal": true, "recipients": ["requester"]}));
    submit(&mut world);
    let notices = world.notices();
    let news: Vec<_> = notices
        .iter()
        .filter(|notice| notice.template == TemplateKey::TicketCompleted)
        .collect();
    assert_eq!(news.len(), 1, "the requester is told in the application");
    assert_eq!(news[0].channel, Channel::InApp);
    assert_eq!(news[0].title, "News on a request");
    world.work("bob", "work");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    let notices = world.notices();
    let completed: Vec<_> = notices
        .iter()
        .filter(|notice| notice.template == TemplateKey::TicketCompleted)
        .collect();
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0].channel, Channel::MailAndInApp);
}

#[test]
fn hz_42_completion_is_told_once_also_without_a_notification() {
    let mut last = task("work");
    last["is_terminal"] = json!(true);
    let mut world = World::raised(definition(vec![last], &[]));
    world.work("bob", "work");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.told(TemplateKey::TicketCompleted), ["ann"]);
}

#[test]
fn hz_42_the_end_of_an_embedded_workflow_announces_nothing() {
    let inner = definition(
        vec![approval("check", "carl"), end("told")],
        &[("check", "APPROVE", "told")],
    );
    let mut world = embedding(
        inner,
        &[
            ("run", "COMPLETE_TASK", "after"),
            ("after", "COMPLETE_TASK", "done"),
        ],
    );
    world.approve("carl", "check");
    let mails = world
        .notices()
        .iter()
        .filter(|notice| notice.template == TemplateKey::TicketCompleted)
        .filter(|notice| notice.channel == Channel::MailAndInApp)
        .count();
    assert_eq!(mails, 0);
}

fn embedding(inner: Value, edges: &[(&str, &str, &str)]) -> World {
    let reference = json!({"sub_workflow_id": version_ref("inner").workflow_id, "sub_workflow_version": 1, "sub_workflow_name": "inner"});
    let outer = definition(
        vec![
            step("run", "SUB_WORKFLOW_STEP", reference),
            task("after"),
            task("mend"),
            end("done"),
        ],
        edges,
    );
    let mut world = World::of(workflow("outer", outer));
    world.embed("inner", inner);
    world.create(json!({}), &[]).unwrap();
    world
}

#[test]
fn hz_26_a_rejection_inside_an_embedded_workflow_that_leads_on_is_recorded_and_told() {
    let inner = definition(
        vec![approval("check", "carl"), end("told")],
        &[("check", "APPROVE", "told")],
    );
    let edges = [
        ("run", "COMPLETE_TASK", "after"),
        ("run", "REJECT", "mend"),
        ("mend", "COMPLETE_TASK", "done"),
        ("after", "COMPLETE_TASK", "done"),
    ];
    let mut world = embedding(inner, &edges);
    world.reject("carl", "check");
    assert_eq!(world.live(), ["mend"]);
    let decision = events(&world, AuditEventType::Reject);
    assert_eq!(decision.len(), 1);
    assert_eq!(decision[0].ticket_step_id, Some(world.id("check")));
    assert_eq!(decision[0].details.get("comment"), Some(&json!("no")));
    assert_eq!(world.told(TemplateKey::Rejected), ["ann"]);
}

#[test]
fn a_skip_of_one_branch_is_one_event_and_a_skip_of_the_ticket_another() {
    for (policy, status, skipped, whole) in [
        ("CONTINUE_OTHERS", TicketStatus::InProgress, 1, 0),
        ("FAIL_ALL", TicketStatus::Skipped, 0, 1),
        ("CANCEL_OTHERS", TicketStatus::Skipped, 0, 1),
    ] {
        let flow = definition(
            vec![
                fork("split", policy, &["one", "two"]),
                approval("one", "carl"),
                approval("two", "cora"),
                join("meet", "split", "ALL"),
                end("done"),
            ],
            &[
                ("one", "APPROVE", "meet"),
                ("two", "APPROVE", "meet"),
                ("meet", "COMPLETE_TASK", "done"),
            ],
        );
        let mut world = World::raised(flow);
        let step = world.id("one");
        let comment = Some("not needed".to_owned());
        world.must("carl", Command::ApproverSkip { step, comment });
        assert_eq!(world.ticket().status, status, "{policy}");
        assert_eq!(
            events(&world, AuditEventType::StepSkipped).len(),
            skipped,
            "{policy}"
        );
        assert_eq!(events(&world, AuditEventType::Skip).len(), whole, "{policy}");
        assert_eq!(events(&world, AuditEventType::BranchFailed).len(), 1, "{policy}");
        for event in events(&world, AuditEventType::StepSkipped) {
            assert_eq!(event.details.get("branch_name"), Some(&json!("one")));
        }
        assert_eq!(world.told(TemplateKey::Skipped), ["ann"], "{policy}");
    }
}

#[test]
fn hz_14_a_self_approval_is_marked_where_it_begins_and_where_it_is_given() {
    let flow = definition(
        vec![approval("check", "ann"), end("done")],
        &[("check", "APPROVE", "done")],
    );
    let mut world = World::of(workflow("flow", flow));
    world.manager = None;
    world.create(json!({}), &[]).unwrap();
    let activated = events(&world, AuditEventType::StepActivated);
    assert_eq!(activated.len(), 1, "one step is activated once");
    assert_eq!(activated[0].details.get("self_approval"), Some(&json!(true)));
    assert_eq!(activated[0].details.get("step_name"), Some(&json!("check")));
    world.approve("ann", "check");
    let approved = events(&world, AuditEventType::Approve);
    assert_eq!(approved[0].details.get("self_approval"), Some(&json!(true)));
}

#[test]
fn c13_who_was_to_decide_a_handover_is_told_that_it_is_withdrawn() {
    let mut world = World::raised(definition(
        vec![task("work"), end("done")],
        &[("work", "COMPLETE_TASK", "done")],
    ));
    let step = world.id("work");
    world.must(
        "mia",
        Command::Assign {
            step: step.clone(),
            agent: named("bob"),
        },
    );
    let ask = Command::RequestHandover {
        step: step.clone(),
        reason: "leave".into(),
        suggested_agent: None,
    };
    world.must("bob", ask);
    let handover = world.ticket().handovers[0].id.clone();
    world.must("bob", Command::CancelHandover { step, handover });
    let notices = world.notices();
    let told: Vec<_> = notices
        .iter()
        .map(|notice| (notice.title.as_str(), notice.recipient.email.local_part()))
        .collect();
    assert_eq!(told, [("Handover withdrawn", "mia")]);
}

#[test]
fn s4_the_end_of_a_ticket_is_recorded_as_the_end_of_its_change_request_too() {
    let flow = definition(
        vec![form("ask"), approval("check", "carl"), task("work"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "work"),
            ("work", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world.approve("carl", "check");
    let propose = Command::CreateChangeRequest {
        proposed_form_values: object(json!({"ask_text": "two"})),
        proposed_attachment_ids: None,
        reason: "typo".into(),
    };
    world.must("ann", propose);
    world.must("ann", Command::Cancel { reason: None });
    assert_eq!(events(&world, AuditEventType::ChangeRequestCancelled).len(), 1);
    assert!(
        world
            .told(TemplateKey::TicketCancelled)
            .contains(&"carl".to_owned())
    );
}

#[test]
fn a_note_on_a_parallel_approval_is_told_to_the_other_approvers_and_the_requester() {
    let both = json!({"approver_resolution": "SPECIFIC_EMAIL", "parallel_approval": "ALL",
        "parallel_approvers": ["carl@example.com", "cora@example.com"]});
    let mut world = World::raised(definition(
        vec![step("ok", "APPROVAL_STEP", both), end("done")],
        &[("ok", "APPROVE", "done")],
    ));
    let note = Command::AddNote {
        step: world.id("ok"),
        content: "a word".into(),
        attachment_ids: vec![],
    };
    world.must("carl", note);
    assert_eq!(world.told(TemplateKey::NoteAdded), ["cora", "ann"]);
}
