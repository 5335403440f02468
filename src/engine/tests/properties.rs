//! What holds for every graph and every sequence of commands (design 10; style, section 5).
//!
//! 10 000 cases here; `scripts/prove engine` runs many times that in release, with seeds that it prints and can be given.

use super::graphs::{Graph, forked_inner, inner, start_values, surroundings};
use super::invariants::{PEOPLE, bring_on, check, check_replay, finish, submit};
use super::random_graphs::graph;
use crate::domain::id::TicketStepId;
use crate::domain::ticket::{Ticket, TicketStatus};
use crate::domain::workflow::Definition;
use crate::engine::definition::validate::validate;
use crate::engine::testing::offers::check_offers;
use crate::engine::testing::{World, complete, named, object, person, workflow};
use crate::engine::{Command, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};
use std::cell::Cell;

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
        9 => submit(step, at % 2 == 0),
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

fn world(definition: Value, one: bool, has_manager: bool) -> World {
    let mut world = World::of(workflow("outer", definition));
    world.embed("inner", inner());
    world.embed("forked", forked_inner());
    world.manager = has_manager.then(|| person("mia"));
    world.create(start_values(one), &["start"]).unwrap();
    world
}

/// What a case is made of, besides the graph.
#[derive(Debug, Clone)]
struct Life {
    /// How the first form is filled in.
    one: bool,
    has_manager: bool,
    wishes: Vec<Wish>,
    /// The command after which every button is pressed.
    looked_at: usize,
}

fn life() -> impl Strategy<Value = Life> {
    // Most requesters have a manager, and every button is pressed in every fourth case: it takes its time.
    (any::<bool>(), 0..8_u8, wishes(), 0..100_usize).prop_map(|(one, managed, wishes, looked_at)| Life {
        one,
        has_manager: managed > 0,
        wishes,
        looked_at,
    })
}

fn run(graph: &Graph, definition: Value, life: &Life) {
    let mut world = world(definition, life.one, life.has_manager);
    check(&world);
    let mut ended: Option<(TicketStatus, Ticket)> = None;
    for (count, wish) in life.wishes.iter().enumerate() {
        if count == life.looked_at {
            check_offers(&world);
        }
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
    check_replay(&mut world);
    if graph.slips.is_empty() {
        finish(&mut world);
    } else {
        // A careless edge may lead people in a circle for ever; somebody can always act.
        for _ in 0..60 {
            if world.ticket().is_live() {
                bring_on(&mut world);
            }
        }
    }
}

/// Says something to whoever looks at the output of a test.
#[expect(clippy::print_stderr, reason = "a random test prints its seed")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// At least 10 000 cases; `PROPTEST_CASES` asks for more and `PROPTEST_RNG_SEED` for the cases of an earlier run.
fn config() -> Config {
    let default = Config::default();
    let seed = match default.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => rand::random(),
    };
    let cases = default.cases.max(10_000);
    say(&format!("{cases} cases of PROPTEST_RNG_SEED={seed}"));
    Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..default
    }
}

thread_local! {
    static DRAWN: Cell<u32> = const { Cell::new(0) };
    static ACCEPTED: Cell<u32> = const { Cell::new(0) };
    static SLIPPED: Cell<u32> = const { Cell::new(0) };
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_accepted_graph_strands_a_ticket_whatever_people_do(graph in graph(), life in life()) {
        let definition = graph.definition();
        let report = validate(&Definition(object(definition.clone())), &surroundings());
        DRAWN.set(DRAWN.get() + 1);
        prop_assert!(report.is_valid() || !graph.slips.is_empty(), "what was drawn with care is refused: {:?}", report.errors);
        if report.is_valid() {
            ACCEPTED.set(ACCEPTED.get() + 1);
            SLIPPED.set(SLIPPED.get() + u32::from(!graph.slips.is_empty()));
            run(&graph, definition, &life);
        }
        if DRAWN.get() == 10_000 {
            say(&format!("of {} graphs {} are accepted, {} of them drawn carelessly", DRAWN.get(), ACCEPTED.get(), SLIPPED.get()));
            prop_assert!(ACCEPTED.get() * 2 >= DRAWN.get(), "only {} of {} graphs are accepted", ACCEPTED.get(), DRAWN.get());
            prop_assert!(SLIPPED.get() >= 300, "only {} careless graphs are accepted", SLIPPED.get());
        }
    }
}
