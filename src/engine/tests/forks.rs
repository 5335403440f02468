//! Forks, joins, failure policies, nesting and late branches.

use crate::domain::audit::AuditEventType;
use crate::domain::notice::TemplateKey;
use crate::domain::ticket::{BranchState, StepState, TicketStatus};
use crate::engine::Command;
use crate::engine::testing::*;
use rstest::rstest;
use serde_json::Value;

/// A fork into approvals by one, two and three, a join, a task and an end.
fn three(policy: &str, mode: &str) -> Value {
    definition(
        vec![
            fork("split", policy, &["one", "two", "three"]),
            approval("one", "one"),
            approval("two", "two"),
            approval("three", "three"),
            join("meet", "split", mode),
            task("after"),
            end("done"),
        ],
        &[
            ("one", "APPROVE", "meet"),
            ("two", "APPROVE", "meet"),
            ("three", "APPROVE", "meet"),
            ("meet", "COMPLETE_TASK", "after"),
            ("after", "COMPLETE_TASK", "done"),
        ],
    )
}

/// Lets each branch decide in order; `+` approves, `-` rejects, `s` skips.
fn decided(policy: &str, mode: &str, votes: &str) -> World {
    let mut world = World::raised(three(policy, mode));
    for (name, vote) in ["one", "two", "three"].iter().zip(votes.chars()) {
        let step = world.id(name);
        match vote {
            '+' => world.approve(name, name),
            '-' => world.reject(name, name),
            's' => world.must(name, Command::ApproverSkip { step, comment: None }),
            _ => {}
        }
    }
    assert_eq!(world.replayed(), *world.ticket());
    world
}

#[rstest]
#[case::all_approve("FAIL_ALL", "ALL", "+++", TicketStatus::InProgress, true)]
#[case::one_is_missing("FAIL_ALL", "ALL", "++", TicketStatus::InProgress, false)]
#[case::fail_all("FAIL_ALL", "ALL", "-", TicketStatus::Rejected, false)]
#[case::cancel_others("CANCEL_OTHERS", "ALL", "+-", TicketStatus::Rejected, false)]
#[case::others_go_on("CONTINUE_OTHERS", "ALL", "-++", TicketStatus::InProgress, true)]
#[case::hz_25_no_success_is_no_pass("CONTINUE_OTHERS", "ALL", "---", TicketStatus::Rejected, false)]
#[case::only_skips("CONTINUE_OTHERS", "ALL", "sss", TicketStatus::Skipped, false)]
#[case::any_passes_on_the_first("CONTINUE_OTHERS", "ANY", "-+", TicketStatus::InProgress, true)]
#[case::hz_25_any_needs_a_success("CONTINUE_OTHERS", "ANY", "-s-", TicketStatus::Rejected, false)]
#[case::majority("CONTINUE_OTHERS", "MAJORITY", "+-+", TicketStatus::InProgress, true)]
#[case::majority_waits("CONTINUE_OTHERS", "MAJORITY", "+-", TicketStatus::InProgress, false)]
#[case::majority_out_of_reach("CONTINUE_OTHERS", "MAJORITY", "--", TicketStatus::Rejected, false)]
#[case::hz_27_a_skip_under_cancel_others("CANCEL_OTHERS", "ANY", "s", TicketStatus::Skipped, false)]
fn a_join_passes_as_its_mode_and_policy_say(
    #[case] policy: &str,
    #[case] mode: &str,
    #[case] votes: &str,
    #[case] status: TicketStatus,
    #[case] passed: bool,
) {
    let world = decided(policy, mode, votes);
    assert_eq!(world.ticket().status, status);
    assert_eq!(world.count(AuditEventType::JoinCompleted), usize::from(passed));
    assert_eq!(world.state("after") == StepState::Active, passed);
}

#[test]
fn hz_24_each_branch_completes_once() {
    let world = decided("FAIL_ALL", "ALL", "+++");
    assert_eq!(world.count(AuditEventType::BranchCompleted), 3);
}

#[test]
fn hz_26_a_rejection_of_one_branch_is_recorded_and_told() {
    let world = decided("CONTINUE_OTHERS", "ALL", "-");
    assert_eq!(world.count(AuditEventType::Reject), 1);
    assert_eq!(world.count(AuditEventType::BranchFailed), 1);
    assert_eq!(world.told(TemplateKey::Rejected), ["ann"]);
}

#[test]
fn cancelled_steps_of_other_branches_are_recorded() {
    let world = decided("CANCEL_OTHERS", "ALL", "-");
    assert_eq!(world.count(AuditEventType::StepCancelled), 2);
    assert_eq!(world.state("two"), StepState::Cancelled);
}

#[test]
fn hz_5_a_second_fork_after_an_any_join_joins_again() {
    let flow = definition(
        vec![
            fork("f1", "FAIL_ALL", &["a", "b"]),
            approval("a", "one"),
            approval("b", "two"),
            join("j1", "f1", "ANY"),
            fork("f2", "FAIL_ALL", &["c", "d"]),
            approval("c", "one"),
            approval("d", "two"),
            join("j2", "f2", "ALL"),
            end("done"),
        ],
        &[
            ("a", "APPROVE", "j1"),
            ("b", "APPROVE", "j1"),
            ("j1", "COMPLETE_TASK", "f2"),
            ("c", "APPROVE", "j2"),
            ("d", "APPROVE", "j2"),
            ("j2", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::raised(flow);
    world.approve("one", "a");
    world.approve("one", "c");
    world.approve("two", "d");
    // The end waits for the late branch of the first fork.
    assert!(world.ticket().pending_end.is_some());
    assert_eq!(world.ticket().status, TicketStatus::InProgress);
    world.approve("two", "b");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.count(AuditEventType::JoinCompleted), 2);
    assert_eq!(world.replayed(), *world.ticket());
}

#[test]
fn hz_7_branches_that_end_at_once_are_all_registered_first() {
    let note = |id: &str| {
        step(
            id,
            "NOTIFY_STEP",
            serde_json::json!({"recipients": ["requester"]}),
        )
    };
    let flow = definition(
        vec![
            fork("f", "FAIL_ALL", &["a", "b"]),
            note("a"),
            note("b"),
            join("j", "f", "ANY"),
            end("done"),
        ],
        &[
            ("a", "COMPLETE_TASK", "j"),
            ("b", "COMPLETE_TASK", "j"),
            ("j", "COMPLETE_TASK", "done"),
        ],
    );
    let world = World::raised(flow);
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.count(AuditEventType::JoinCompleted), 1);
}

#[test]
fn hz_9_a_path_not_taken_does_not_block_the_join() {
    let mut flow = definition(
        vec![
            fork("f", "FAIL_ALL", &["a", "b"]),
            approval("a", "one"),
            task("never"),
            approval("b", "two"),
            join("j", "f", "ALL"),
            end("done"),
        ],
        &[
            ("a", "APPROVE", "j"),
            ("b", "APPROVE", "j"),
            ("never", "COMPLETE_TASK", "j"),
            ("j", "COMPLETE_TASK", "done"),
        ],
    );
    let condition =
        serde_json::json!({"conditions": [{"field": "form_values.x", "operator": "EQUALS", "value": "1"}]});
    let edge = serde_json::json!({"from_step_id": "a", "to_step_id": "never", "on_event": "APPROVE", "condition": condition});
    flow["transitions"].as_array_mut().unwrap().push(edge);
    let mut world = World::raised(flow);
    world.approve("one", "a");
    assert_eq!(world.state("never"), StepState::Cancelled);
    world.approve("two", "b");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
}

#[test]
fn hz_9b_nested_forks_join_inside_before_they_join_outside() {
    let flow = definition(
        vec![
            fork("outer", "CONTINUE_OTHERS", &["inner", "x"]),
            fork("inner", "FAIL_ALL", &["a", "b"]),
            approval("a", "one"),
            approval("b", "two"),
            join("ji", "inner", "ALL"),
            task("mid"),
            approval("x", "three"),
            join("jo", "outer", "ALL"),
            end("done"),
        ],
        &[
            ("a", "APPROVE", "ji"),
            ("b", "APPROVE", "ji"),
            ("ji", "COMPLETE_TASK", "mid"),
            ("mid", "COMPLETE_TASK", "jo"),
            ("x", "APPROVE", "jo"),
            ("jo", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::raised(flow.clone());
    assert_eq!(world.live(), ["a", "b", "x"]);
    world.approve("three", "x");
    world.approve("one", "a");
    world.approve("two", "b");
    assert_eq!(world.live(), ["mid"]);
    world.work("bob", "mid");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.count(AuditEventType::JoinCompleted), 2);

    // A rejection inside fails the inner fork and with it only the outer branch.
    let mut world = World::raised(flow);
    world.reject("one", "a");
    assert_eq!(world.live(), ["x"]);
    assert_eq!(world.ticket().forks[0].branches[0].state, BranchState::Rejected);
    world.approve("three", "x");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.replayed(), *world.ticket());
}

#[test]
fn a_join_that_times_out_takes_what_it_has() {
    let mut flow = three("CONTINUE_OTHERS", "ANY");
    flow["steps"][4] = step(
        "meet",
        "JOIN_STEP",
        serde_json::json!({"source_fork_step_id": "split", "join_mode": "ALL", "timeout_minutes": 60}),
    );
    let mut world = World::raised(flow.clone());
    world.approve("one", "one");
    world.wait_minutes(61);
    world.must("root", Command::FireTimers);
    assert_eq!(world.live(), ["after"]);
    let mut world = World::raised(flow);
    world.wait_minutes(61);
    world.must("root", Command::FireTimers);
    assert_eq!(world.ticket().status, TicketStatus::Rejected);
}

#[test]
fn a_fork_that_is_entered_again_ends_the_late_branches_of_the_round_before() {
    let flow = definition(
        vec![
            fork("split", "FAIL_ALL", &["slow", "fast"]),
            task("slow"),
            approval("fast", "one"),
            join("meet", "split", "ANY"),
            approval("check", "two"),
            end("done"),
        ],
        &[
            ("slow", "COMPLETE_TASK", "meet"),
            ("fast", "APPROVE", "meet"),
            ("meet", "COMPLETE_TASK", "check"),
            ("check", "APPROVE", "done"),
            ("check", "REJECT", "split"),
        ],
    );
    let mut world = World::raised(flow);
    world.approve("one", "fast");
    let late = world.id("slow");
    world.reject("two", "check");
    assert_eq!(
        world.ticket().step(&late).unwrap().phase,
        crate::domain::ticket::Phase::Cancelled
    );
    assert_eq!(world.live(), ["slow", "fast"]);
    assert_eq!(world.step("slow").round, 2);
    world.approve("one", "fast");
    world.approve("two", "check");
    world.work("bob", "slow");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.replayed(), *world.ticket());
}
