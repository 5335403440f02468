//! The life of one ticket: a workflow that may be published, then commands of anybody at any time. What the property
//! tests hold the engine to (`engine/tests/properties.rs`) is held here for whatever the fuzzer finds.

use super::commands::Wish;
use crate::domain::import::ImportedTicket;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, Phase, Step, Ticket, TimerKind};
use crate::domain::workflow::{Definition, StepType};
use crate::engine::definition::CompiledWorkflow;
use crate::engine::definition::validate::validate;
use crate::engine::testing::corpus::corpus;
use crate::engine::testing::graphs::{Graph, answers, forked_inner, inner, start_values, surroundings};
use crate::engine::testing::invariants::{bring_on, check, check_replay, finish};
use crate::engine::testing::offers::check_offers;
use crate::engine::testing::{World, object, workflow};
use crate::engine::{Command, Verdict, work_index};
use arbitrary::{Arbitrary, Result, Unstructured};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// Longest life, in commands.
const LONGEST: usize = 60;
/// First bytes below this take a workflow of the corpus; the others draw one.
pub(super) const DRAWN: u8 = 150;

static CORPUS: LazyLock<Vec<Arc<CompiledWorkflow>>> = LazyLock::new(|| {
    let shapes = corpus().into_iter();
    shapes.map(|(_, shape)| workflow("flow", shape)).collect()
});

/// A ticket and what may be expected of it.
#[derive(Debug)]
pub(super) struct Life {
    world: World,
    /// Whether people can always bring it to its end; otherwise a careless edge may lead them in a circle for ever.
    ends: bool,
    /// After how many commands every button is pressed; it takes its time.
    looked_at: u8,
    /// How the ticket is taken over from another service on the way.
    taken_over: TakenOver,
}

/// How a ticket comes over from another service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TakenOver {
    Never,
    AsItIs,
    WithVotesThatHaveDecided,
    WithVotesThatHaveRefused,
    WithoutVotes,
    WithAStepThatLedNowhere,
}

pub(super) fn try_out(data: &[u8]) -> Vec<String> {
    let mut bytes = Unstructured::new(data);
    let mut came_to = Vec::new();
    match Life::begin(&mut bytes) {
        Ok(Some(mut life)) => {
            came_to.push("Create accepted".to_owned());
            let _ = life.go_on(&mut bytes, &mut came_to);
            life.end();
        }
        Ok(None) => came_to.push("workflow refused".to_owned()),
        Err(_) => {}
    }
    came_to
}

impl Life {
    /// Raises a ticket; nothing when the workflow may not be published.
    pub(super) fn begin(bytes: &mut Unstructured<'_>) -> Result<Option<Self>> {
        let chosen: u8 = bytes.arbitrary()?;
        let (mut world, ends, filled_in) = if chosen < DRAWN {
            let shape = &CORPUS[usize::from(chosen) % CORPUS.len()];
            (World::of(Arc::clone(shape)), true, answers(true))
        } else {
            let graph = Graph::arbitrary(bytes)?;
            let definition = graph.definition();
            let report = validate(&Definition(object(definition.clone())), &surroundings());
            if !report.is_valid() {
                assert!(
                    !graph.slips.is_empty(),
                    "what was drawn with care is refused: {:?}",
                    report.errors
                );
                return Ok(None);
            }
            let own = workflow("outer", definition);
            (
                World::of(own),
                graph.slips.is_empty(),
                start_values(bytes.arbitrary()?),
            )
        };
        world.embed("inner", inner());
        world.embed("forked", forked_inner());
        // Some shapes of the corpus cannot do without the requester's manager.
        if bytes.ratio(1_u8, 8)? && chosen >= DRAWN {
            world.manager = None;
        }
        let looked_at = bytes.int_in_range(0..=200)?;
        let taken_over = *bytes.choose(&[
            TakenOver::Never,
            TakenOver::Never,
            TakenOver::Never,
            TakenOver::AsItIs,
            TakenOver::WithVotesThatHaveDecided,
            TakenOver::WithVotesThatHaveRefused,
            TakenOver::WithoutVotes,
            TakenOver::WithAStepThatLedNowhere,
        ])?;
        raise(&mut world, filled_in).expect("a ticket of a workflow that may be published can be raised");
        check(&world);
        Ok(Some(Self {
            world,
            ends,
            looked_at,
            taken_over,
        }))
    }

    /// Lets people give commands until the bytes end.
    fn go_on(&mut self, bytes: &mut Unstructured<'_>, came_to: &mut Vec<String>) -> Result<()> {
        for count in 0..LONGEST {
            if bytes.is_empty() {
                break;
            }
            if count == usize::from(self.looked_at) {
                check_offers(&self.world);
            }
            if count == LONGEST / 8 && self.taken_over != TakenOver::Never && !self.take_over(came_to) {
                break;
            }
            if let Some(kind) = self.command(wish(bytes)?) {
                came_to.push(format!("{kind} accepted"));
            }
        }
        Ok(())
    }

    /// Gives one command; the kind of one that took effect.
    fn command(&mut self, wish: Wish) -> Option<&'static str> {
        let world = &mut self.world;
        world.wait_minutes(wish.minutes());
        let before = world.ticket().clone();
        let command = wish.command(&before);
        // A reminder that comes due when its step is overdue already is only put away.
        let may_be_silent = matches!(command, Command::SaveDraft { .. } | Command::FireTimers);
        let accepted = match world.play(wish.who(), command) {
            Ok(Verdict::Applied(decision)) => {
                assert!(before.is_live(), "an ended ticket changed");
                assert_ne!(wish.kind(), "TakeUp", "the ticket stood still");
                assert_eq!(decision.ticket.version, before.version + 1);
                assert_eq!(decision.ticket.id, before.id);
                assert!(
                    may_be_silent || !decision.events.is_empty(),
                    "nothing tells of it"
                );
                Some(wish.kind())
            }
            Ok(Verdict::AlreadyDone { .. }) | Err(_) => {
                assert_eq!(*world.ticket(), before);
                None
            }
        };
        check(world);
        accepted
    }

    /// Takes the ticket over as another service may have left it, and brings it on; whether that was possible.
    fn take_over(&mut self, came_to: &mut Vec<String>) -> bool {
        let mut ticket = self.world.ticket().clone();
        if !self.taken_over.leave(&mut ticket) {
            return true;
        }
        self.world.ticket = None;
        self.world.history.clear();
        let imported = ImportedTicket {
            ticket,
            repairs: vec![],
        };
        self.world.must("root", Command::Import(Box::new(imported)));
        came_to.push("Import accepted".to_owned());
        match self.world.play("root", Command::TakeUp) {
            Ok(Verdict::Applied(_)) => came_to.push("TakeUp accepted".to_owned()),
            Ok(Verdict::AlreadyDone { .. }) => {}
            Err(_) => {
                came_to.push("TakeUp refused".to_owned());
                self.ends = false;
                return false;
            }
        }
        check(&self.world);
        true
    }

    /// What holds at the end: the ticket and its index come back from the database as they are, its commands lead to it
    /// again, and people can bring it on.
    fn end(mut self) {
        let world = &mut self.world;
        let bytes = bson::serialize_to_vec(world.ticket()).unwrap();
        let back: Ticket = bson::deserialize_from_slice(&bytes).unwrap();
        assert_eq!(back, *world.ticket(), "the stored ticket differs");
        let index = |ticket: &Ticket| work_index::derive(ticket, &world.definitions);
        assert_eq!(index(&back), index(world.ticket()), "the work index differs");
        check_replay(world);
        if self.ends {
            finish(world);
        } else if world.ticket().is_live() && self.taken_over == TakenOver::Never {
            bring_on(world);
        }
    }
}

impl TakenOver {
    /// Leaves the ticket as the other service would; whether there is anything to leave like that.
    fn leave(self, ticket: &mut Ticket) -> bool {
        let decided = match self {
            Self::Never => return false,
            Self::AsItIs => return true,
            Self::WithVotesThatHaveDecided => Some(ApprovalDecision::Approved),
            Self::WithVotesThatHaveRefused => Some(ApprovalDecision::Rejected),
            Self::WithoutVotes => None,
            Self::WithAStepThatLedNowhere => return stop_behind_a_task(ticket),
        };
        let mut steps = ticket.steps.iter();
        let asked = |step: &&Step| step.kind == StepType::Approval && step.is_live();
        let Some(step) = steps.find(asked).map(|step| step.id.clone()) else {
            return false;
        };
        match decided {
            None => ticket.approval_tasks.retain(|task| task.ticket_step_id != step),
            Some(decision) => {
                let at = ticket.updated_at;
                let mut votes = ticket.approval_tasks.iter_mut();
                while let Some(vote) = votes.find(|vote| vote.ticket_step_id == step) {
                    vote.decision = decision;
                    vote.decided_at = Some(at);
                }
            }
        }
        true
    }
}

/// Ends a task to which nothing belongs, without going on behind it.
fn stop_behind_a_task(ticket: &mut Ticket) -> bool {
    let at = ticket.updated_at;
    let is_bare = |step: &Step| {
        let is_pending =
            ticket.pending_handover(&step.id).is_some() || ticket.open_question(&step.id).is_some();
        step.kind == StepType::Task
            && step.is_live()
            && step.assignee.is_none()
            && step.paused_at.is_none()
            && !is_pending
    };
    let Some(found) = ticket.steps.iter().position(is_bare) else {
        return false;
    };
    let step = &mut ticket.steps[found];
    step.phase = Phase::Completed;
    step.completed_at = Some(at);
    let id = step.id.clone();
    let belongs = |kind: &TimerKind| match kind {
        TimerKind::SlaReminder { step, .. } | TimerKind::SlaEscalation { step, .. } => *step == id,
        TimerKind::JoinTimeout { .. } => false,
    };
    ticket.timers.retain(|timer| !belongs(&timer.kind));
    true
}

/// Raises a ticket as `ann`, through the wizard when its first form takes these values, else by the plain path.
fn raise(world: &mut World, filled_in: Value) -> std::result::Result<(), Refusal> {
    let start = world.definitions.own.start.clone();
    world
        .create(filled_in, &[start.as_str()])
        .or_else(|_| world.create(json!({}), &[]))
}

/// The next five bytes; zeros when they end.
fn wish(bytes: &mut Unstructured<'_>) -> Result<Wish> {
    let [who, what, at, variant, later] = bytes.arbitrary()?;
    Ok(Wish {
        who,
        what,
        at,
        variant,
        later,
    })
}
