//! Random workflow graphs out of a fuzzer's bytes, one byte a choice.

use crate::engine::testing::graphs::{Block, Graph, Inner, Slip};
use arbitrary::{Arbitrary, Result, Unstructured};

/// How deep blocks stand in blocks.
const DEPTH: u8 = 3;

impl<'a> Arbitrary<'a> for Graph {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let block = block(u, DEPTH)?;
        let count = u.int_in_range(0..=4_u8)?;
        // Two of five drawings are left as they are.
        let slips = (1..count).map(|_| slip(u)).collect::<Result<_>>()?;
        Ok(Self { block, slips })
    }
}

fn block(u: &mut Unstructured<'_>, depth: u8) -> Result<Block> {
    let simple = 8;
    let kinds = if depth == 0 { simple } else { simple + 5 };
    Ok(match u.int_in_range(0..=kinds - 1)? {
        0 => Block::Task,
        1 => Block::Form,
        2 => Block::Numbers,
        3 => Block::Approval(u.int_in_range(0..=2)?),
        4 => Block::Parallel {
            rule: u.int_in_range(0..=4)?,
            veto: u.arbitrary()?,
        },
        5 => Block::Note,
        6 => Block::Embedded(*u.choose(&[Inner::Plain, Inner::PlainWithAWayOut, Inner::Forked])?),
        7 => Block::Rows {
            agent_form: u.arbitrary()?,
        },
        8 => Block::Rework(Box::new(block(u, depth - 1)?)),
        9 => Block::Choice(Box::new(block(u, depth - 1)?), Box::new(block(u, depth - 1)?)),
        10 => Block::Sequence(blocks(u, depth - 1)?),
        _ => Block::Fork {
            policy: u.int_in_range(0..=2)?,
            mode: u.int_in_range(0..=2)?,
            times_out: u.arbitrary()?,
            branches: blocks(u, depth - 1)?,
        },
    })
}

fn blocks(u: &mut Unstructured<'_>, depth: u8) -> Result<Vec<Block>> {
    let count = u.int_in_range(1..=3_u8)?;
    (0..count).map(|_| block(u, depth)).collect()
}

fn slip(u: &mut Unstructured<'_>) -> Result<Slip> {
    let kind = u.int_in_range(0..=6_u8)?;
    let mut any = || u.arbitrary().map(|byte: u8| usize::from(byte));
    Ok(match kind {
        0 => Slip::Draw {
            from: any()?,
            to: any()?,
            event: any()?,
            condition: any()?,
        },
        1 => Slip::Bend {
            edge: any()?,
            to: any()?,
        },
        2 => Slip::Drop { edge: any()? },
        3 => Slip::Condition {
            edge: any()?,
            condition: any()?,
        },
        4 => Slip::Split {
            from: any()?,
            pair: any()?,
            one: any()?,
            two: any()?,
        },
        5 => Slip::Terminal { step: any()? },
        _ => Slip::Start {
            fork: any()?,
            to: any()?,
        },
    })
}
