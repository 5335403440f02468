//! Hazards of contract engine-actions 9 that the other files do not cover; each test is named after its hazard.
//! `docs/hazards.md` lists all of them.

use crate::domain::id::AttachmentId;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Email;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, ChangeRequestStatus, HandoverStatus, StepState, TicketStatus};
use crate::engine::command::InfoTarget;
use crate::engine::testing::*;
use crate::engine::{Command, permission_guard};
use serde_json::{Value, json};

fn both(id: &str) -> Value {
    step(
        id,
        "APPROVAL_STEP",
        json!({
            "approver_resolution": "SPECIFIC_EMAIL",
            "parallel_approvers": ["carl@example.com", "cora@example.com", "carl@example.com"],
            "parallel_approval": "ALL",
            "primary_approver_email": "carl@example.com",
        }),
    )
}

/// carl and cora approve, then a task.
fn in_parallel() -> World {
    World::raised(definition(
        vec![both("check"), task("deliver"), end("done")],
        &[
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    ))
}

fn assign(world: &World, key: &str, agent: &str) -> Command {
    Command::Assign {
        step: world.id(key),
        agent: named(agent),
    }
}

fn ask(world: &World, key: &str, name: &str) -> Command {
    let email = Email::try_from(format!("{name}@example.com")).unwrap();
    let target = Some(InfoTarget {
        email,
        step_name: None,
    });
    Command::RequestInfo {
        step: world.id(key),
        question_text: "Why?".into(),
        target,
        subject: None,
        attachment_ids: vec![],
    }
}

fn propose(values: Value) -> Command {
    Command::CreateChangeRequest {
        proposed_form_values: object(values),
        proposed_attachment_ids: None,
        reason: "typo".into(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "takes the answer as it comes")]
fn is_denied<T: std::fmt::Debug>(result: Result<T, Refusal>) -> bool {
    matches!(result, Err(Refusal::PermissionDenied(_)))
}

#[expect(clippy::needless_pass_by_value, reason = "takes the answer as it comes")]
fn is_refused_by_state<T: std::fmt::Debug>(result: Result<T, Refusal>) -> bool {
    matches!(result, Err(Refusal::InvalidState(_)))
}

#[test]
fn a11_the_approver_of_one_branch_does_not_assign_in_another() {
    let flow = definition(
        vec![
            approval("first", "gus"),
            fork("split", "FAIL_ALL", &["left", "right", "plain"]),
            approval("left", "carl"),
            task("lift"),
            approval("right", "cora"),
            task("ride"),
            task("plain"),
            join("meet", "split", "ALL"),
            end("done"),
        ],
        &[
            ("first", "APPROVE", "split"),
            ("left", "APPROVE", "lift"),
            ("right", "APPROVE", "ride"),
            ("lift", "COMPLETE_TASK", "meet"),
            ("ride", "COMPLETE_TASK", "meet"),
            ("plain", "COMPLETE_TASK", "meet"),
            ("meet", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::raised(flow);
    world.approve("gus", "first");
    world.approve("carl", "left");
    world.approve("cora", "right");
    let (lift, ride, plain) = (
        assign(&world, "lift", "bob"),
        assign(&world, "ride", "bob"),
        assign(&world, "plain", "bob"),
    );
    assert!(is_denied(world.play("cora", lift.clone())));
    assert!(is_denied(world.play("carl", ride.clone())));
    assert!(
        is_denied(world.play("gus", lift.clone())),
        "the branch has an approver of its own"
    );
    assert!(is_denied(world.play("carl", plain.clone())));
    world.must("carl", lift);
    world.must("cora", ride);
    world.must("gus", plain);
}

#[test]
fn a10_an_approver_who_may_assign_is_offered_assign_and_then_reassign() {
    let mut world = in_parallel();
    world.approve("carl", "check");
    world.approve("cora", "check");
    let offered = |world: &World, who: &str| {
        let actor = crate::domain::person::Actor::plain(person(who));
        permission_guard::available_actions(world.ticket(), &actor, world.step("deliver"))
    };
    assert_eq!(offered(&world, "carl"), ["assign"]);
    assert_eq!(offered(&world, "mia"), ["assign"]);
    assert!(
        offered(&world, "cora").is_empty(),
        "only the primary approver is responsible"
    );
    let command = assign(&world, "deliver", "bob");
    world.must("carl", command);
    assert_eq!(offered(&world, "carl"), ["reassign"]);
    assert_eq!(offered(&world, "bob"), ["complete_task", "request_info"]);
}

#[test]
fn a14_the_requester_never_reviews_the_own_change() {
    let flow = definition(
        vec![
            form("ask"),
            approval("check", "ann"),
            task("deliver"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.manager = None;
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world.approve("ann", "check");
    assert!(is_refused_by_state(
        world.play("ann", propose(json!({"ask_text": "two"})))
    ));
}

#[test]
fn a18_a_second_approver_who_passes_on_does_not_become_the_primary_one() {
    let mut world = in_parallel();
    let step = world.id("check");
    world.must(
        "cora",
        Command::ReassignApproval {
            step: step.clone(),
            approver: named("dora"),
            reason: None,
        },
    );
    assert_eq!(
        world.step("check").assignee.as_ref().unwrap().email,
        person("carl").email
    );
    assert_eq!(world.told(TemplateKey::ApprovalReassigned), ["dora"]);
    world.must(
        "carl",
        Command::ReassignApproval {
            step,
            approver: named("gus"),
            reason: None,
        },
    );
    assert_eq!(
        world.step("check").assignee.as_ref().unwrap().email,
        person("gus").email
    );
    world.approve("dora", "check");
    world.approve("gus", "check");
    let command = assign(&world, "deliver", "bob");
    world.must("gus", command);
}

#[test]
fn a7_nobody_gets_two_votes_on_one_step() {
    let mut world = in_parallel();
    let step = world.id("check");
    let pass_on = |to: &str| Command::ReassignApproval {
        step: step.clone(),
        approver: named(to),
        reason: None,
    };
    assert!(
        is_refused_by_state(world.play("carl", pass_on("cora"))),
        "cora has yet to decide"
    );
    world.approve("cora", "check");
    assert!(
        is_refused_by_state(world.play("carl", pass_on("cora"))),
        "cora has decided"
    );
    assert!(
        is_refused_by_state(world.play("carl", pass_on("ann"))),
        "ann is the requester"
    );
}

#[test]
fn a18b_who_has_decided_neither_asks_nor_decides_again_nor_passes_on() {
    let mut world = in_parallel();
    world.approve("carl", "check");
    let step = world.id("check");
    let question = ask(&world, "check", "ann");
    assert!(is_refused_by_state(world.play("carl", question)));
    assert!(is_refused_by_state(world.play(
        "carl",
        Command::Reject {
            step: step.clone(),
            comment: Some("no".into())
        }
    )));
    assert!(is_refused_by_state(world.play(
        "carl",
        Command::ReassignApproval {
            step,
            approver: named("dora"),
            reason: None
        }
    )));
}

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

/// ann asks, carl approves first and gus second.
fn changeable() -> World {
    let flow = definition(
        vec![
            form("ask"),
            approval("check", "carl"),
            task("deliver"),
            approval("sign", "gus"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "sign"),
            ("sign", "APPROVE", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world.approve("carl", "check");
    world
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
fn c5_a_ticket_without_a_manager_has_change_requests_like_any_other() {
    let flow = definition(
        vec![
            form("ask"),
            approval("check", "carl"),
            task("deliver"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.manager = None;
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world.approve("carl", "check");
    world.must("ann", propose(json!({"ask_text": "two"})));
    let change_request = world.ticket().change_requests[0].id.clone();
    world.must("ann", Command::CancelChangeRequest { change_request });
    assert_eq!(
        world.ticket().change_requests[0].status,
        ChangeRequestStatus::Cancelled
    );
    assert_eq!(world.told(TemplateKey::ChangeRequestCancelled), ["carl"]);
}

#[test]
fn a2_a_handover_of_another_step_is_not_found() {
    let flow = definition(
        vec![
            fork("split", "FAIL_ALL", &["one", "two"]),
            task("one"),
            task("two"),
            join("meet", "split", "ALL"),
            end("done"),
        ],
        &[
            ("one", "COMPLETE_TASK", "meet"),
            ("two", "COMPLETE_TASK", "meet"),
            ("meet", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::raised(flow);
    for key in ["one", "two"] {
        let command = assign(&world, key, "bob");
        world.must("mia", command);
    }
    let request = Command::RequestHandover {
        step: world.id("one"),
        reason: "leave".into(),
        suggested_agent: None,
    };
    world.must("bob", request);
    let handover = world.ticket().handovers[0].id.clone();
    let elsewhere = Command::DecideHandover {
        step: world.id("two"),
        handover: handover.clone(),
        approved: false,
        new_agent: None,
        comment: None,
    };
    assert!(matches!(
        world.play("mia", elsewhere),
        Err(Refusal::NotFound { .. })
    ));
    let cancel = Command::CancelHandover {
        step: world.id("two"),
        handover,
    };
    assert!(matches!(world.play("bob", cancel), Err(Refusal::NotFound { .. })));
}

#[test]
fn c13_everybody_concerned_is_told_of_handovers_and_withdrawn_questions() {
    let mut world = changeable();
    let command = assign(&world, "deliver", "bob");
    world.must("carl", command);
    let step = world.id("deliver");
    let request = Command::RequestHandover {
        step: step.clone(),
        reason: "leave".into(),
        suggested_agent: None,
    };
    world.must("bob", request);
    let mut told = world.told(TemplateKey::TaskReassigned);
    told.sort();
    assert_eq!(told, ["carl", "mia"], "the task's owners");
    let handover = world.ticket().handovers[0].id.clone();
    let refuse = Command::DecideHandover {
        step,
        handover,
        approved: false,
        new_agent: None,
        comment: Some("stay".into()),
    };
    world.must("mia", refuse);
    assert_eq!(world.told(TemplateKey::TaskReassigned), ["bob"]);
    assert_eq!(world.ticket().handovers[0].status, HandoverStatus::Rejected);
    let question = ask(&world, "deliver", "dora");
    world.must("bob", question);
    let finish = Command::ManagerSkip {
        step: world.id("deliver"),
        reason: "not needed".into(),
    };
    world.must("mia", finish);
    assert_eq!(
        world.told(TemplateKey::InfoRequested),
        ["dora"],
        "the question is withdrawn"
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
fn c14_files_of_answers_and_notes_become_the_tickets() {
    use crate::domain::effect::Effect;
    let mut world = changeable();
    let command = assign(&world, "deliver", "bob");
    world.must("carl", command);
    let file = AttachmentId::derived("file");
    let note = Command::AddNote {
        step: world.id("deliver"),
        content: "see".into(),
        attachment_ids: vec![file.clone()],
    };
    world.must("bob", note);
    let effects = &world.last.as_ref().unwrap().effects;
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Link(link) if link.attachment_id == file))
    );
}

#[test]
fn c7_the_mail_of_an_accepted_change_names_the_new_version() {
    let mut world = changeable();
    world.must("ann", propose(json!({"ask_text": "two"})));
    let change_request = world.ticket().change_requests[0].id.clone();
    world.must(
        "carl",
        Command::ApproveChangeRequest {
            change_request,
            notes: None,
        },
    );
    let notices = world.notices();
    let told = notices
        .iter()
        .find(|notice| notice.template == TemplateKey::ChangeRequestApproved)
        .unwrap();
    assert_eq!(told.payload.get("new_version"), Some(&json!(2)));
}

#[test]
fn c17_the_trail_keeps_the_words_of_a_refused_handover_and_of_an_acknowledgement() {
    let mut world = changeable();
    let command = assign(&world, "deliver", "bob");
    world.must("carl", command);
    let step = world.id("deliver");
    world.must(
        "bob",
        Command::RequestHandover {
            step: step.clone(),
            reason: "leave".into(),
            suggested_agent: None,
        },
    );
    let handover = world.ticket().handovers[0].id.clone();
    let comment = Some("stay".to_owned());
    world.must(
        "carl",
        Command::DecideHandover {
            step,
            handover,
            approved: false,
            new_agent: None,
            comment,
        },
    );
    let details = &world.last.as_ref().unwrap().events[0].details;
    assert_eq!(details.get("comment"), Some(&json!("stay")));
}

#[test]
fn c11_a_person_is_asked_in_the_part_that_the_step_name_gives() {
    use crate::domain::ticket::TargetRole;
    let mut world = changeable();
    let command = assign(&world, "deliver", "bob");
    world.must("carl", command);
    let done = complete(world.id("deliver"));
    world.must("bob", done);
    let parts = [
        ("bob", Some("deliver"), TargetRole::TaskStep),
        ("bob", Some("no such step"), TargetRole::TaskStep),
        ("carl", Some("check"), TargetRole::ApprovalStep),
        ("ann", Some("ask"), TargetRole::FormStep),
        ("ann", None, TargetRole::Requester),
        ("mia", None, TargetRole::ApprovalStep),
        ("zoe", None, TargetRole::Unknown),
    ];
    for (name, step_name, role) in parts {
        let target = InfoTarget {
            email: person(name).email,
            step_name: step_name.map(str::to_owned),
        };
        let step = world.id("sign");
        let question_text = format!("{name}?");
        let ask = Command::RequestInfo {
            step: step.clone(),
            question_text,
            target: Some(target),
            subject: None,
            attachment_ids: vec![],
        };
        world.must("gus", ask);
        let info = world.ticket().open_question(&step).unwrap().clone();
        assert_eq!(
            (info.target_role, info.requested_from.email),
            (role, person(name).email)
        );
        world.must(
            name,
            Command::RespondInfo {
                step,
                response_text: "So.".into(),
                attachment_ids: vec![],
            },
        );
    }
}

/// The words between back ticks that look like names of tests.
fn named_tests(page: &str) -> Vec<&str> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| word.matches('_').count() >= 3 && !word.contains([':', ' ', '/']))
        .collect()
}

/// Everything below a folder that is Rust, as one text.
fn sources(folder: &std::path::Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|is| is == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_page_of_hazards_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/hazards.md")).unwrap();
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("tests"), &mut code);
    let missing: Vec<_> = named_tests(&page)
        .into_iter()
        .filter(|name| !code.contains(&format!("fn {name}(")))
        .collect();
    assert_eq!(missing, [] as [&str; 0]);
}
