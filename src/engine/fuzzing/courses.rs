//! Lives of tickets to start from: some that are told, in which every kind of command is accepted, and the plain course
//! of each shape and of random workflows.

use super::commands::{KINDS, PEOPLE};
use super::decide::{DRAWN, Life};
use super::taken_over::TakenOver;
use crate::engine::testing::corpus::corpus;
use arbitrary::Unstructured;

/// A command in a life: who, what, in which variant, how much later.
type Told = (&'static str, &'static str, u8, u8);

/// The variant of a command that names `bob`.
const BOB: u8 = 24;
/// The variant of a command that names `carl`.
const CARL: u8 = 16;
/// How much later it is when something is overdue.
const OVERDUE: u8 = 6;

/// Lives by what the names of their shapes contain.
const TOLD: [(&str, &[Told]); 9] = [
    (
        "a task that is due",
        &[
            ("mia", "Assign", BOB, 0),
            ("bob", "SaveDraft", 32, 1),
            ("root", "FireTimers", 0, OVERDUE),
            ("bob", "AcknowledgeSla", 32, 2),
            ("bob", "Hold", 0, 2),
            ("mia", "Resume", 0, 5),
            ("bob", "RequestHandover", CARL, 2),
            ("mia", "DecideHandover", CARL, 2),
            ("carl", "RequestHandover", BOB, 2),
            ("carl", "CancelHandover", 0, 2),
            ("mia", "Reassign", BOB, 2),
            ("bob", "CompleteTask", 33, 3),
        ],
    ),
    (
        "SPECIFIC_EMAIL",
        &[
            ("ann", "AddRequesterNote", 48, 2),
            ("carl", "Approve", 0, 2),
            ("ann", "CreateChangeRequest", 0, 2),
            ("carl", "ApproveChangeRequest", 32, 3),
            ("ann", "CreateChangeRequest", 8, 2),
            ("carl", "RejectChangeRequest", 0, 2),
            ("ann", "CreateChangeRequest", 16, 2),
            ("ann", "CancelChangeRequest", 0, 2),
        ],
    ),
    (
        "a rejection that leads back",
        &[
            ("carl", "Reject", 32, 2),
            ("ann", "SubmitForm", 1, 2),
            ("carl", "Approve", 0, 2),
        ],
    ),
    (
        "a parallel approval of ALL",
        &[
            ("carl", "RequestInfo", 1, 2),
            ("ann", "RespondInfo", 48, 2),
            ("carl", "RequestInfo", 0, 2),
            ("ann", "RespondInfo", 0, 2),
            ("carl", "ReassignApproval", 8, 2),
            ("one", "Approve", 32, 2),
            ("cora", "ApproverSkip", 32, 2),
        ],
    ),
    (
        "a fork with CONTINUE_OTHERS and MAJORITY",
        &[("carl", "Approve", 0, 2), ("cora", "Reject", 0, 2)],
    ),
    (
        "a join that stops waiting",
        &[("carl", "Approve", 0, 2), ("root", "FireTimers", 0, OVERDUE)],
    ),
    (
        "approval then task",
        &[
            ("carl", "Approve", 0, 2),
            ("mia", "AddNote", 48, 2),
            ("ann", "Cancel", 32, 2),
        ],
    ),
    ("form then task", &[("mia", "ManagerSkip", 0, 2)]),
    (
        "a task over the rows of a form",
        &[
            ("ann", "CreateChangeRequest", 4, 2),
            ("mia", "ApproveChangeRequest", 32, 3),
            ("mia", "Assign", BOB, 2),
            ("bob", "CompleteTask", 0, 3),
        ],
    ),
];

/// What people do with a ticket of which nothing is known.
const PLAIN: [Told; 9] = [
    ("mia", "Assign", BOB, 2),
    ("carl", "Approve", 0, 2),
    ("cora", "Approve", 0, 2),
    ("one", "Approve", 0, 2),
    ("ann", "SubmitForm", 2, 2),
    ("bob", "CompleteTask", 2, 2),
    ("mia", "Assign", BOB, 2),
    ("mia", "Approve", 0, 2),
    ("bob", "CompleteTask", 2, 2),
];

/// Random workflows among the seeds.
const GRAPHS: u8 = 40;
/// Bytes that a random workflow may be drawn from.
const GRAPH_BYTES: usize = 48;
/// After how many commands a plain life is taken over, a seed for each.
const TAKEN_OVER_AFTER: [u8; 3] = [0, 0, 2];

/// The told lives, the plain ones, and those on random workflows.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let shapes: Vec<String> = corpus().into_iter().map(|(name, _)| name).collect();
    let mut seeds = Vec::new();
    for (at, (name, told)) in TOLD.into_iter().enumerate() {
        let shape = shapes
            .iter()
            .position(|shape| shape.contains(name))
            .expect("a shape of the corpus");
        seeds.push((format!("told-{at}"), life(on_shape(shape, 0, 0), told)));
    }
    for shape in 0..shapes.len() {
        for (life_of_it, after) in TAKEN_OVER_AFTER.into_iter().enumerate() {
            let taken_over = way(shape + 4 * life_of_it);
            seeds.push((
                format!("shape-{shape}-{life_of_it}"),
                life(on_shape(shape, taken_over, after), &PLAIN),
            ));
        }
    }
    for graph in 0..GRAPHS {
        seeds.extend(on_graph(graph).map(|beginning| (format!("graph-{graph}"), life(beginning, &PLAIN))));
    }
    seeds
}

/// One way after the other in which a ticket is taken over.
fn way(number: usize) -> u8 {
    let often = TakenOver::WAYS
        .iter()
        .filter(|way| **way == TakenOver::Never)
        .count();
    u8::try_from(often + number % (TakenOver::WAYS.len() - often)).unwrap()
}

/// How a life on a shape of the corpus begins: nobody presses all buttons.
fn on_shape(shape: usize, taken_over: u8, after: u8) -> Vec<u8> {
    vec![u8::try_from(shape).unwrap(), 1, 200, taken_over, after]
}

/// How a life on a random workflow begins; nothing when it may not be published.
fn on_graph(graph: u8) -> Option<Vec<u8>> {
    let mut state = u32::from(graph) + 7;
    let mut bytes = vec![DRAWN + graph];
    for _ in 0..GRAPH_BYTES {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend(state.to_be_bytes().first());
    }
    let mut rest = Unstructured::new(&bytes);
    Life::begin(&mut rest).ok()??;
    let begun = bytes.len() - rest.len();
    // The last two say how and when the ticket is taken over.
    bytes.truncate(begun - 2);
    bytes.extend([way(usize::from(graph)), graph % 3]);
    Some(bytes)
}

fn life(mut bytes: Vec<u8>, told: &[Told]) -> Vec<u8> {
    let index = |names: &[&str], name: &str| {
        let found = names.iter().position(|known| *known == name);
        u8::try_from(found.expect("a known name")).unwrap()
    };
    for (who, kind, variant, later) in told {
        bytes.extend([index(&PEOPLE, who), index(&KINDS, kind), 0, *variant, *later]);
    }
    bytes
}
