//! The life of one ticket: a workflow that may be published, then commands of anybody at any time. What the property
//! tests hold the engine to (`engine/tests/properties.rs`) is held here for whatever the fuzzer finds.

use super::commands::Wish;
use super::taken_over::TakenOver;
use crate::domain::audit::AuditEventType;
use crate::domain::import::ImportedTicket;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{FieldChange, FormData, Ticket};
use crate::domain::workflow::Definition;
use crate::engine::change_diff;
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
/// After how many commands a ticket is taken over at the latest.
const LATEST_TAKEN_OVER: u8 = 12;
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
    /// How the ticket is taken over from another service on the way, and after how many commands.
    taken_over: TakenOver,
    taken_over_after: u8,
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
        let taken_over = *bytes.choose(&TakenOver::WAYS)?;
        let taken_over_after = bytes.int_in_range(0..=LATEST_TAKEN_OVER)?;
        raise(&mut world, filled_in).expect("a ticket of a workflow that may be published can be raised");
        check(&world);
        Ok(Some(Self {
            world,
            ends,
            looked_at,
            taken_over,
            taken_over_after,
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
            if count == usize::from(self.taken_over_after) && !self.take_over(came_to) {
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
                check_differences(&before, world);
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
        if !self.taken_over.leave(&mut ticket, &self.world.definitions) {
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
            Ok(Verdict::Applied(decision)) => {
                came_to.push("TakeUp accepted".to_owned());
                let repairs = decision.events.iter();
                let repairs = repairs.filter(|event| event.event_type == AuditEventType::ImportRepair);
                let rules = repairs.filter_map(|event| event.details.get("rule")?.as_str());
                came_to.extend(rules.map(|rule| format!("TakeUp by {rule}")));
            }
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

/// What is told to differ between the form data before and after a command is what an accepted change request proposed,
/// the other way round it is the same the other way round, and nothing differs from itself.
fn check_differences(before: &Ticket, world: &World) {
    let data = |ticket: &Ticket| FormData {
        form_values: ticket.form_values.clone(),
        attachment_ids: ticket.attachment_ids.clone(),
    };
    let ticket = world.ticket();
    let (older, newer) = (data(before), data(ticket));
    let between =
        |one: &FormData, other: &FormData| change_diff::between(ticket, &world.definitions, one, other);
    let there = between(&older, &newer);
    let back = between(&newer, &older);
    let nothing = between(&newer, &newer);
    assert!(nothing.field_changes.is_empty() && nothing.attachment_changes.is_empty());
    let mirrored = back.field_changes.into_iter().map(|change| FieldChange {
        old_value: change.new_value,
        new_value: change.old_value,
        ..change
    });
    assert_eq!(there.field_changes, mirrored.collect::<Vec<_>>());
    assert_eq!(there.attachment_changes.len(), back.attachment_changes.len());
    if ticket.form_version > before.form_version {
        let accepted = ticket.change_requests.iter();
        let accepted = accepted.filter(|request| request.to_version == Some(ticket.form_version));
        for request in accepted {
            // A field of a form that was not filled in yet may have the name of one that was.
            assert!(
                request
                    .field_changes
                    .iter()
                    .all(|change| there.field_changes.contains(change))
            );
            assert_eq!(request.attachment_changes, there.attachment_changes);
        }
    }
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
