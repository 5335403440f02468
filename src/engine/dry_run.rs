//! Plays a definition from start to end on imaginary tickets, for every branch: each condition true and false, each
//! approval given and refused. It decides with the engine itself, so what passes here moves in practice.
//!
//! Forms are filled in without their rules (those are checked by `definition::validate`); directory and tables answer.

use super::command::{CreateTicket, NamedPerson};
use super::condition_evaluator;
use super::definition::validate::{EmbeddedFact, Finding, Surroundings, compile_draft};
use super::definition::{ApproverSource, CompiledWorkflow, Condition, ConditionGroup, StepKind};
use super::facts::{
    Definitions, FactSheet, Facts, LookupFact, LookupUser, ManagerFact, Need, PersonFact, Policy,
};
use super::{Command, Undecided, Verdict, decide};
use crate::domain::id::{StepKey, TicketId, TicketStepId};
use crate::domain::json::JsonObject;
use crate::domain::person::{Actor, AdminRole, Email, Person};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, Step, Ticket};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Definition, StepType, TransitionEvent};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most sets of values tried.
const MOST_SCENARIOS: usize = 64;
/// Most commands of one run; a cycle through people ends because the values change on the way.
const MOST_MOVES: usize = 400;
/// After so many moves the values change every so many more: people do not answer the same for ever.
const PATIENCE: usize = 40;
/// Most commands of all runs together; what is left then stays untried.
const MOST_WORK: usize = 6_000;

/// What became of the imaginary tickets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    /// Where one of them could not go on; the kind is `DRY_RUN_STUCK`.
    pub stuck: Vec<Finding>,
    /// How many were played.
    pub runs: usize,
    /// The steps that were entered.
    pub entered: BTreeSet<StepKey>,
}

/// Whether approvals by the requester's manager find one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Managers {
    /// Every requester has one.
    Known,
    /// First they have, then they have none.
    KnownAndUnknown,
}

/// Plays `definition`; it should have passed `validate` before.
pub fn dry_run(definition: &Definition, around: &Surroundings, managers: Managers) -> DryRun {
    let definitions = definitions(definition, around);
    let scenarios = scenarios(&definitions.own);
    let mut outcome = DryRun::default();
    let mut work = 0;
    let with_manager: &[bool] = match managers {
        Managers::Known => &[true],
        Managers::KnownAndUnknown => &[true, false],
    };
    for has_manager in with_manager {
        for first in 0..scenarios.len() {
            for refused in refusals(&definitions.own) {
                if work >= MOST_WORK || outcome.stuck.len() >= 5 {
                    return outcome;
                }
                let mut run = Run::new(&definitions, &scenarios, first, refused, *has_manager);
                let end = run.play();
                work += run.moves + 1;
                outcome.runs += 1;
                if let Some(ticket) = &run.ticket {
                    outcome
                        .entered
                        .extend(ticket.steps.iter().map(|step| step.key.clone()));
                }
                if let Err(finding) = end
                    && !outcome.stuck.iter().any(|known| known.path == finding.path)
                {
                    outcome.stuck.push(*finding);
                }
            }
        }
    }
    outcome
}

/// The definition and its embedded ones, compiled without the rules of their forms.
fn definitions(definition: &Definition, around: &Surroundings) -> Definitions {
    let own = compile_draft(&relaxed(definition), &around.workflow_id);
    let embedded = around.embedded.iter().map(|(version, fact)| {
        let compiled = if let EmbeddedFact::Found(found) = fact {
            let mut inner = compile_draft(&relaxed(&found.definition), &version.workflow_id);
            inner.version_number = version.version_number;
            Some(Arc::new(inner))
        } else {
            None
        };
        (version.clone(), compiled)
    });
    Definitions {
        own: Arc::new(own),
        embedded: embedded.collect(),
    }
}

fn relaxed(definition: &Definition) -> Definition {
    let mut relaxed = definition.clone();
    let steps = relaxed.0.0.get_mut("steps").and_then(Value::as_array_mut);
    for step in steps.into_iter().flatten().filter_map(Value::as_object_mut) {
        step.insert("execution_notes_required".to_owned(), Value::Bool(false));
        step.remove("linked_repeating_source");
        for list in ["fields", "output_fields", "sections"] {
            let items = step.get_mut(list).and_then(Value::as_array_mut);
            for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
                for rule in ["required", "validation", "conditional_requirements", "min_rows"] {
                    item.remove(rule);
                }
            }
        }
    }
    relaxed
}

/// The approvals that are refused in one run each, the first time they are asked; in the first run none is.
fn refusals(workflow: &CompiledWorkflow) -> Vec<Option<StepKey>> {
    let drawn = workflow
        .steps
        .keys()
        .filter(|key| !workflow.edges_on(key, TransitionEvent::Reject).is_empty());
    std::iter::once(None).chain(drawn.cloned().map(Some)).collect()
}

/// Values of forms that make every condition of the workflow true and false.
fn scenarios(workflow: &CompiledWorkflow) -> Vec<Map<String, Value>> {
    let mut all = vec![Map::new()];
    let edges = workflow.edges.values().flatten();
    let groups: Vec<&ConditionGroup> = edges.filter_map(|edge| edge.condition.as_ref()).collect();
    let rules = workflow.steps.values().flat_map(|step| match &step.kind {
        StepKind::Approval(approval) => match &approval.approvers {
            ApproverSource::Conditional { rules, .. } => rules.as_slice(),
            ApproverSource::Parallel { .. }
            | ApproverSource::RequesterManager
            | ApproverSource::Specific(_)
            | ApproverSource::Spoc
            | ApproverSource::StepAssignee(_)
            | ApproverSource::Lookup { .. }
            | ApproverSource::Incomplete(_) => &[],
        },
        StepKind::Form(_)
        | StepKind::Task(_)
        | StepKind::Notify(_)
        | StepKind::Fork(_)
        | StepKind::Join(_)
        | StepKind::SubWorkflow(_) => &[],
    });
    let single: Vec<&Condition> = rules.map(|rule| &rule.condition).collect();
    let mut add = |values: Map<String, Value>| {
        if all.len() < MOST_SCENARIOS && !all.contains(&values) {
            all.push(values);
        }
    };
    // Each group as a whole, alone and on top of what the groups before it want.
    let mut together = Map::new();
    for group in &groups {
        let mut alone = Map::new();
        for condition in &group.conditions {
            set(&mut alone, condition, true);
            set(&mut together, condition, true);
        }
        add(alone);
        add(together.clone());
    }
    for condition in groups.iter().flat_map(|group| &group.conditions).chain(single) {
        for wanted in [true, false] {
            let mut values = Map::new();
            set(&mut values, condition, wanted);
            add(values);
        }
    }
    all
}

/// Gives the field of a condition a value for which it is `wanted`.
fn set(values: &mut Map<String, Value>, condition: &Condition, wanted: bool) {
    let path = condition
        .field
        .strip_prefix("ticket.")
        .unwrap_or(&condition.field);
    let Some(key) = path.strip_prefix("form_values.").filter(|key| !key.contains('.')) else {
        return;
    };
    let fits = witnesses(&condition.value).into_iter().find(|value| {
        condition_evaluator::compare(Some(value), condition.operator, &condition.value) == wanted
    });
    if let Some(value) = fits {
        values.insert(key.to_owned(), value);
    }
}

/// Values around an operand, one of which makes almost any comparison true and one false.
fn witnesses(operand: &Value) -> Vec<Value> {
    let mut found = vec![
        operand.clone(),
        Value::Null,
        json!("another"),
        json!(""),
        json!([operand]),
    ];
    let number = operand
        .as_f64()
        .or_else(|| operand.as_str().and_then(|text| text.trim().parse().ok()));
    if let Some(number) = number {
        found.extend([json!(number + 1.0), json!(number - 1.0)]);
    }
    if let Some(text) = operand.as_str() {
        found.extend(text.split(',').map(|part| json!(part.trim())));
        found.extend([json!("1000-01-01"), json!("9000-01-01")]);
    }
    if let Some(items) = operand.as_array() {
        found.extend(items.iter().cloned());
    }
    found.extend([json!(true), json!(false), json!(0)]);
    found
}

/// One imaginary ticket.
struct Run<'a> {
    definitions: &'a Definitions,
    scenarios: &'a [Map<String, Value>],
    first: usize,
    refused: Option<StepKey>,
    has_manager: bool,
    ticket: Option<Ticket>,
    moves: usize,
}

impl<'a> Run<'a> {
    fn new(
        definitions: &'a Definitions,
        scenarios: &'a [Map<String, Value>],
        first: usize,
        refused: Option<StepKey>,
        has_manager: bool,
    ) -> Self {
        Self {
            definitions,
            scenarios,
            first,
            refused,
            has_manager,
            ticket: None,
            moves: 0,
        }
    }

    /// Plays until the ticket ends.
    fn play(&mut self) -> Result<(), Box<Finding>> {
        let create = CreateTicket {
            ticket_id: TicketId::derived("dry-run"),
            title: "Dry run".to_owned(),
            description: None,
            initial_form_values: JsonObject::new(),
            attachment_ids: Vec::new(),
            initial_form_step_ids: Vec::new(),
        };
        let mut last = self.send(&requester(), &Command::Create(create));
        while let Some(ticket) = self.ticket.clone().filter(Ticket::is_live) {
            if self.moves >= MOST_MOVES {
                return Err(self.stuck("the ticket does not come to an end"));
            }
            last = self.move_on(&ticket);
            if let Err(refusal) = &last {
                return Err(self.stuck(&refusal.to_string()));
            }
        }
        match last {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.stuck(&refusal.to_string())),
        }
    }

    /// Does the next thing that somebody can do.
    fn move_on(&mut self, ticket: &Ticket) -> Result<(), Refusal> {
        let mut last = Refusal::invalid("nobody can act");
        for step in ticket.steps.iter().filter(|step| step.is_live()) {
            for command in self.ways_on(ticket, step) {
                for actor in actors(ticket) {
                    match self.send(&actor, &command) {
                        Ok(()) => {
                            self.moves += 1;
                            return Ok(());
                        }
                        Err(Refusal::PermissionDenied(_)) => {}
                        Err(refusal) => last = refusal,
                    }
                }
            }
        }
        Err(last)
    }

    fn ways_on(&mut self, ticket: &Ticket, step: &Step) -> Vec<Command> {
        let id: TicketStepId = step.id.clone();
        match step.kind {
            StepType::Form => vec![Command::SubmitForm {
                step: id,
                form_values: JsonObject::new(),
                attachment_ids: Vec::new(),
            }],
            StepType::Approval if self.refused.as_ref() == Some(&step.key) => {
                self.refused = None;
                vec![Command::Reject {
                    step: id,
                    comment: Some("dry run".to_owned()),
                }]
            }
            StepType::Approval => vec![Command::Approve {
                step: id,
                comment: None,
            }],
            StepType::Task if ticket.active_assignment(&id).is_some() => vec![Command::CompleteTask {
                step: id,
                execution_notes: Some("dry run".to_owned()),
                output_values: JsonObject::new(),
                attachment_ids: Vec::new(),
            }],
            // Nobody can assign a task of a requester without manager or approver; an administrator skips it.
            StepType::Task => vec![
                Command::Assign {
                    step: id.clone(),
                    agent: NamedPerson {
                        email: imaginary("agent").email,
                        aad_id: None,
                        display_name: None,
                    },
                },
                Command::ManagerSkip {
                    step: id,
                    reason: "dry run".to_owned(),
                },
            ],
            StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => Vec::new(),
        }
    }

    /// Decides a command on the ticket with the values of the present scenario.
    fn send(&mut self, actor: &Actor, command: &Command) -> Result<(), Refusal> {
        let turn = self.moves.saturating_sub(PATIENCE) / PATIENCE.max(1);
        let scenario = self
            .scenarios
            .get((self.first + turn) % self.scenarios.len().max(1));
        if let (Some(ticket), Some(values)) = (&mut self.ticket, scenario) {
            ticket.form_values.0.extend(values.clone());
        }
        let mut sheet = FactSheet::new(actor.clone(), NOW, "dry-run".to_owned(), policy());
        for _ in 0..12 {
            let facts = Facts {
                sheet: &sheet,
                definitions: self.definitions,
            };
            match decide(self.ticket.as_ref(), command, &facts) {
                Ok(Verdict::Applied(decision)) => {
                    self.ticket = Some(decision.ticket);
                    return Ok(());
                }
                Ok(Verdict::AlreadyDone { .. }) => return Err(Refusal::invalid("nothing changes")),
                Err(Undecided::Refused(refusal)) => return Err(refusal),
                Err(Undecided::Needs(needs)) => {
                    for need in needs {
                        self.answer(&mut sheet, need)?;
                    }
                }
            }
        }
        Err(Refusal::invalid("the decision asks for facts without end"))
    }

    fn answer(&self, sheet: &mut FactSheet, need: Need) -> Result<(), Refusal> {
        match need {
            Need::Manager => {
                sheet.manager = Some(ManagerFact {
                    person: self.has_manager.then(|| imaginary("manager")),
                });
            }
            Need::Person(email) => sheet.people.push(PersonFact {
                person: Some(Person::from_email(email.clone())),
                manager: None,
                revoked: false,
                email,
            }),
            Need::Lookup(question) => sheet.lookups.push(LookupFact {
                question,
                users: vec![LookupUser {
                    person: imaginary("lookup.user"),
                    is_primary: true,
                }],
            }),
            Need::Attachments(_) => return Err(Refusal::invalid("an imaginary ticket has no files")),
            Need::Embedded(_) => return Err(Refusal::invalid("an embedded workflow does not exist")),
        }
        Ok(())
    }

    fn stuck(&self, reason: &str) -> Box<Finding> {
        let live = self.ticket.iter().flat_map(|ticket| &ticket.steps);
        let mut at: Vec<String> = live
            .filter(|step| step.is_live())
            .map(|step| step.key.to_string())
            .collect();
        if at.is_empty() {
            at.push(self.definitions.own.start.to_string());
        }
        let mut details = Map::new();
        details.insert("steps".to_owned(), json!(at));
        let scenario = self.scenarios.get(self.first).cloned().unwrap_or_default();
        details.insert("form_values".to_owned(), Value::Object(scenario));
        if !self.has_manager {
            details.insert("requester_has_a_manager".to_owned(), Value::Bool(false));
        }
        Box::new(Finding {
            kind: "DRY_RUN_STUCK",
            message: format!("a ticket stops at {}: {reason}", at.join(", ")),
            path: Some(format!("steps.{}", at.join(","))),
            details,
        })
    }
}

/// The instant of every dry run; no rule that remains looks at it.
const NOW: Timestamp = Timestamp::from_millis(1_767_600_000_000);

fn policy() -> Policy {
    Policy {
        today: NOW.to_chrono().date_naive(),
        default_sla_minutes: Vec::new(),
        mail_domains: vec!["example.com".to_owned()],
    }
}

fn imaginary(name: &str) -> Person {
    Person::from_email(Email::from_stored(format!("{name}@dry-run.invalid")))
}

fn requester() -> Actor {
    Actor::plain(imaginary("requester"))
}

/// Everybody who may have a part in the ticket, those first who usually act next.
fn actors(ticket: &Ticket) -> Vec<Actor> {
    let pending = ticket
        .approval_tasks
        .iter()
        .filter(|task| task.decision == ApprovalDecision::Pending)
        .map(|task| task.approver.clone());
    let assignees = ticket.steps.iter().filter_map(|step| step.assignee.clone());
    let people = pending
        .chain(assignees)
        .chain(["agent", "manager"].map(imaginary));
    let mut actors: Vec<Actor> = Vec::new();
    for person in people {
        if !actors.iter().any(|known| known.person.is_same(&person)) {
            actors.push(Actor::plain(person));
        }
    }
    actors.insert(0, requester());
    let mut admin = Actor::plain(imaginary("administrator"));
    admin.admin_role = Some(AdminRole::SuperAdmin);
    actors.push(admin);
    actors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::WorkflowId;
    use crate::engine::definition::Operator;
    use crate::engine::testing::{approval, definition, end, fork, form, join, object, step, task};

    fn played(flow: Value) -> DryRun {
        let around = Surroundings::of(WorkflowId::derived("draft"));
        dry_run(&Definition(object(flow)), &around, Managers::KnownAndUnknown)
    }

    fn conditional(from: &str, to: &str, field: &str, operator: &str, value: &Value) -> Value {
        let condition =
            json!({"field": format!("form_values.{field}"), "operator": operator, "value": value});
        json!({"from_step_id": from, "to_step_id": to, "on_event": "SUBMIT_FORM",
               "condition": {"logic": "AND", "conditions": [condition]}})
    }

    #[test]
    fn both_sides_of_every_condition_and_every_refusal_are_played() {
        let mut flow = definition(
            vec![
                form("start"),
                approval("cheap", "bob"),
                approval("dear", "carl"),
                task("work"),
                form("again"),
                end("done"),
            ],
            &[
                ("start", "SUBMIT_FORM", "cheap"),
                ("cheap", "APPROVE", "work"),
                ("dear", "APPROVE", "work"),
                ("dear", "REJECT", "again"),
                ("again", "SUBMIT_FORM", "dear"),
                ("work", "COMPLETE_TASK", "done"),
            ],
        );
        let edge = conditional("start", "dear", "start_text", "GREATER_THAN", &json!(1000));
        flow["transitions"].as_array_mut().unwrap().push(edge);
        let outcome = played(flow);
        assert_eq!(outcome.stuck, []);
        assert_eq!(outcome.entered.len(), 6, "{:?}", outcome.entered);
    }

    #[test]
    fn branches_run_to_their_join() {
        let outcome = played(definition(
            vec![
                form("start"),
                fork("split", "FAIL_ALL", &["left", "right"]),
                task("left"),
                approval("right", "bob"),
                join("meet", "split", "ALL"),
                end("done"),
            ],
            &[
                ("start", "SUBMIT_FORM", "split"),
                ("left", "COMPLETE_TASK", "meet"),
                ("right", "APPROVE", "meet"),
                ("meet", "COMPLETE_TASK", "done"),
            ],
        ));
        assert_eq!(outcome.stuck, []);
        assert_eq!(outcome.entered.len(), 6);
    }

    #[test]
    fn an_approval_without_anybody_is_found() {
        let ask = step(
            "ask",
            "APPROVAL_STEP",
            json!({"approver_resolution": "REQUESTER_MANAGER"}),
        );
        let outcome = played(definition(
            vec![form("start"), ask, end("done")],
            &[("start", "SUBMIT_FORM", "ask"), ("ask", "APPROVE", "done")],
        ));
        assert_eq!(outcome.stuck.len(), 1, "{:?}", outcome.stuck);
        assert_eq!(outcome.stuck[0].kind, "DRY_RUN_STUCK");
        assert_eq!(outcome.stuck[0].details["requester_has_a_manager"], false);
    }

    #[test]
    fn an_edge_that_is_missing_for_some_values_is_found() {
        let mut flow = definition(vec![form("start"), end("done")], &[]);
        let edge = conditional("start", "done", "start_text", "EQUALS", &json!("yes"));
        flow["transitions"].as_array_mut().unwrap().push(edge);
        assert_eq!(played(flow).stuck.len(), 1);
    }

    #[test]
    fn a_form_asked_again_until_the_answer_changes_comes_to_an_end() {
        let mut flow = definition(
            vec![form("start"), task("work"), end("done")],
            &[
                ("start", "SUBMIT_FORM", "work"),
                ("work", "COMPLETE_TASK", "done"),
            ],
        );
        let mut edge = conditional("work", "start", "start_text", "EQUALS", &json!("again"));
        edge["on_event"] = json!("COMPLETE_TASK");
        flow["transitions"].as_array_mut().unwrap().push(edge);
        assert_eq!(played(flow).stuck, []);
    }

    #[test]
    fn a_comparison_has_a_witness_on_either_side() {
        for (operator, operand) in [
            (Operator::Equals, json!("x")),
            (Operator::NotEquals, json!(3)),
            (Operator::GreaterThan, json!(3)),
            (Operator::LessThanOrEquals, json!("2026-05-01")),
            (Operator::In, json!("a, b")),
            (Operator::NotIn, json!(["a", "b"])),
            (Operator::Contains, json!("x")),
            (Operator::IsEmpty, json!(null)),
            (Operator::IsNotEmpty, json!(null)),
        ] {
            for wanted in [true, false] {
                let found = witnesses(&operand)
                    .iter()
                    .any(|value| condition_evaluator::compare(Some(value), operator, &operand) == wanted);
                assert!(found, "{operator:?} {operand} {wanted}");
            }
        }
    }
}
