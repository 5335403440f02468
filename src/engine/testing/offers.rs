//! Presses the buttons that people are offered, and those that they are not.

use super::invariants::{PEOPLE, check, complete_filled_in, submit};
use crate::domain::person::{Actor, AdminRole, Email};
use crate::domain::ticket::Step;
use crate::engine::command::InfoTarget;
use crate::engine::permission_guard::{OFFERED, StepAction, available_actions, may_see};
use crate::engine::testing::*;
use crate::engine::{Command, Verdict};

/// Presses every button of every person on every step, and all those that are not there.
pub(crate) fn check_offers(world: &World) {
    let ticket = world.ticket();
    for step in &ticket.steps {
        for who in PEOPLE {
            let offered = available_actions(ticket, &actor(who), step);
            assert!(
                offered.is_empty() || may_see(ticket, &actor(who)),
                "{who} is offered {offered:?} on a ticket that {who} does not see"
            );
            for (action, name) in OFFERED {
                // Ended and unreached steps offer nothing; that nothing can be done to them is checked for one of four.
                if !step.is_live() && !is_sampled(step, name) {
                    assert!(!offered.contains(&name));
                    continue;
                }
                let mut after = world.clone();
                let answer = after.play(who, pressed(action, step));
                let took_effect = matches!(answer, Ok(Verdict::Applied(_)));
                assert_eq!(
                    offered.contains(&name),
                    took_effect,
                    "{who} {name} on {} ({:?}): {answer:?}",
                    step.key,
                    ticket.state_of(step)
                );
                if took_effect {
                    check(&after);
                }
            }
        }
    }
}

/// The command that a button sends, its input without a fault.
fn pressed(action: StepAction, at: &Step) -> Command {
    let step = at.id.clone();
    match action {
        StepAction::SubmitForm => submit(step, true),
        StepAction::Approve => Command::Approve { step, comment: None },
        StepAction::Reject => Command::Reject { step, comment: None },
        StepAction::CompleteTask => complete_filled_in(at),
        StepAction::RequestInfo => Command::RequestInfo {
            step,
            question_text: "Why?".into(),
            // Somebody whom nobody else's question is open to, so that none is taken for its repeat.
            target: Some(InfoTarget {
                email: Email::try_from("zoe@example.com").unwrap(),
                step_name: None,
            }),
            subject: None,
            attachment_ids: vec![],
        },
        StepAction::RespondInfo => Command::RespondInfo {
            step,
            response_text: "So.".into(),
            attachment_ids: vec![],
        },
        StepAction::Assign => Command::Assign {
            step,
            agent: named("zoe"),
        },
        StepAction::Reassign => Command::Reassign {
            step,
            agent: named("zoe"),
            reason: None,
        },
        StepAction::ApproverSkip
        | StepAction::ManagerSkip
        | StepAction::ReassignApproval
        | StepAction::SaveDraft
        | StepAction::Hold
        | StepAction::Resume
        | StepAction::RequestHandover
        | StepAction::DecideHandover
        | StepAction::CancelHandover
        | StepAction::AddNote
        | StepAction::AcknowledgeSla => unreachable!("never offered"),
    }
}

fn actor(name: &str) -> Actor {
    let mut actor = Actor::plain(person(name));
    if name == "root" {
        actor.admin_role = Some(AdminRole::SuperAdmin);
    }
    actor
}

fn is_sampled(step: &Step, name: &str) -> bool {
    (step.id.as_str().len() + step.key.as_str().len() + name.len()).is_multiple_of(4)
}
