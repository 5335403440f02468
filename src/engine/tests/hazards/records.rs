//! What is said and kept (contract engine-actions 9.4).

use super::{ask, assign, changeable, propose};
use crate::domain::id::AttachmentId;
use crate::domain::notice::TemplateKey;
use crate::domain::ticket::{ChangeRequestStatus, HandoverStatus};
use crate::engine::Command;
use crate::engine::command::InfoTarget;
use crate::engine::testing::*;
use serde_json::json;

#[test]
fn c5_a_ticket_without_a_manager_has_change_requests_like_any_other() {
    let flow = usual("carl");
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
