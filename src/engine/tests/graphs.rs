//! Random workflow graphs of the shapes that the studio can draw: sequences, choices, rework loops, nested forks,
//! embedded workflows.

use crate::engine::testing::{approval, end, fork, form, join, step, task, version_ref};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A piece of a workflow.
#[derive(Debug, Clone)]
pub(super) enum Block {
    Form,
    Approval(u8),
    Parallel {
        rule: u8,
        veto: bool,
    },
    Task,
    Note,
    Sequence(Vec<Block>),
    /// An approval whose rejection leads back to the block before it.
    Rework(Box<Block>),
    /// Two ways on, by a condition with a default.
    Choice(Box<Block>, Box<Block>),
    Fork {
        policy: u8,
        mode: u8,
        branches: Vec<Block>,
    },
    Embedded,
}

/// Blocks of bounded depth and size.
pub(super) fn block() -> impl Strategy<Value = Block> {
    let leaf = prop_oneof![
        1 => Just(Block::Form),
        3 => (0..3_u8).prop_map(Block::Approval),
        2 => (0..5_u8, any::<bool>()).prop_map(|(rule, veto)| Block::Parallel { rule, veto }),
        3 => Just(Block::Task),
        1 => Just(Block::Note),
        1 => Just(Block::Embedded),
    ];
    leaf.prop_recursive(3, 14, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Block::Sequence),
            1 => inner.clone().prop_map(|block| Block::Rework(Box::new(block))),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Block::Choice(Box::new(a), Box::new(b))),
            3 => (0..3_u8, 0..3_u8, prop::collection::vec(inner, 1..4))
                .prop_map(|(policy, mode, branches)| Block::Fork { policy, mode, branches }),
        ]
    })
}

/// A way out of a piece: the step, the event, the condition.
type Exit = (String, &'static str, Option<Value>);

/// Draws blocks as a definition.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    steps: Vec<Value>,
    edges: Vec<Value>,
}

impl Drawing {
    /// The definition of a block with a form before it and an end behind it.
    pub(super) fn of(block: &Block) -> Value {
        let mut drawing = Self::default();
        let start = drawing.add(form("start"));
        let (first, exits) = drawing.draw(block);
        drawing.connect(&[(start.clone(), "SUBMIT_FORM", None)], &first);
        let done = drawing.add(end("done"));
        drawing.connect(&exits, &done);
        json!({"steps": drawing.steps, "transitions": drawing.edges, "start_step_id": start})
    }

    fn add(&mut self, step: Value) -> String {
        let id = step["step_id"].as_str().unwrap().to_owned();
        self.steps.push(step);
        id
    }

    fn next_id(&self, word: &str) -> String {
        format!("{word}{}", self.steps.len())
    }

    fn connect(&mut self, exits: &[Exit], to: &str) {
        for (from, event, condition) in exits {
            let edge = json!({"from_step_id": from, "to_step_id": to, "on_event": event, "condition": condition, "priority": 0});
            self.edges.push(edge);
        }
    }

    /// Adds a block; gives its first step and its ways out.
    fn draw(&mut self, block: &Block) -> (String, Vec<Exit>) {
        match block {
            Block::Form => {
                let id = self.next_id("form");
                let id = self.add(form(&id));
                (id.clone(), vec![(id, "SUBMIT_FORM", None)])
            }
            Block::Approval(who) => {
                let id = self.next_id("ok");
                let id = self.add(approval(&id, ["one", "two", "carl"][usize::from(*who)]));
                (id.clone(), vec![(id, "APPROVE", None)])
            }
            Block::Parallel { rule, veto } => {
                let id = self.next_id("vote");
                let mut all = json!({"parallel_approval": "ALL", "parallel_approvers": ["one@example.com", "two@example.com", "carl@example.com"], "veto": veto});
                match rule {
                    0 => {}
                    1 => all["parallel_approval"] = json!("ANY"),
                    2 => all["parallel_approval"] = json!("MAJORITY"),
                    3 => all["required_approvals"] = json!(2),
                    _ => all["approval_percentage"] = json!(60),
                }
                let id = self.add(step(&id, "APPROVAL_STEP", all));
                (id.clone(), vec![(id, "APPROVE", None)])
            }
            Block::Task => {
                let id = self.next_id("task");
                let id = self.add(task(&id));
                (id.clone(), vec![(id, "COMPLETE_TASK", None)])
            }
            Block::Note => {
                let id = self.next_id("note");
                let id = self.add(step(&id, "NOTIFY_STEP", json!({"recipients": ["requester"]})));
                (id.clone(), vec![(id, "COMPLETE_TASK", None)])
            }
            Block::Embedded => {
                let id = self.next_id("inner");
                let reference = json!({"sub_workflow_id": version_ref("inner").workflow_id, "sub_workflow_version": 1, "sub_workflow_name": "inner"});
                let id = self.add(step(&id, "SUB_WORKFLOW_STEP", reference));
                (id.clone(), vec![(id, "COMPLETE_TASK", None)])
            }
            Block::Sequence(blocks) => {
                let mut drawn = blocks.iter();
                let (first, mut exits) = self.draw(drawn.next().unwrap());
                for block in drawn {
                    let (next, more) = self.draw(block);
                    self.connect(&exits, &next);
                    exits = more;
                }
                (first, exits)
            }
            Block::Rework(block) => {
                let (first, exits) = self.draw(block);
                let id = self.next_id("check");
                let id = self.add(approval(&id, "one"));
                self.connect(&exits, &id);
                self.connect(&[(id.clone(), "REJECT", None)], &first);
                (first, vec![(id, "APPROVE", None)])
            }
            Block::Choice(yes, no) => {
                let id = self.next_id("fork_in_road");
                let id = self.add(task(&id));
                let (first, mut exits) = self.draw(yes);
                let condition = json!({"logic": "AND", "conditions": [{"field": "form_values.start_text", "operator": "EQUALS", "value": "yes"}]});
                self.connect(&[(id.clone(), "COMPLETE_TASK", Some(condition))], &first);
                let (other, more) = self.draw(no);
                self.connect(&[(id.clone(), "COMPLETE_TASK", None)], &other);
                exits.extend(more);
                (id, exits)
            }
            Block::Fork {
                policy,
                mode,
                branches,
            } => {
                let id = self.next_id("split");
                let at = self.steps.len();
                self.steps.push(Value::Null);
                let mut starts = Vec::new();
                let mut exits = Vec::new();
                for branch in branches {
                    let (first, more) = self.draw(branch);
                    starts.push(first);
                    exits.extend(more);
                }
                let policy = ["FAIL_ALL", "CONTINUE_OTHERS", "CANCEL_OTHERS"][usize::from(*policy)];
                let names: Vec<&str> = starts.iter().map(String::as_str).collect();
                self.steps[at] = fork(&id, policy, &names);
                let meet = self.next_id("meet");
                let meet = self.add(join(&meet, &id, ["ALL", "ANY", "MAJORITY"][usize::from(*mode)]));
                self.connect(&exits, &meet);
                (id, vec![(meet, "COMPLETE_TASK", None)])
            }
        }
    }
}

/// The workflow that is embedded.
pub(super) fn inner() -> Value {
    crate::engine::testing::definition(
        vec![task("inner_task"), approval("inner_ok", "two"), end("inner_done")],
        &[
            ("inner_task", "COMPLETE_TASK", "inner_ok"),
            ("inner_ok", "APPROVE", "inner_done"),
        ],
    )
}
