//! Random workflow graphs as `proptest` draws and shrinks them.

use crate::engine::testing::graphs::{Block, Graph, Inner, Slip};
use proptest::prelude::*;

/// A random workflow; three of five are left as they were drawn.
pub(super) fn graph() -> impl Strategy<Value = Graph> {
    let slips = prop_oneof![
        3 => Just(Vec::new()),
        2 => prop::collection::vec(slip(), 1..4),
    ];
    (block(), slips).prop_map(|(block, slips)| Graph { block, slips })
}

fn slip() -> impl Strategy<Value = Slip> {
    let any = || 0..1_000_usize;
    prop_oneof![
        3 => (any(), any(), any(), any()).prop_map(|(from, to, event, condition)| Slip::Draw { from, to, event, condition }),
        2 => (any(), any()).prop_map(|(edge, to)| Slip::Bend { edge, to }),
        1 => any().prop_map(|edge| Slip::Drop { edge }),
        2 => (any(), any()).prop_map(|(edge, condition)| Slip::Condition { edge, condition }),
        3 => (any(), any(), any(), any()).prop_map(|(from, pair, one, two)| Slip::Split { from, pair, one, two }),
        1 => any().prop_map(|step| Slip::Terminal { step }),
        1 => (any(), any()).prop_map(|(fork, to)| Slip::Start { fork, to }),
    ]
}

/// Blocks of bounded depth and size.
fn block() -> impl Strategy<Value = Block> {
    let leaf = prop_oneof![
        1 => Just(Block::Form),
        1 => Just(Block::Numbers),
        1 => any::<bool>().prop_map(|agent_form| Block::Rows { agent_form }),
        3 => (0..3_u8).prop_map(Block::Approval),
        2 => (0..5_u8, any::<bool>()).prop_map(|(rule, veto)| Block::Parallel { rule, veto }),
        3 => Just(Block::Task),
        1 => Just(Block::Note),
        1 => prop_oneof![Just(Inner::Plain), Just(Inner::PlainWithAWayOut), Just(Inner::Forked)].prop_map(Block::Embedded),
    ];
    leaf.prop_recursive(3, 14, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Block::Sequence),
            1 => inner.clone().prop_map(|block| Block::Rework(Box::new(block))),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Block::Choice(Box::new(a), Box::new(b))),
            3 => (0..3_u8, 0..3_u8, any::<bool>(), prop::collection::vec(inner, 1..4))
                .prop_map(|(policy, mode, times_out, branches)| Block::Fork { policy, mode, times_out, branches }),
        ]
    })
}
