//! What people are offered is the truth: what is listed takes effect, and what would take effect is listed; in every
//! state that a ticket can reach, and in the states that random commands on random graphs lead to.

use super::invariants::{PEOPLE, check};
use crate::domain::id::TicketStepId;
use crate::domain::person::{Actor, AdminRole, Email};
use crate::domain::ticket::{Step, Ticket};
use crate::engine::command::InfoTarget;
use crate::engine::permission_guard::{OFFERED, StepAction, available_actions, may_see};
use crate::engine::testing::*;
use crate::engine::{Command, Verdict};
use serde_json::json;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;

fn actor(name: &str) -> Actor {
    let mut actor = Actor::plain(person(name));
    if name == "root" {
        actor.admin_role = Some(AdminRole::SuperAdmin);
    }
    actor
}

/// The command that a button sends, its input without a fault.
fn pressed(action: StepAction, step: TicketStepId) -> Command {
    match action {
        StepAction::SubmitForm => super::invariants::submit(step, true),
        StepAction::Approve => Command::Approve { step, comment: None },
        StepAction::Reject => Command::Reject { step, comment: None },
        StepAction::CompleteTask => complete(step),
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

/// Presses every button of every person on every step, and all those that are not there.
pub(super) fn check_offers(world: &World) {
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
                let answer = after.play(who, pressed(action, step.id.clone()));
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

fn is_sampled(step: &Step, name: &str) -> bool {
    (step.id.as_str().len() + step.key.as_str().len() + name.len()).is_multiple_of(4)
}

/// Everything that tells states apart, and nothing that only counts up.
pub(super) fn shape(ticket: &Ticket) -> String {
    let mut shape = format!("{:?}", ticket.status);
    for step in &ticket.steps {
        let assignee = step.assignee.as_ref().map(|person| &person.email);
        let handover = ticket.pending_handover(&step.id).is_some();
        let question = ticket
            .open_question(&step.id)
            .map(|info| (&info.requested_by.email, &info.requested_from.email));
        let votes: Vec<_> = ticket
            .approval_tasks_of(&step.id)
            .map(|task| (&task.approver.email, task.decision))
            .collect();
        write!(
            shape,
            "|{} {:?} {:?} {assignee:?} {handover} {question:?} {votes:?} {}",
            step.key,
            ticket.state_of(step),
            step.outcome,
            step.paused_at.is_some(),
        )
        .unwrap();
    }
    shape
}

/// Every kind of command on every live step, with few choices of input.
#[expect(clippy::too_many_lines, reason = "one entry per command")]
fn moves(ticket: &Ticket) -> Vec<Command> {
    let mut moves = vec![Command::Cancel { reason: None }];
    match ticket.pending_change_request().map(|request| request.id.clone()) {
        Some(change_request) => moves.extend([
            Command::RejectChangeRequest {
                change_request: change_request.clone(),
                notes: None,
            },
            Command::CancelChangeRequest { change_request },
        ]),
        None => moves.push(Command::CreateChangeRequest {
            proposed_form_values: object(json!({"ask_text": format!("version {}", ticket.version)})),
            proposed_attachment_ids: None,
            reason: "typo".into(),
        }),
    }
    for step in ticket.steps.iter().filter(|step| step.is_live()) {
        let id = || step.id.clone();
        let ask = |name: &str| Command::RequestInfo {
            step: id(),
            question_text: format!("question {}", ticket.version),
            target: Some(InfoTarget {
                email: person(name).email,
                step_name: None,
            }),
            subject: None,
            attachment_ids: vec![],
        };
        moves.extend([
            Command::SubmitForm {
                step: id(),
                form_values: object(json!({"ask_text": "x"})),
                attachment_ids: vec![],
            },
            Command::Approve {
                step: id(),
                comment: None,
            },
            Command::Reject {
                step: id(),
                comment: None,
            },
            Command::ApproverSkip {
                step: id(),
                comment: None,
            },
            Command::ManagerSkip {
                step: id(),
                reason: "no need".into(),
            },
            Command::ReassignApproval {
                step: id(),
                approver: named("two"),
                reason: None,
            },
            Command::Assign {
                step: id(),
                agent: named("bob"),
            },
            Command::Reassign {
                step: id(),
                agent: named("cora"),
                reason: None,
            },
            ask("ann"),
            ask("one"),
            Command::RespondInfo {
                step: id(),
                response_text: format!("answer {}", ticket.version),
                attachment_ids: vec![],
            },
            Command::Hold {
                step: id(),
                reason: "parts".into(),
            },
            Command::Resume { step: id() },
            Command::RequestHandover {
                step: id(),
                reason: format!("leave {}", ticket.version),
                suggested_agent: None,
            },
            complete(id()),
        ]);
        if let Some(handover) = ticket.pending_handover(&step.id) {
            let decide = |approved| Command::DecideHandover {
                step: id(),
                handover: handover.id.clone(),
                approved,
                new_agent: Some(named("one")),
                comment: None,
            };
            moves.extend([
                decide(true),
                decide(false),
                Command::CancelHandover {
                    step: id(),
                    handover: handover.id.clone(),
                },
            ]);
        }
    }
    moves
}

/// A form, a vote of two, a task, an approval, with a rejection that leads back to the form.
fn ladder() -> World {
    let both = step(
        "check",
        "APPROVAL_STEP",
        json!({
            "approver_resolution": "SPECIFIC_EMAIL",
            "parallel_approvers": ["carl@example.com", "cora@example.com"],
            "parallel_approval": "ALL",
            "primary_approver_email": "carl@example.com",
        }),
    );
    World::raised(definition(
        vec![form("ask"), both, task("deliver"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    ))
}

/// Most states looked at; the search ends by itself long before.
const MOST_STATES: usize = 20_000;

#[test]
fn in_every_state_a_ticket_can_reach_what_is_offered_is_what_can_be_done() {
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([ladder()]);
    seen.insert(shape(queue[0].ticket()));
    while let Some(mut world) = queue.pop_front() {
        check(&world);
        check_offers(&world);
        // Long enough for nothing to count as an automatic repeat.
        world.wait_minutes(2);
        for command in moves(world.ticket()) {
            for who in ["ann", "mia", "carl", "cora", "bob", "one", "two"] {
                let mut after = world.clone();
                after.history.clear();
                if let Ok(Verdict::Applied(_)) = after.play(who, command.clone())
                    && seen.insert(shape(after.ticket()))
                {
                    queue.push_back(after);
                }
            }
        }
        assert!(seen.len() < MOST_STATES, "the states do not come to an end");
    }
    assert!(seen.len() > 300, "only {} states were reached", seen.len());
}
