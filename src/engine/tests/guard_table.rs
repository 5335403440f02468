//! Every command by every role in every state of a step, played for real and kept as one table that a person can read:
//! `snapshots/workflow_ops__engine__tests__guard_table__who_may_do_what_when.snap`.
//!
//! `yes` takes effect, `same` succeeds without effect (a repeat), otherwise the HTTP status of the refusal. The first
//! line of a cell block names what each role is offered; that it agrees with what is accepted is asserted, not read.

use crate::domain::id::{ChangeRequestId, HandoverId, TicketStepId};
use crate::domain::person::{Actor, AdminRole, Email};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{StepState, TicketStatus};
use crate::engine::command::InfoTarget;
use crate::engine::permission_guard::{self, OFFERED, StepAction};
use crate::engine::testing::*;
use crate::engine::{Command, Verdict};
use serde_json::json;
use std::fmt::Write as _;

/// Who they are to the ticket; each plays every command in every state.
const ROLES: [(&str, &str); 9] = [
    ("ann", "requester"),
    ("mia", "manager"),
    ("carl", "primary"),
    ("cora", "second"),
    ("gus", "signer"),
    ("bob", "agent"),
    ("dora", "asked"),
    ("root", "admin"),
    ("eve", "nobody"),
];

/// A state of one step, reached by commands.
struct Situation {
    title: &'static str,
    world: World,
    step: &'static str,
}

/// ann asks, carl and cora approve, bob works, gus signs.
fn raised() -> World {
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
    let mut deliver = task("deliver");
    deliver["sla"] = json!({"due_minutes": 60});
    let flow = definition(
        vec![form("ask"), both, deliver, approval("sign", "gus"), end("done")],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "sign"),
            ("sign", "APPROVE", "done"),
        ],
    );
    World::raised(flow)
}

fn submitted() -> World {
    let mut world = raised();
    let command = submit(world.id("ask"));
    world.must("ann", command);
    world
}

fn approved() -> World {
    let mut world = submitted();
    world.approve("carl", "check");
    world.approve("cora", "check");
    world
}

fn assigned() -> World {
    let mut world = approved();
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

fn completed() -> World {
    let mut world = assigned();
    let command = complete(world.id("deliver"));
    world.must("bob", command);
    world
}

fn then(mut world: World, who: &str, command: impl FnOnce(&World) -> Command) -> World {
    let command = command(&world);
    world.must(who, command);
    // Long enough for nothing to count as an automatic repeat.
    world.wait_minutes(2);
    world
}

fn submit(step: TicketStepId) -> Command {
    let form_values = object(json!({"ask_text": "one"}));
    Command::SubmitForm {
        step,
        form_values,
        attachment_ids: vec![],
    }
}

fn ask(step: TicketStepId, name: &str) -> Command {
    let email = Email::try_from(format!("{name}@example.com")).unwrap();
    let target = Some(InfoTarget {
        email,
        step_name: None,
    });
    Command::RequestInfo {
        step,
        question_text: "Why?".into(),
        target,
        subject: None,
        attachment_ids: vec![],
    }
}

fn hold(step: TicketStepId) -> Command {
    Command::Hold {
        step,
        reason: "parts".into(),
    }
}

fn hand_over(step: TicketStepId) -> Command {
    Command::RequestHandover {
        step,
        reason: "leave".into(),
        suggested_agent: None,
    }
}

fn propose() -> Command {
    Command::CreateChangeRequest {
        proposed_form_values: object(json!({"ask_text": "two"})),
        proposed_attachment_ids: None,
        reason: "typo".into(),
    }
}

fn rejected() -> World {
    let mut world = submitted();
    world.reject("carl", "check");
    world
}

fn forked() -> World {
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
    world.work("bob", "one");
    world
}

fn situations() -> Vec<Situation> {
    let skip = |world: &World| Command::ManagerSkip {
        step: world.id("deliver"),
        reason: "not needed".into(),
    };
    let overdue = {
        let mut world = assigned();
        world.wait_minutes(90);
        world
    };
    let half = {
        let mut world = submitted();
        world.approve("carl", "check");
        world
    };
    let ended = {
        let mut world = completed();
        world.approve("gus", "sign");
        world
    };
    let skipped = then(submitted(), "carl", |w| Command::ApproverSkip {
        step: w.id("check"),
        comment: None,
    });
    let held = then(assigned(), "bob", |w| hold(w.id("deliver")));
    let rows = vec![
        ("a form that is open", raised(), "ask"),
        ("a form that has been submitted", submitted(), "ask"),
        ("an approval not reached", raised(), "check"),
        ("an approval of two people", submitted(), "check"),
        (
            "an approval that the primary has given, the second has not",
            half,
            "check",
        ),
        (
            "an approval with a question to the requester",
            then(submitted(), "carl", |w| ask(w.id("check"), "ann")),
            "check",
        ),
        (
            "an approval with a question to a colleague",
            then(submitted(), "carl", |w| ask(w.id("check"), "dora")),
            "check",
        ),
        ("an approval that has been given", approved(), "check"),
        (
            "an approval while a change is pending",
            then(completed(), "ann", |_| propose()),
            "sign",
        ),
        ("an approval that has been refused", rejected(), "check"),
        ("an approval that has been skipped", skipped, "check"),
        ("a task not reached", submitted(), "deliver"),
        ("a task without an agent", approved(), "deliver"),
        ("a task with its agent", assigned(), "deliver"),
        ("a task that is overdue", overdue, "deliver"),
        (
            "a task with a handover asked for",
            then(assigned(), "bob", |w| hand_over(w.id("deliver"))),
            "deliver",
        ),
        ("a task on hold", held.clone(), "deliver"),
        (
            "a task with a question to the requester",
            then(assigned(), "bob", |w| ask(w.id("deliver"), "ann")),
            "deliver",
        ),
        (
            "a task with a question to a colleague",
            then(assigned(), "bob", |w| ask(w.id("deliver"), "dora")),
            "deliver",
        ),
        (
            "a task while a change is pending",
            then(assigned(), "ann", |_| propose()),
            "deliver",
        ),
        (
            "a task on hold while a change is pending",
            then(held, "ann", |_| propose()),
            "deliver",
        ),
        ("a task that has been completed", completed(), "deliver"),
        (
            "a task that the manager has skipped",
            then(assigned(), "mia", skip),
            "deliver",
        ),
        (
            "a task of a ticket that was cancelled",
            then(assigned(), "ann", |_| Command::Cancel { reason: None }),
            "deliver",
        ),
        ("a task of a ticket that has been completed", ended, "deliver"),
        ("a join whose branches have not all ended", forked(), "meet"),
    ];
    rows.into_iter()
        .map(|(title, world, step)| Situation { title, world, step })
        .collect()
}

/// Every command by name, aimed at the situation's step.
#[expect(clippy::too_many_lines, reason = "one entry per command")]
fn commands(at: &Situation) -> Vec<(&'static str, Command)> {
    let step = || at.world.id(at.step);
    let ticket = at.world.ticket();
    let handover = ticket
        .handovers
        .last()
        .map_or_else(|| HandoverId::derived("none"), |h| h.id.clone());
    let change_request = || {
        ticket
            .change_requests
            .last()
            .map_or_else(|| ChangeRequestId::derived("none"), |c| c.id.clone())
    };
    let decide = |approved| Command::DecideHandover {
        step: step(),
        handover: handover.clone(),
        approved,
        new_agent: Some(named("zoe")),
        comment: None,
    };
    vec![
        ("submit_form", submit(step())),
        (
            "approve",
            Command::Approve {
                step: step(),
                comment: None,
            },
        ),
        (
            "reject",
            Command::Reject {
                step: step(),
                comment: Some("no".into()),
            },
        ),
        (
            "skip (approver)",
            Command::ApproverSkip {
                step: step(),
                comment: None,
            },
        ),
        (
            "skip (manager)",
            Command::ManagerSkip {
                step: step(),
                reason: "x".into(),
            },
        ),
        (
            "reassign_approval",
            Command::ReassignApproval {
                step: step(),
                approver: named("zoe"),
                reason: None,
            },
        ),
        ("complete_task", complete(step())),
        (
            "save_draft",
            Command::SaveDraft {
                step: step(),
                draft_values: object(json!({})),
                execution_notes: None,
            },
        ),
        (
            "assign",
            Command::Assign {
                step: step(),
                agent: named("zoe"),
            },
        ),
        (
            "reassign",
            Command::Reassign {
                step: step(),
                agent: named("zoe"),
                reason: None,
            },
        ),
        ("request_info", ask(step(), "zoe")),
        (
            "respond_info",
            Command::RespondInfo {
                step: step(),
                response_text: "So.".into(),
                attachment_ids: vec![],
            },
        ),
        ("hold", hold(step())),
        ("resume", Command::Resume { step: step() }),
        ("request_handover", hand_over(step())),
        ("decide_handover (yes)", decide(true)),
        ("decide_handover (no)", decide(false)),
        (
            "cancel_handover",
            Command::CancelHandover {
                step: step(),
                handover: handover.clone(),
            },
        ),
        (
            "add_note",
            Command::AddNote {
                step: step(),
                content: "hm".into(),
                attachment_ids: vec![],
            },
        ),
        (
            "acknowledge_sla",
            Command::AcknowledgeSla {
                step: step(),
                notes: None,
            },
        ),
        ("cancel ticket", Command::Cancel { reason: None }),
        (
            "add_requester_note",
            Command::AddRequesterNote {
                content: "hm".into(),
                attachment_ids: vec![],
            },
        ),
        ("propose change", propose_another()),
        (
            "approve change",
            Command::ApproveChangeRequest {
                change_request: change_request(),
                notes: None,
            },
        ),
        (
            "reject change",
            Command::RejectChangeRequest {
                change_request: change_request(),
                notes: None,
            },
        ),
        (
            "cancel change",
            Command::CancelChangeRequest {
                change_request: change_request(),
            },
        ),
    ]
}

fn propose_another() -> Command {
    Command::CreateChangeRequest {
        proposed_form_values: object(json!({"ask_text": "three"})),
        proposed_attachment_ids: None,
        reason: "again".into(),
    }
}

fn actor(name: &str) -> Actor {
    let mut actor = Actor::plain(person(name));
    if name == "root" {
        actor.admin_role = Some(AdminRole::SuperAdmin);
    }
    actor
}

fn cell(result: &Result<Verdict, Refusal>) -> &'static str {
    match result {
        Ok(Verdict::Applied(_)) => "yes",
        Ok(Verdict::AlreadyDone { .. }) => "same",
        Err(Refusal::PermissionDenied(_)) => "403",
        Err(Refusal::InvalidState(_) | Refusal::InfoRequestOpen | Refusal::AlreadyExists(_)) => "409",
        Err(Refusal::NotFound { .. }) => "404",
        Err(other) => panic!("a refusal that has nothing to do with who and when: {other:?}"),
    }
}

fn offers(at: &Situation, name: &str) -> Vec<&'static str> {
    let ticket = at.world.ticket();
    permission_guard::available_actions(ticket, &actor(name), at.world.step(at.step))
}

/// The answers to one command, one per role.
fn answers(at: &Situation, command: &Command) -> Vec<Result<Verdict, Refusal>> {
    ROLES
        .iter()
        .map(|(name, _)| at.world.clone().play(name, command.clone()))
        .collect()
}

fn table() -> String {
    let mut table = String::new();
    for at in situations() {
        let (status, state) = (at.world.ticket().status, at.world.state(at.step));
        writeln!(table, "## {}: step {state:?}, ticket {status:?}\n", at.title).unwrap();
        write!(table, "{:<22}", "").unwrap();
        for (name, role) in ROLES {
            write!(table, "{name:<11}").unwrap();
            assert!(role.len() < 11);
        }
        writeln!(table).unwrap();
        for (what, command) in commands(&at) {
            write!(table, "{what:<22}").unwrap();
            for answer in answers(&at, &command) {
                write!(table, "{:<11}", cell(&answer)).unwrap();
            }
            writeln!(table).unwrap();
        }
        for (name, _) in ROLES {
            let offered = offers(&at, name);
            if !offered.is_empty() {
                writeln!(table, "{name} is offered {}", offered.join(", ")).unwrap();
            }
        }
        writeln!(table).unwrap();
    }
    // Trailing blanks would make the file a nuisance to edit.
    table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn who_may_do_what_when() {
    insta::assert_snapshot!(table());
}

#[test]
fn what_is_offered_takes_effect_and_what_takes_effect_is_offered() {
    let names: Vec<&str> = OFFERED.iter().map(|(_, name)| *name).collect();
    for at in situations() {
        for (what, command) in commands(&at) {
            if !names.contains(&what) {
                continue;
            }
            for ((who, _), answer) in ROLES.iter().zip(answers(&at, &command)) {
                let offered = offers(&at, who).contains(&what);
                let applied = matches!(answer, Ok(Verdict::Applied(_)));
                assert_eq!(offered, applied, "{}: {who} {what}: {answer:?}", at.title);
            }
        }
    }
}

#[test]
fn nobody_without_a_part_changes_anything_in_any_state() {
    for at in situations() {
        for (what, command) in commands(&at) {
            let answer = at.world.clone().play("eve", command);
            let refused = matches!(
                answer,
                Err(Refusal::PermissionDenied(_) | Refusal::NotFound { .. })
            );
            assert!(refused, "{}: {what}: {answer:?}", at.title);
        }
        assert!(!permission_guard::may_see(at.world.ticket(), &actor("eve")));
    }
}

#[test]
fn an_ended_ticket_refuses_every_command_but_the_repeat_of_a_decision() {
    let ended = situations()
        .into_iter()
        .filter(|at| at.world.ticket().status.is_terminal());
    let mut seen = Vec::new();
    for at in ended {
        seen.push(at.world.ticket().status);
        for (what, command) in commands(&at) {
            for answer in answers(&at, &command) {
                assert!(
                    !matches!(answer, Ok(Verdict::Applied(_))),
                    "{}: {what} takes effect",
                    at.title
                );
            }
        }
    }
    for status in [
        TicketStatus::Completed,
        TicketStatus::Rejected,
        TicketStatus::Skipped,
        TicketStatus::Cancelled,
    ] {
        assert!(seen.contains(&status), "no situation ends as {status:?}");
    }
}

/// Every state but `WaitingForBranches`: a join goes straight from not started to completed (contract engine-core 4, JOIN).
#[test]
fn the_situations_cover_every_state_of_a_step() {
    let seen: Vec<StepState> = situations().iter().map(|at| at.world.state(at.step)).collect();
    for state in [
        StepState::NotStarted,
        StepState::Active,
        StepState::WaitingForApproval,
        StepState::WaitingForRequester,
        StepState::WaitingForAgent,
        StepState::WaitingForCr,
        StepState::Completed,
        StepState::Rejected,
        StepState::Skipped,
        StepState::OnHold,
    ] {
        assert!(seen.contains(&state), "no situation shows {state:?}");
    }
}

#[test]
fn the_guard_itself_refuses_whatever_the_table_refuses_to_the_wrong_person() {
    let guarded = [
        ("submit_form", StepAction::SubmitForm),
        ("approve", StepAction::Approve),
        ("reject", StepAction::Reject),
        ("skip (approver)", StepAction::ApproverSkip),
        ("skip (manager)", StepAction::ManagerSkip),
        ("reassign_approval", StepAction::ReassignApproval),
        ("complete_task", StepAction::CompleteTask),
        ("save_draft", StepAction::SaveDraft),
        ("assign", StepAction::Assign),
        ("reassign", StepAction::Reassign),
        ("request_info", StepAction::RequestInfo),
        ("respond_info", StepAction::RespondInfo),
        ("hold", StepAction::Hold),
        ("resume", StepAction::Resume),
        ("request_handover", StepAction::RequestHandover),
        ("add_note", StepAction::AddNote),
        ("acknowledge_sla", StepAction::AcknowledgeSla),
    ];
    for at in situations() {
        let step = at.world.step(at.step);
        for (what, command) in commands(&at) {
            let Some((_, action)) = guarded.iter().find(|(name, _)| *name == what) else {
                continue;
            };
            for ((who, _), answer) in ROLES.iter().zip(answers(&at, &command)) {
                let guard = permission_guard::check_step(at.world.ticket(), &actor(who), *action, step);
                match (&guard, &answer) {
                    // A repeat of one's own decision succeeds without asking; everything else must have asked.
                    (_, Ok(Verdict::AlreadyDone { .. })) => {}
                    (Err(refusal), answer) => {
                        assert_eq!(answer.as_ref().err(), Some(refusal), "{}: {who} {what}", at.title);
                    }
                    // What the guard allows may still lack something (not overdue yet), never the right.
                    (Ok(()), answer) => {
                        assert!(
                            !matches!(answer, Err(Refusal::PermissionDenied(_))),
                            "{}: {who} {what}",
                            at.title
                        );
                    }
                }
            }
        }
    }
}
