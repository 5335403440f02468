//! What holds for every graph and every sequence of commands (design 10; style, section 5).
//!
//! `PROPTEST_CASES=200000 cargo test --lib engine::tests::properties` runs longer; a failure prints its seed.

use super::graphs::{Drawing, block, inner};
use crate::domain::id::TicketStepId;
use crate::domain::person::Actor;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{
    ApprovalDecision, AssignmentStatus, HandoverStatus, InfoRequestStatus, JoinProgress, Phase, Ticket,
    TicketStatus,
};
use crate::domain::workflow::StepType;
use crate::engine::definition::validate::{EmbeddedFact, Surroundings, validate};
use crate::engine::testing::{World, complete, named, object, person, version_ref, workflow};
use crate::engine::{Command, Verdict, permission_guard, work_index};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};
use std::cell::Cell;

const PEOPLE: [&str; 9] = ["ann", "mia", "one", "two", "carl", "cora", "bob", "root", "eve"];

/// A random command: who, which step, what.
type Wish = (u8, u8, u8);

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    prop::collection::vec((0..9_u8, any::<u8>(), 0..20_u8), 0..25)
}

/// The command a wish stands for on the ticket as it is.
fn command(ticket: &Ticket, (_, at, what): Wish) -> Command {
    let live: Vec<&TicketStepId> = ticket
        .steps
        .iter()
        .filter(|step| step.is_live())
        .map(|step| &step.id)
        .collect();
    let all: Vec<&TicketStepId> = ticket.steps.iter().map(|step| &step.id).collect();
    let pool = if live.is_empty() || at % 7 == 0 {
        &all
    } else {
        &live
    };
    let step = pool[usize::from(at) % pool.len()].clone();
    let handover = ticket.handovers.last().map(|handover| handover.id.clone());
    let change_request = ticket.change_requests.last().map(|request| request.id.clone());
    let text = || "text".to_owned();
    match what {
        0 | 1 => Command::Approve { step, comment: None },
        2 => Command::Reject {
            step,
            comment: Some(text()),
        },
        3 => Command::ApproverSkip { step, comment: None },
        4 => Command::ManagerSkip { step, reason: text() },
        5 | 6 => Command::Assign {
            step,
            agent: named("bob"),
        },
        7 | 8 => complete(step),
        9 => Command::SubmitForm {
            step,
            form_values: object(json!({})),
            attachment_ids: vec![],
        },
        10 => Command::RequestInfo {
            step,
            question_text: text(),
            target: None,
            subject: None,
            attachment_ids: vec![],
        },
        11 => Command::RespondInfo {
            step,
            response_text: text(),
            attachment_ids: vec![],
        },
        12 => Command::Hold { step, reason: text() },
        13 => Command::Resume { step },
        14 => Command::RequestHandover {
            step,
            reason: text(),
            suggested_agent: None,
        },
        15 => match handover {
            Some(handover) => Command::DecideHandover {
                step,
                handover,
                approved: at % 2 == 0,
                new_agent: Some(named("carl")),
                comment: None,
            },
            None => Command::AddNote {
                step,
                content: text(),
                attachment_ids: vec![],
            },
        },
        16 => Command::CreateChangeRequest {
            proposed_form_values: object(json!({"start_text": format!("v{at}")})),
            proposed_attachment_ids: None,
            reason: text(),
        },
        17 => match change_request {
            Some(change_request) if at % 2 == 0 => Command::ApproveChangeRequest {
                change_request,
                notes: None,
            },
            Some(change_request) => Command::CancelChangeRequest { change_request },
            None => Command::AddRequesterNote {
                content: text(),
                attachment_ids: vec![],
            },
        },
        18 => Command::FireTimers,
        _ if at % 16 == 0 => Command::Cancel { reason: None },
        _ => Command::Reassign {
            step,
            agent: named("carl"),
            reason: None,
        },
    }
}

fn world(definition: &Value, text: &str) -> World {
    let mut world = World::of(workflow("outer", definition.clone()));
    world.embed("inner", inner());
    world.create(json!({"start_text": text}), &["start"]).unwrap();
    world
}

/// What holds after every command.
fn check(world: &World) {
    let ticket = world.ticket();
    for step in ticket.steps.iter().filter(|step| step.phase.is_ended()) {
        assert!(
            ticket.open_question(&step.id).is_none(),
            "an ended step has an open question"
        );
        assert!(
            ticket.active_assignment(&step.id).is_none(),
            "an ended step has an active assignment"
        );
        assert!(
            ticket.pending_handover(&step.id).is_none(),
            "an ended step has a pending handover"
        );
        let pending = ticket
            .approval_tasks_of(&step.id)
            .any(|task| task.decision == ApprovalDecision::Pending);
        assert!(!pending, "an ended step has a pending vote");
        if step.kind == StepType::Approval && step.phase == Phase::Completed {
            let approved = ticket
                .approval_tasks_of(&step.id)
                .any(|task| task.decision == ApprovalDecision::Approved);
            assert!(approved, "an approval was passed that nobody approved");
        }
    }
    for step in &ticket.steps {
        let open = ticket
            .info_requests
            .iter()
            .filter(|i| i.ticket_step_id == step.id && i.status == InfoRequestStatus::Open);
        assert!(open.count() <= 1);
        let active = ticket
            .assignments
            .iter()
            .filter(|a| a.ticket_step_id == step.id && a.status == AssignmentStatus::Active);
        assert!(active.count() <= 1);
        let pending = ticket
            .handovers
            .iter()
            .filter(|h| h.ticket_step_id == step.id && h.status == HandoverStatus::Pending);
        assert!(pending.count() <= 1);
    }
    if ticket.is_live() {
        let waits_for_people = ticket.steps.iter().any(|step| {
            step.is_live() && matches!(step.kind, StepType::Form | StepType::Approval | StepType::Task)
        });
        assert!(
            waits_for_people,
            "nobody can move this ticket: {:?}",
            world.live()
        );
    } else {
        assert!(ticket.steps.iter().all(|step| step.phase.is_ended()));
        assert!(
            ticket.timers.is_empty()
                && ticket.pending_change_request().is_none()
                && ticket.pending_end.is_none()
        );
        assert!(
            ticket
                .forks
                .iter()
                .all(|fork| fork.progress != JoinProgress::Waiting)
        );
        assert!(ticket.completed_at.is_some());
    }
    let index = work_index::derive(ticket, &world.definitions);
    assert_eq!(index.rows.is_empty(), index.queues.is_empty());
}

/// Lets the right people do the next thing until the ticket ends; it must end.
pub(super) fn finish(world: &mut World) {
    for _ in 0..400 {
        if !world.ticket().is_live() {
            return;
        }
        let mut moved = false;
        for command in ways_on(world.ticket()) {
            for who in PEOPLE {
                if let Ok(Verdict::Applied(_)) = world.play(who, command.clone()) {
                    check(world);
                    moved = true;
                    break;
                }
            }
            if moved {
                break;
            }
        }
        assert!(
            moved,
            "nobody can bring this ticket on: {:?} {:?}",
            world.live(),
            world.ticket().status
        );
    }
    panic!("this ticket does not end: {:?}", world.live());
}

/// Commands that bring a ticket on, the helpful ones first.
fn ways_on(ticket: &Ticket) -> Vec<Command> {
    let mut ways = Vec::new();
    if let Some(request) = ticket.pending_change_request() {
        ways.push(Command::RejectChangeRequest {
            change_request: request.id.clone(),
            notes: None,
        });
    }
    for step in ticket.steps.iter().filter(|step| step.is_live()) {
        let id = step.id.clone();
        if step.is_held() {
            ways.push(Command::Resume { step: id.clone() });
        }
        if ticket.open_question(&id).is_some() {
            ways.push(Command::RespondInfo {
                step: id.clone(),
                response_text: "answer".into(),
                attachment_ids: vec![],
            });
        }
        match step.kind {
            StepType::Form => ways.push(Command::SubmitForm {
                step: id,
                form_values: object(json!({})),
                attachment_ids: vec![],
            }),
            StepType::Approval => ways.push(Command::Approve {
                step: id,
                comment: None,
            }),
            StepType::Task => {
                ways.push(Command::Assign {
                    step: id.clone(),
                    agent: named("bob"),
                });
                ways.push(complete(id));
            }
            StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => {}
        }
    }
    ways
}

fn run(definition: &Value, text: &str, wishes: &[Wish]) {
    let mut world = world(definition, text);
    check(&world);
    let mut ended: Option<(TicketStatus, Ticket)> = None;
    for wish in wishes {
        world.wait_minutes(i64::from(wish.1 % 5) * 30);
        let before = world.ticket().clone();
        let who = PEOPLE[usize::from(wish.0)];
        let command = command(&before, *wish);
        match world.play(who, command) {
            Ok(Verdict::Applied(decision)) => {
                assert_eq!(decision.ticket.version, before.version + 1);
                assert!(ended.is_none(), "an ended ticket changed");
            }
            Ok(Verdict::AlreadyDone { .. }) | Err(_) => assert_eq!(*world.ticket(), before),
        }
        check(&world);
        if !world.ticket().is_live() {
            ended.get_or_insert_with(|| (world.ticket().status, world.ticket().clone()));
        }
    }
    if let Some((status, ticket)) = ended {
        assert_eq!(world.ticket().status, status);
        assert_eq!(*world.ticket(), ticket);
    }
    let recorded: Vec<_> = world
        .history
        .iter()
        .map(|played| bson::serialize_to_bson(&played.sheet).unwrap())
        .collect();
    for (played, stored) in world.history.iter_mut().zip(recorded) {
        played.sheet = bson::deserialize_from_bson(stored).unwrap();
    }
    assert_eq!(
        world.replayed(),
        *world.ticket(),
        "the fold of the recorded commands differs"
    );
    finish(&mut world);
}

fn surroundings() -> Surroundings {
    let mut around = Surroundings::of(crate::domain::id::WorkflowId::derived("outer"));
    around.embedded.insert(
        version_ref("inner"),
        EmbeddedFact::Found(workflow("inner", inner())),
    );
    around
}

fn config() -> Config {
    let cases = Config::default().cases.max(10_000);
    Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    }
}

thread_local! {
    static DRAWN: Cell<u32> = const { Cell::new(0) };
    static ACCEPTED: Cell<u32> = const { Cell::new(0) };
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_accepted_graph_strands_a_ticket_whatever_people_do(block in block(), yes in any::<bool>(), wishes in wishes()) {
        let definition = Drawing::of(&block);
        let report = validate(&crate::domain::workflow::Definition(object(definition.clone())), &surroundings());
        DRAWN.set(DRAWN.get() + 1);
        if report.is_valid() {
            ACCEPTED.set(ACCEPTED.get() + 1);
            run(&definition, if yes { "yes" } else { "no" }, &wishes);
        }
        if DRAWN.get().is_multiple_of(1_000) {
            prop_assert!(ACCEPTED.get() * 2 >= DRAWN.get(), "only {} of {} graphs are accepted: {:?}", ACCEPTED.get(), DRAWN.get(), report.errors);
        }
    }
}

#[test]
fn what_is_offered_is_accepted_and_an_outsider_is_offered_nothing() {
    let flow = crate::engine::testing::definition(
        vec![
            crate::engine::testing::form("start"),
            crate::engine::testing::approval("ok", "carl"),
            crate::engine::testing::task("work"),
            crate::engine::testing::end("done"),
        ],
        &[
            ("start", "SUBMIT_FORM", "ok"),
            ("ok", "APPROVE", "work"),
            ("work", "COMPLETE_TASK", "done"),
        ],
    );
    let mut world = World::raised(flow);
    for _ in 0..4 {
        let ticket = world.ticket().clone();
        for who in PEOPLE {
            let actor = Actor::plain(person(who));
            for step in &ticket.steps {
                let offered = permission_guard::available_actions(&ticket, &actor, step);
                if who == "eve" {
                    assert!(offered.is_empty());
                }
                for (action, name) in permission_guard::OFFERED {
                    let accepted = permission_guard::check_step(&ticket, &actor, action, step);
                    assert_eq!(accepted.is_ok(), offered.contains(&name));
                    if who == "eve" {
                        assert!(matches!(accepted, Err(Refusal::PermissionDenied(_))));
                    }
                }
            }
        }
        let next = ways_on(&ticket);
        let moved = next.into_iter().any(|command| {
            PEOPLE
                .into_iter()
                .any(|who| matches!(world.play(who, command.clone()), Ok(Verdict::Applied(_))))
        });
        assert!(moved);
    }
}
