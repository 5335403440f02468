//! What people are offered is the truth: what is listed takes effect, and what would take effect is listed; in every
//! state that a ticket can reach, and in the states that random commands on random graphs lead to.

use super::invariants::check;
use crate::domain::ticket::Ticket;
use crate::engine::command::InfoTarget;
use crate::engine::testing::offers::check_offers;
use crate::engine::testing::*;
use crate::engine::{Command, Verdict};
use serde_json::json;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;

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
