//! Embedded workflows: their way through, their rejections, and ends that wait for late branches.

use crate::domain::audit::AuditEventType;
use crate::domain::ticket::{StepState, TicketStatus};
use crate::engine::testing::*;
use serde_json::{Value, json};

fn embedded_world(inner: Value, outer_edges: &[(&str, &str, &str)]) -> World {
    let container = step(
        "inner",
        "SUB_WORKFLOW_STEP",
        json!({
            "sub_workflow_id": version_ref("inner").workflow_id,
            "sub_workflow_version": 1,
            "sub_workflow_name": "inner",
        }),
    );
    let outer = definition(vec![container, task("after"), end("done")], outer_edges);
    let mut world = World::of(workflow("outer", outer));
    world.embed("inner", inner);
    world.create(json!({}), &[]).unwrap();
    world
}

#[test]
fn an_embedded_workflow_runs_to_its_end_and_the_outer_one_goes_on() {
    let inner = definition(
        vec![approval("check", "carl"), end("told")],
        &[("check", "APPROVE", "told")],
    );
    let mut world = embedded_world(
        inner,
        &[
            ("inner", "COMPLETE_TASK", "after"),
            ("after", "COMPLETE_TASK", "done"),
        ],
    );
    assert_eq!(world.state("inner"), StepState::Active);
    world.approve("carl", "check");
    assert_eq!(world.state("inner"), StepState::Completed);
    assert_eq!(world.live(), ["after"]);
    assert_eq!(world.count(AuditEventType::SubWorkflowCompleted), 1);
    world.work("bob", "after");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.replayed(), *world.ticket());
}

/// A fork of which one branch is enough, and `end` behind its join.
fn one_is_enough(policy: &str, last: Value) -> Value {
    let name = last["step_id"].as_str().unwrap().to_owned();
    definition(
        vec![
            fork("split", policy, &["fast", "slow"]),
            approval("fast", "one"),
            approval("slow", "two"),
            join("meet", "split", "ANY"),
            last,
        ],
        &[
            ("fast", "APPROVE", "meet"),
            ("slow", "APPROVE", "meet"),
            ("meet", "COMPLETE_TASK", &name),
        ],
    )
}

const INNER_THEN_AFTER: [(&str, &str, &str); 2] = [
    ("inner", "COMPLETE_TASK", "after"),
    ("after", "COMPLETE_TASK", "done"),
];

#[test]
fn the_end_of_an_embedded_workflow_waits_for_its_late_branches() {
    let mut world = embedded_world(one_is_enough("CONTINUE_OTHERS", end("told")), &INNER_THEN_AFTER);
    world.approve("one", "fast");
    assert_eq!(world.count(AuditEventType::JoinCompleted), 1);
    assert_eq!(world.live(), ["inner", "slow"]);
    assert_eq!(world.state("told"), StepState::NotStarted);
    assert_eq!(
        world.ticket().pending_ends().collect::<Vec<_>>(),
        [&world.id("told")]
    );
    // A late branch that fails under this policy ends only itself.
    world.reject("two", "slow");
    assert_eq!(world.state("told"), StepState::Completed);
    assert_eq!(world.state("inner"), StepState::Completed);
    assert_eq!(world.live(), ["after"]);
    assert_eq!(world.count(AuditEventType::SubWorkflowCompleted), 1);
    assert_eq!(world.replayed(), *world.ticket());
}

#[test]
fn a_late_branch_that_fails_an_embedded_workflow_takes_its_waiting_end_along() {
    let mut world = embedded_world(one_is_enough("FAIL_ALL", end("told")), &INNER_THEN_AFTER);
    world.approve("one", "fast");
    world.reject("two", "slow");
    assert_eq!(world.state("told"), StepState::Cancelled);
    assert_eq!(world.state("inner"), StepState::Rejected);
    assert_eq!(world.ticket().status, TicketStatus::Rejected);
    assert_eq!(world.ticket().pending_ends().count(), 0);
    assert_eq!(world.replayed(), *world.ticket());
}

#[test]
fn a_task_that_ends_an_embedded_workflow_cancels_its_late_branches_as_in_any_workflow() {
    let mut last = task("last");
    last["is_terminal"] = json!(true);
    let mut world = embedded_world(one_is_enough("CONTINUE_OTHERS", last), &INNER_THEN_AFTER);
    world.approve("one", "fast");
    world.work("bob", "last");
    assert_eq!(world.state("slow"), StepState::Cancelled);
    assert_eq!(world.live(), ["after"]);
}

#[test]
fn hz_31b_an_inner_rejection_fails_the_container_and_then_the_ticket() {
    let inner = definition(
        vec![approval("check", "carl"), end("told")],
        &[("check", "APPROVE", "told")],
    );
    let mut world = embedded_world(
        inner,
        &[
            ("inner", "COMPLETE_TASK", "after"),
            ("after", "COMPLETE_TASK", "done"),
        ],
    );
    world.reject("carl", "check");
    assert_eq!(world.state("inner"), StepState::Rejected);
    assert_eq!(world.count(AuditEventType::SubWorkflowFailed), 1);
    assert_eq!(world.ticket().status, TicketStatus::Rejected);
}
