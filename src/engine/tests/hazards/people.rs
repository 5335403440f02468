//! Who may do what (contract engine-actions 9.1).

use super::{ask, assign, in_parallel, is_denied, is_refused_by_state, propose};
use crate::domain::notice::TemplateKey;
use crate::domain::person::Actor;
use crate::domain::refusal::Refusal;
use crate::engine::testing::*;
use crate::engine::{Command, permission_guard};
use serde_json::json;

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
    let flow = usual("ann");
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
fn a18_a_primary_approver_known_by_another_address_stays_primary_in_the_successor() {
    let both = json!({
        "approver_resolution": "SPECIFIC_EMAIL",
        "parallel_approvers": ["carl@example.com", "cora@example.com"],
        "parallel_approvers_info": [{"email": "carl@example.com", "aad_id": "oid-carl", "display_name": "Carl"}],
        "parallel_approval": "ALL",
        "primary_approver_email": "carl@example.com",
    });
    let check = step("check", "APPROVAL_STEP", both);
    let mut world = World::raised(definition(
        vec![check, end("done")],
        &[("check", "APPROVE", "done")],
    ));
    let mut alias = person("carl");
    alias.email = crate::domain::person::Email::try_from("carl.jones@example.com").unwrap();
    let pass_on = Command::ReassignApproval {
        step: world.id("check"),
        approver: named("zoe"),
        reason: None,
    };
    world.play_as(Actor::plain(alias), pass_on).unwrap();
    let round = world.step("check").approval.clone().unwrap();
    assert_eq!(round.primary, person("zoe").email);
    assert_eq!(world.step("check").assignee, Some(person("zoe")));
}

#[test]
fn a_task_that_is_nobodys_to_assign_is_an_administrators() {
    let flow = definition(
        vec![task("work"), end("done")],
        &[("work", "COMPLETE_TASK", "done")],
    );
    let mut world = World::of(workflow("flow", flow));
    world.manager = None;
    world.create(json!({}), &[]).unwrap();
    let give = assign(&world, "work", "bob");
    assert!(is_denied(world.play("ann", give.clone())));
    world.must("root", give);
    // Where somebody owns the task, an administrator does not.
    let mut owned = World::raised(definition(
        vec![task("work"), end("done")],
        &[("work", "COMPLETE_TASK", "done")],
    ));
    let give = assign(&owned, "work", "bob");
    assert!(is_denied(owned.play("root", give)));
}

#[test]
fn s19_while_a_change_is_reviewed_those_concerned_may_write_on_a_live_form() {
    let flow = definition(
        vec![form("ask"), approval("check", "carl"), form("more"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "more"),
            ("more", "SUBMIT_FORM", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world.approve("carl", "check");
    let note = |world: &World, key: &str| Command::AddNote {
        step: world.id(key),
        content: "hm".into(),
        attachment_ids: vec![],
    };
    let on_form = note(&world, "more");
    assert!(is_denied(world.play("ann", on_form.clone())));
    world.must("ann", propose(json!({"ask_text": "two"})));
    for who in ["ann", "mia"] {
        world.must(who, on_form.clone());
    }
    assert!(is_denied(world.play("carl", on_form)));
    let on_ended = note(&world, "ask");
    assert!(is_refused_by_state(world.play("ann", on_ended)));
}
