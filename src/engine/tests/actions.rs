//! Questions, assignment, handover, hold, notes, cancellation and change requests.

use crate::domain::audit::AuditEventType;
use crate::domain::effect::Effect;
use crate::domain::id::HandoverId;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Email;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{
    AssignmentStatus, ChangeRequestStatus, HandoverStatus, InfoRequestStatus, StepState, TicketStatus,
};
use crate::engine::command::InfoTarget;
use crate::engine::testing::*;
use crate::engine::{Command, Verdict};
use serde_json::json;

/// ann asks, carl approves, bob works.
fn approved() -> World {
    let flow = usual("carl");
    let mut world = World::of(workflow("flow", flow));
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world
}

fn working() -> World {
    let mut world = approved();
    world.approve("carl", "check");
    let step = world.id("deliver");
    world.must(
        "carl",
        Command::Assign {
            step,
            agent: named("bob"),
        },
    );
    world
}

fn question(world: &World, key: &str, to: Option<&str>) -> Command {
    let target = to.map(|name| InfoTarget {
        email: Email::try_from(format!("{name}@example.com")).unwrap(),
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

fn answer(world: &World, key: &str) -> Command {
    Command::RespondInfo {
        step: world.id(key),
        response_text: "Because.".into(),
        attachment_ids: vec![],
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "tests hand over the answer they got"
)]
fn is_refused_by_state<T: std::fmt::Debug>(result: Result<T, Refusal>) -> bool {
    matches!(result, Err(Refusal::InvalidState(_)))
}

#[test]
fn a_question_makes_the_step_and_the_ticket_wait_until_it_is_answered() {
    let mut world = approved();
    let ask = question(&world, "check", None);
    world.must("carl", ask.clone());
    assert_eq!(world.state("check"), StepState::WaitingForRequester);
    assert_eq!(world.ticket().status, TicketStatus::WaitingForRequester);
    assert_eq!(world.told(TemplateKey::InfoRequested), ["ann"]);
    let first = world.ticket().info_requests[0].id.to_string();
    assert_eq!(
        world.play("carl", ask).unwrap(),
        Verdict::AlreadyDone { created: Some(first) }
    );
    let reply = answer(&world, "check");
    assert!(matches!(
        world.play("bob", reply.clone()),
        Err(Refusal::PermissionDenied(_))
    ));
    world.must("ann", reply.clone());
    assert_eq!(world.ticket().status, TicketStatus::InProgress);
    assert_eq!(world.state("check"), StepState::WaitingForApproval);
    assert!(matches!(
        world.play("ann", reply).unwrap(),
        Verdict::AlreadyDone { .. }
    ));
}

#[test]
fn hz_15_a_decision_withdraws_the_open_question() {
    let mut world = approved();
    let ask = question(&world, "check", None);
    world.must("carl", ask);
    world.approve("carl", "check");
    assert_eq!(
        world.ticket().info_requests[0].status,
        InfoRequestStatus::Cancelled
    );
    assert_eq!(world.ticket().status, TicketStatus::InProgress);
    let late = answer(&world, "check");
    assert!(is_refused_by_state(world.play("ann", late)));
}

#[test]
fn a6_only_people_who_are_known_can_be_asked_and_never_oneself() {
    let mut world = approved();
    let nobody = question(&world, "check", Some("nobody"));
    assert!(matches!(
        world.play("carl", nobody),
        Err(Refusal::Validation { .. })
    ));
    let oneself = question(&world, "check", Some("carl"));
    assert!(matches!(
        world.play("carl", oneself),
        Err(Refusal::Validation { .. })
    ));
    let colleague = question(&world, "check", Some("dora"));
    world.must("carl", colleague);
    assert_eq!(world.state("check"), StepState::WaitingForAgent);
}

#[test]
fn s14_an_assigned_task_is_reassigned_not_assigned_again() {
    let mut world = working();
    let step = world.id("deliver");
    assert!(is_refused_by_state(world.play(
        "carl",
        Command::Assign {
            step: step.clone(),
            agent: named("dora")
        }
    )));
    let again = world
        .play(
            "carl",
            Command::Assign {
                step: step.clone(),
                agent: named("bob"),
            },
        )
        .unwrap();
    assert!(matches!(again, Verdict::AlreadyDone { .. }));
    world.must(
        "carl",
        Command::Reassign {
            step,
            agent: named("dora"),
            reason: None,
        },
    );
    let active = world
        .ticket()
        .assignments
        .iter()
        .filter(|a| a.status == AssignmentStatus::Active);
    assert_eq!(active.count(), 1);
    assert_eq!(world.told(TemplateKey::TaskReassigned), ["dora", "bob"]);
}

#[test]
fn a13_a_person_whose_access_was_taken_away_is_not_assigned() {
    let mut world = approved();
    world.approve("carl", "check");
    let step = world.id("deliver");
    // All access of the one, only the agent's screens of the other.
    for who in ["revoked", "former"] {
        let assign = Command::Assign {
            step: step.clone(),
            agent: named(who),
        };
        assert!(is_refused_by_state(world.play("mia", assign)));
    }
}

#[test]
fn an_approval_passed_on_records_whether_its_new_approver_was_let_in_by_it() {
    for (approver, let_in) in [("dora", true), ("former", true), ("one", false)] {
        let mut world = approved();
        let step = world.id("check");
        let pass_on = Command::ReassignApproval {
            step,
            approver: named(approver),
            reason: None,
        };
        world.must("carl", pass_on);
        let decision = world.last.as_ref().unwrap();
        let mut events = decision.events.iter();
        let event = events.find(|event| event.event_type == AuditEventType::ReassignApproval);
        assert_eq!(event.unwrap().details.get("auto_onboarded"), Some(&json!(let_in)));
        let administrators_row = decision.effects.iter().find_map(|effect| {
            let Effect::AdminAudit(row) = effect else {
                return None;
            };
            row.details.get("new_approver_auto_onboarded")
        });
        assert_eq!(administrators_row, Some(&json!(let_in)));
    }
}

#[test]
fn a7_an_approval_is_not_passed_on_to_the_requester() {
    let mut world = approved();
    let step = world.id("check");
    let to_ann = Command::ReassignApproval {
        step: step.clone(),
        approver: named("ann"),
        reason: None,
    };
    assert!(is_refused_by_state(world.play("carl", to_ann)));
    world.must(
        "carl",
        Command::ReassignApproval {
            step: step.clone(),
            approver: named("dora"),
            reason: None,
        },
    );
    assert!(matches!(
        world.play("carl", Command::Approve { step, comment: None }),
        Err(Refusal::PermissionDenied(_))
    ));
    world.approve("dora", "check");
}

#[test]
fn s12_the_due_time_moves_by_the_time_a_task_was_held() {
    let mut deliver = task("deliver");
    deliver["sla"] = json!({"due_minutes": 100});
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
    let due = world.step("deliver").due_at.unwrap();
    world.must(
        "bob",
        Command::Hold {
            step: step.clone(),
            reason: "parts".into(),
        },
    );
    assert_eq!(world.state("deliver"), StepState::OnHold);
    assert!(is_refused_by_state(world.play("bob", complete(step.clone()))));
    assert_eq!(world.ticket().next_timer_at(), None);
    world.wait_minutes(50);
    world.must("bob", Command::Resume { step });
    assert_eq!(world.step("deliver").due_at.unwrap(), due.plus_minutes(50));
}

#[test]
fn a9_the_agent_who_asked_does_not_decide_the_handover() {
    let mut world = working();
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
    let decide = |approved| Command::DecideHandover {
        step: step.clone(),
        handover: handover.clone(),
        approved,
        new_agent: Some(named("dora")),
        comment: None,
    };
    assert!(matches!(
        world.play("bob", decide(true)),
        Err(Refusal::PermissionDenied(_))
    ));
    world.must("carl", decide(true));
    assert_eq!(
        world.step("deliver").assignee.as_ref().unwrap().email,
        person("dora").email
    );
    assert!(matches!(
        world.play("carl", decide(true)).unwrap(),
        Verdict::AlreadyDone { .. }
    ));
    let unknown = Command::CancelHandover {
        step,
        handover: HandoverId::derived("x"),
    };
    assert!(matches!(
        world.play("bob", unknown),
        Err(Refusal::NotFound { .. })
    ));
}

#[test]
fn s11_a_reassignment_closes_the_pending_handover() {
    let mut world = working();
    let step = world.id("deliver");
    world.must(
        "bob",
        Command::RequestHandover {
            step: step.clone(),
            reason: "leave".into(),
            suggested_agent: None,
        },
    );
    world.must(
        "carl",
        Command::Reassign {
            step,
            agent: named("dora"),
            reason: None,
        },
    );
    assert_eq!(world.ticket().handovers[0].status, HandoverStatus::Cancelled);
}

#[test]
fn an_identical_note_within_a_minute_is_one_note() {
    let mut world = working();
    let note = |text: &str, world: &World| Command::AddNote {
        step: world.id("deliver"),
        content: text.into(),
        attachment_ids: vec![],
    };
    let first = note("hello", &world);
    world.must("bob", first.clone());
    assert!(matches!(
        world.play("bob", first.clone()).unwrap(),
        Verdict::AlreadyDone { .. }
    ));
    let other = note("hello again", &world);
    world.must("bob", other);
    world.wait_minutes(2);
    world.must("bob", first);
    assert_eq!(world.step("deliver").note_count, 3);
}

#[test]
fn s5_cancelling_closes_everything() {
    let mut world = working();
    let step = world.id("deliver");
    world.must(
        "bob",
        Command::RequestHandover {
            step: step.clone(),
            reason: "leave".into(),
            suggested_agent: None,
        },
    );
    world.must(
        "bob",
        Command::Hold {
            step: step.clone(),
            reason: "parts".into(),
        },
    );
    world.must("ann", Command::Cancel { reason: None });
    assert_eq!(world.ticket().status, TicketStatus::Cancelled);
    assert_eq!(world.state("deliver"), StepState::Skipped);
    assert_eq!(world.state("done"), StepState::Cancelled);
    assert_eq!(world.ticket().handovers[0].status, HandoverStatus::Cancelled);
    assert_eq!(world.told(TemplateKey::TicketCancelled), ["bob"]);
    assert!(is_refused_by_state(world.play("bob", Command::Resume { step })));
    assert!(matches!(
        world.play("ann", Command::Cancel { reason: None }).unwrap(),
        Verdict::AlreadyDone { .. }
    ));
    assert!(matches!(
        world.play("bob", Command::Cancel { reason: None }),
        Err(Refusal::PermissionDenied(_))
    ));
}

#[test]
fn hz_34_the_manager_skips_a_task_and_the_flow_goes_on() {
    let mut world = working();
    let step = world.id("deliver");
    assert!(matches!(
        world.play(
            "bob",
            Command::ManagerSkip {
                step: step.clone(),
                reason: "x".into()
            }
        ),
        Err(Refusal::PermissionDenied(_))
    ));
    world.must(
        "mia",
        Command::ManagerSkip {
            step,
            reason: "not needed".into(),
        },
    );
    assert_eq!(world.ticket().status, TicketStatus::Completed);
    assert_eq!(world.state("deliver"), StepState::Skipped);
    assert_eq!(world.ticket().assignments[0].status, AssignmentStatus::Completed);
}

fn propose(text: &str) -> Command {
    Command::CreateChangeRequest {
        proposed_form_values: object(json!({"ask_text": text})),
        proposed_attachment_ids: None,
        reason: "typo".into(),
    }
}

#[test]
fn an_accepted_change_replaces_the_data_and_work_goes_on() {
    let mut world = working();
    let ask = world.id("ask");
    world.must("ann", propose("two"));
    assert_eq!(world.ticket().status, TicketStatus::WaitingForCr);
    assert_eq!(world.state("deliver"), StepState::WaitingForCr);
    let request = world.ticket().change_requests[0].clone();
    assert_eq!(request.assigned_to.email, person("carl").email);
    assert_eq!(request.field_changes.len(), 1);
    assert_eq!(request.field_changes[0].form_name, "ask");
    let deliver = world.id("deliver");
    assert!(is_refused_by_state(world.play("bob", complete(deliver))));
    let approve = Command::ApproveChangeRequest {
        change_request: request.id,
        notes: None,
    };
    assert!(matches!(
        world.play("ann", approve.clone()),
        Err(Refusal::PermissionDenied(_))
    ));
    world.must("carl", approve.clone());
    assert!(matches!(
        world.play("carl", approve).unwrap(),
        Verdict::AlreadyDone { .. }
    ));
    assert_eq!(world.ticket().form_values.get("ask_text"), Some(&json!("two")));
    assert_eq!(
        world
            .ticket()
            .step(&ask)
            .unwrap()
            .form_values
            .as_ref()
            .unwrap()
            .get("ask_text"),
        Some(&json!("two"))
    );
    assert_eq!(world.ticket().form_version, 2);
    assert_eq!(world.state("deliver"), StepState::Active);
    assert_eq!(world.ticket().status, TicketStatus::InProgress);
    assert_eq!(world.replayed(), *world.ticket());
}

#[test]
fn s21_only_fields_of_submitted_forms_can_be_changed() {
    let mut world = working();
    let foreign = Command::CreateChangeRequest {
        proposed_form_values: object(json!({"evil": 1})),
        proposed_attachment_ids: None,
        reason: "x".into(),
    };
    assert!(matches!(
        world.play("ann", foreign),
        Err(Refusal::Validation { .. })
    ));
    let nothing = propose("one");
    assert!(matches!(
        world.play("ann", nothing),
        Err(Refusal::Validation { .. })
    ));
}

#[test]
fn s4_the_end_of_a_ticket_closes_its_change_request() {
    let mut world = working();
    world.must("ann", propose("two"));
    let id = world.ticket().change_requests[0].id.clone();
    world.must("ann", Command::Cancel { reason: None });
    assert_eq!(
        world.ticket().change_requests[0].status,
        ChangeRequestStatus::Cancelled
    );
    assert!(is_refused_by_state(world.play(
        "carl",
        Command::RejectChangeRequest {
            change_request: id,
            notes: None
        }
    )));
    assert_eq!(world.count(AuditEventType::CancelTicket), 1);
}

#[test]
fn a_pause_moves_the_due_time_and_a_refused_change_leaves_the_data() {
    let mut world = working();
    world.must("ann", propose("two"));
    world.wait_minutes(10);
    let id = world.ticket().change_requests[0].id.clone();
    world.must(
        "carl",
        Command::RejectChangeRequest {
            change_request: id,
            notes: Some("no".into()),
        },
    );
    assert_eq!(world.ticket().form_values.get("ask_text"), Some(&json!("one")));
    assert_eq!(world.ticket().form_version, 1);
    assert_eq!(world.state("deliver"), StepState::Active);
}

#[test]
fn s13_an_acknowledgement_stops_escalations_once_and_only_for_its_assignee() {
    let mut deliver = task("deliver");
    deliver["sla"] = json!({"due_minutes": 60});
    let mut world = World::raised(definition(
        vec![deliver, end("done")],
        &[("deliver", "COMPLETE_TASK", "done")],
    ));
    let step = world.id("deliver");
    let agent = named("bob");
    world.must(
        "mia",
        Command::Assign {
            step: step.clone(),
            agent,
        },
    );
    let acknowledge = Command::AcknowledgeSla {
        step: step.clone(),
        notes: Some("on it".into()),
    };
    assert!(is_refused_by_state(world.play("bob", acknowledge.clone())));
    world.wait_minutes(70);
    world.must("root", Command::FireTimers);
    assert!(matches!(
        world.play("mia", acknowledge.clone()),
        Err(Refusal::PermissionDenied(_))
    ));
    world.must("bob", acknowledge.clone());
    assert!(matches!(
        world.play("bob", acknowledge).unwrap(),
        Verdict::AlreadyDone { .. }
    ));
    assert_eq!(world.ticket().sla_acknowledgements.len(), 1);
    assert_eq!(world.ticket().next_timer_at(), None, "nothing escalates any more");
    let agent = named("dora");
    world.must(
        "mia",
        Command::Reassign {
            step,
            agent,
            reason: None,
        },
    );
    assert_eq!(world.step("deliver").sla_acknowledged_at, None);
    let next = world.ticket().next_timer_at().unwrap();
    assert!(next > world.now, "dora is not told off on arrival");
    world.now = next;
    world.must("root", Command::FireTimers);
    assert!(
        world
            .told(TemplateKey::SlaEscalation)
            .contains(&"dora".to_owned())
    );
}

#[test]
fn t14_a_question_to_somebody_else_is_not_the_repeat_of_the_open_one() {
    let mut world = approved();
    let to_ann = question(&world, "check", None);
    world.must("carl", to_ann);
    let to_dora = question(&world, "check", Some("dora"));
    assert_eq!(world.play("carl", to_dora), Err(Refusal::InfoRequestOpen));
}
