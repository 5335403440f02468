//! Random workflow graphs: the shapes that the studio can draw (sequences, choices, rework loops, nested forks, embedded
//! workflows, due times), and what careless hands make of them (edges drawn, bent, dropped, made conditional).

use crate::domain::id::WorkflowId;
use crate::domain::json::JsonObject;
use crate::domain::ticket::TaskWork;
use crate::engine::definition::validate::{EmbeddedFact, Surroundings};
use crate::engine::testing::{
    approval, definition, end, fork, form, join, object, step, task, version_ref, workflow,
};
use serde_json::{Value, json};

/// A random workflow.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    /// What stands between the form that starts it and its end.
    pub(crate) block: Block,
    /// What was done to the drawing afterwards.
    pub(crate) slips: Vec<Slip>,
}

impl Graph {
    /// The definition.
    pub(crate) fn definition(&self) -> Value {
        let mut definition = Drawing::of(&self.block);
        for slip in &self.slips {
            slip.make(&mut definition);
        }
        definition
    }
}

/// A change that pays no heed to the whole; numbers choose among the steps and edges there are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slip {
    /// One more edge, on an event the step can end with.
    Draw {
        from: usize,
        to: usize,
        event: usize,
        condition: usize,
    },
    /// An edge leads elsewhere.
    Bend { edge: usize, to: usize },
    /// An edge is gone.
    Drop { edge: usize },
    /// An edge gets a condition.
    Condition { edge: usize, condition: usize },
    /// The edges of a step are replaced by two that are meant to leave nothing out.
    Split {
        from: usize,
        pair: usize,
        one: usize,
        two: usize,
    },
    /// A step may be an end, or may no longer be one.
    Terminal { step: usize },
    /// A branch starts elsewhere.
    Start { fork: usize, to: usize },
}

/// Conditions on the fields that random forms have; nobody promises that they hold.
const CONDITIONS: [(&str, &str, &str); 6] = [
    ("start_text", "EQUALS", "yes"),
    ("start_amount", "GREATER_THAN", "10"),
    ("start_kind", "EQUALS", "a"),
    ("start_day", "LESS_THAN", "2026-06-01"),
    ("later_amount", "LESS_THAN_OR_EQUALS", "10"),
    ("rows_amount", "GREATER_THAN", "10"),
];

/// Pairs of conditions that look as if one of the two must hold.
const PAIRS: [[(&str, &str, &str); 2]; 9] = [
    [
        ("start_amount", "GREATER_THAN", "10"),
        ("start_amount", "LESS_THAN_OR_EQUALS", "10"),
    ],
    [
        ("start_amount", "GREATER_THAN", "ten"),
        ("start_amount", "LESS_THAN_OR_EQUALS", "ten"),
    ],
    [
        ("start_day", "LESS_THAN", "2026-06-01"),
        ("start_day", "GREATER_THAN_OR_EQUALS", "2026-06-01"),
    ],
    [
        ("start_day", "LESS_THAN", "10"),
        ("start_day", "GREATER_THAN_OR_EQUALS", "10"),
    ],
    [("start_kind", "EQUALS", "a"), ("start_kind", "EQUALS", "b")],
    [
        ("start_text", "EQUALS", "yes"),
        ("start_text", "NOT_EQUALS", "yes"),
    ],
    [
        ("later_amount", "GREATER_THAN", "10"),
        ("later_amount", "LESS_THAN_OR_EQUALS", "10"),
    ],
    [("later_kind", "EQUALS", "a"), ("later_kind", "IN", "b, c")],
    [
        ("rows_amount", "GREATER_THAN", "10"),
        ("rows_amount", "LESS_THAN_OR_EQUALS", "10"),
    ],
];

fn group((field, operator, value): (&str, &str, &str)) -> Value {
    json!({"logic": "AND", "conditions": [{"field": format!("form_values.{field}"), "operator": operator, "value": value}]})
}

fn edge(from: &str, event: &str, to: &str, condition: &Value) -> Value {
    json!({"from_step_id": from, "to_step_id": to, "on_event": event, "condition": condition, "priority": 0})
}

fn events(kind: &str) -> &'static [&'static str] {
    match kind {
        "FORM_STEP" => &["SUBMIT_FORM", "SKIP_STEP"],
        "APPROVAL_STEP" => &["APPROVE", "REJECT", "SKIP"],
        "TASK_STEP" => &["COMPLETE_TASK", "SKIP_STEP"],
        "SUB_WORKFLOW_STEP" => &["COMPLETE_TASK", "REJECT", "SKIP"],
        _ => &["COMPLETE_TASK"],
    }
}

impl Slip {
    fn make(self, definition: &mut Value) {
        let steps = definition["steps"].as_array().unwrap().clone();
        let id = |index: usize| steps[index % steps.len()]["step_id"].as_str().unwrap().to_owned();
        let events_of = |index: usize| events(steps[index % steps.len()]["step_type"].as_str().unwrap());
        let edges = definition["transitions"].as_array_mut().unwrap();
        if edges.is_empty() {
            return;
        }
        let nth = |edges: &Vec<Value>, index: usize| index % edges.len();
        if edges.is_empty() {
            return;
        }
        match self {
            Self::Draw {
                from,
                to,
                event,
                condition,
            } => {
                let event = events_of(from)[event % events_of(from).len()];
                let condition = CONDITIONS
                    .get(condition % (CONDITIONS.len() + 3))
                    .copied()
                    .map_or(Value::Null, group);
                edges.push(edge(&id(from), event, &id(to), &condition));
            }
            Self::Bend { edge, to } => {
                let at = nth(edges, edge);
                edges[at]["to_step_id"] = json!(id(to));
            }
            Self::Drop { edge } => {
                let at = nth(edges, edge);
                edges.remove(at);
            }
            Self::Condition { edge, condition } => {
                let at = nth(edges, edge);
                edges[at]["condition"] = group(CONDITIONS[condition % CONDITIONS.len()]);
            }
            Self::Split { from, pair, one, two } => {
                let (from, event) = (id(from), events_of(from)[0]);
                let old: Vec<String> = edges
                    .iter()
                    .filter(|edge| edge["from_step_id"] == json!(from) && edge["on_event"] == json!(event))
                    .map(|edge| edge["to_step_id"].as_str().unwrap().to_owned())
                    .collect();
                edges.retain(|edge| edge["from_step_id"] != json!(from) || edge["on_event"] != json!(event));
                // Where it led before, mostly, so that the graph around stays whole.
                let target = |wish: usize| match old.first() {
                    Some(before) if !wish.is_multiple_of(4) => before.clone(),
                    _ => id(wish),
                };
                let [first, second] = PAIRS[pair % PAIRS.len()];
                edges.push(edge(&from, event, &target(one), &group(first)));
                edges.push(edge(&from, event, &target(two), &group(second)));
            }
            Self::Terminal { step } => {
                let at = step % steps.len();
                let was = steps[at]["is_terminal"] == json!(true);
                definition["steps"][at]["is_terminal"] = json!(!was);
            }
            Self::Start { fork, to } => {
                let forks: Vec<usize> = (0..steps.len())
                    .filter(|at| steps[*at]["step_type"] == json!("FORK_STEP"))
                    .collect();
                if let Some(at) = forks.get(fork % forks.len().max(1)) {
                    definition["steps"][*at]["branches"][0]["start_step_id"] = json!(id(to));
                }
            }
        }
    }
}

/// A piece of a workflow.
#[derive(Debug, Clone)]
pub(crate) enum Block {
    Form,
    /// A form with a number and a choice that must be given, and rows.
    Numbers,
    /// The same, and a task that is worked through row by row; its agent fills in a form for each if told so.
    Rows {
        agent_form: bool,
    },
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
        times_out: bool,
        branches: Vec<Block>,
    },
    Embedded(Inner),
}

/// Which workflow is embedded, and whether its rejection leads on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Inner {
    /// A task and an approval.
    Plain,
    /// The same, its rejection leading on to a task behind.
    PlainWithAWayOut,
    /// A fork of its own, whose join needs one branch.
    Forked,
}

/// A way out of a piece: the step, the event, the condition.
type Exit = (String, &'static str, Option<Value>);

/// Draws blocks as a definition.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    steps: Vec<Value>,
    edges: Vec<Value>,
}

impl Drawing {
    /// The definition of a block with a form before it and an end behind it.
    pub(crate) fn of(block: &Block) -> Value {
        let mut drawing = Self::default();
        let start = drawing.add(start());
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
            self.edges.push(edge(from, event, to, &json!(condition)));
        }
    }

    /// Adds a block; gives its first step and its ways out.
    #[expect(clippy::too_many_lines, reason = "one arm per kind of block")]
    fn draw(&mut self, block: &Block) -> (String, Vec<Exit>) {
        match block {
            Block::Form => {
                let id = self.next_id("form");
                let id = self.add(form(&id));
                (id.clone(), vec![(id, "SUBMIT_FORM", None)])
            }
            Block::Numbers => {
                let id = self.next_id("numbers");
                let id = self.add(numbers(&id));
                (id.clone(), vec![(id, "SUBMIT_FORM", None)])
            }
            Block::Rows { agent_form } => {
                let ask = self.next_id("numbers");
                let ask = self.add(numbers(&ask));
                let id = self.next_id("each");
                let mut work = task(&id);
                work["linked_repeating_source"] = json!({"source_step_id": ask, "source_section_id": "rows", "context_field_keys": ["rows_amount"]});
                if *agent_form {
                    work["fields"] = json!([required("done", "TEXT", &json!({}))]);
                }
                let id = self.add(work);
                self.connect(&[(ask.clone(), "SUBMIT_FORM", None)], &id);
                (ask, vec![(id, "COMPLETE_TASK", None)])
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
                let mut work = task(&id);
                match self.steps.len() % 4 {
                    0 => work["sla"] = json!({"due_minutes": 45, "escalations": [{"minutes_after_due": 10}]}),
                    1 => {
                        let told = [
                            "manager",
                            "requester",
                            "assigned_agent",
                            "approvers",
                            "carl@example.com",
                            "eve@elsewhere.example",
                        ];
                        work["sla"] = json!({"due_minutes": 90, "reminders": [{"minutes_before_due": 45, "recipients": told}],
                                             "escalations": [{"minutes_after_due": 5, "recipients": told}]});
                    }
                    2 => work["sla"] = json!({"due_minutes": 200}),
                    _ => {}
                }
                let id = self.add(work);
                (id.clone(), vec![(id, "COMPLETE_TASK", None)])
            }
            Block::Note => {
                let id = self.next_id("note");
                let note = match self.steps.len() % 3 {
                    0 => json!({"recipients": ["requester"]}),
                    1 => {
                        json!({"recipients": ["manager", "approvers", "assigned_agent"], "notification_template": "TICKET_CREATED"})
                    }
                    _ => {
                        json!({"recipients": ["carl@example.com", "nobody"], "notification_template": "NOTE_ADDED"})
                    }
                };
                let id = self.add(step(&id, "NOTIFY_STEP", note));
                (id.clone(), vec![(id, "COMPLETE_TASK", None)])
            }
            Block::Embedded(inner) => {
                let id = self.next_id("inner");
                let name = if matches!(inner, Inner::Forked) {
                    "forked"
                } else {
                    "inner"
                };
                let reference = json!({"sub_workflow_id": version_ref(name).workflow_id, "sub_workflow_version": 1, "sub_workflow_name": name});
                let id = self.add(step(&id, "SUB_WORKFLOW_STEP", reference));
                if !matches!(inner, Inner::PlainWithAWayOut) {
                    return (id.clone(), vec![(id, "COMPLETE_TASK", None)]);
                }
                let mend = self.next_id("mend");
                let mend = self.add(task(&mend));
                self.connect(&[(id.clone(), "REJECT", None)], &mend);
                (
                    id.clone(),
                    vec![(id, "COMPLETE_TASK", None), (mend, "COMPLETE_TASK", None)],
                )
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
                times_out,
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
                let mut meeting = join(&meet, &id, ["ALL", "ANY", "MAJORITY"][usize::from(*mode)]);
                if *times_out {
                    meeting["timeout_minutes"] = json!(90);
                }
                let meet = self.add(meeting);
                self.connect(&exits, &meet);
                (id, vec![(meet, "COMPLETE_TASK", None)])
            }
        }
    }
}

/// A field that must be filled in.
fn required(key: &str, kind: &str, more: &Value) -> Value {
    let mut field =
        json!({"field_key": key, "field_label": key, "field_type": kind, "required": true, "order": 0});
    field
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    field
}

/// The form that raises a ticket.
fn start() -> Value {
    let mut start = form("start");
    let choices = json!({"options": ["a", "b"]});
    let more = [
        required("start_amount", "NUMBER", &json!({})),
        required("start_kind", "SELECT", &choices),
        required("start_day", "DATE", &json!({})),
    ];
    start["fields"].as_array_mut().unwrap().extend(more);
    start
}

/// A later form, with rows.
fn numbers(id: &str) -> Value {
    let choices = json!({"options": ["a", "b", "c"]});
    let fields = [
        required("later_amount", "NUMBER", &json!({})),
        required("later_kind", "SELECT", &choices),
        required("rows_amount", "NUMBER", &json!({"section_id": "rows"})),
    ];
    let section = json!({"section_id": "rows", "section_title": "Rows", "is_repeating": true, "min_rows": 1, "order": 0});
    step(id, "FORM_STEP", json!({"fields": fields, "sections": [section]}))
}

/// The values of the form that raises a ticket, in one of two ways.
pub(crate) fn start_values(one: bool) -> Value {
    if one {
        json!({"start_text": "yes", "start_amount": 50, "start_kind": "a", "start_day": "2026-03-01"})
    } else {
        json!({"start_text": "no", "start_amount": "7", "start_kind": "b", "start_day": "2026-06-01T10:00"})
    }
}

/// Values that every random form accepts; keys of other forms are left out by the engine.
pub(crate) fn answers(one: bool) -> Value {
    let mut answers = start_values(one);
    let amount = if one { 50 } else { 7 };
    let more = json!({"later_amount": amount, "later_kind": if one { "a" } else { "c" }, "amount": amount, "kind": "one", "__section_rows": [{"rows_amount": amount}, {"rows_amount": 1}],
                      "__section_items": [{"item": "Desk"}, {}]});
    answers
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    answers
}

/// What an agent enters who has done every row of a task, or has left one out; nothing for a task without rows.
pub(crate) fn rows_done(task: &TaskWork, all: bool) -> Option<JsonObject> {
    let rows = task.linked.as_ref()?.get("linked_rows")?.as_array()?;
    let done = rows.iter().skip(usize::from(!all));
    let done: Vec<Value> = done
        .map(|row| json!({"__source_row_index": row["__source_row_index"], "done": "yes"}))
        .collect();
    Some(object(json!({"linked_rows": done})))
}

/// The workflow that is embedded.
pub(crate) fn inner() -> Value {
    definition(
        vec![task("inner_task"), approval("inner_ok", "two"), end("inner_done")],
        &[
            ("inner_task", "COMPLETE_TASK", "inner_ok"),
            ("inner_ok", "APPROVE", "inner_done"),
        ],
    )
}

/// An embedded workflow with a fork of its own; whoever is late may still be at work when it has reached its end.
pub(crate) fn forked_inner() -> Value {
    definition(
        vec![
            fork("inner_split", "CONTINUE_OTHERS", &["inner_one", "inner_two"]),
            task("inner_one"),
            approval("inner_two", "two"),
            join("inner_meet", "inner_split", "ANY"),
            end("inner_done"),
        ],
        &[
            ("inner_one", "COMPLETE_TASK", "inner_meet"),
            ("inner_two", "APPROVE", "inner_meet"),
            ("inner_meet", "COMPLETE_TASK", "inner_done"),
        ],
    )
}

/// What the embedded references of random graphs lead to.
pub(crate) fn surroundings() -> Surroundings {
    let mut around = Surroundings::of(WorkflowId::derived("outer"));
    for (name, definition) in [("inner", inner()), ("forked", forked_inner())] {
        let found = EmbeddedFact::Found(workflow(name, definition));
        around.embedded.insert(version_ref(name), found);
    }
    around
}
