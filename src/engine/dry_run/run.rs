//! One imaginary ticket, played from start to end by whoever can act.

use super::answers::Answers;
use crate::domain::id::{StepKey, TicketId, TicketStepId};
use crate::domain::json::JsonObject;
use crate::domain::person::{Actor, AdminRole, Email, Person, Personas};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, Phase, Step, Ticket};
use crate::domain::time::Timestamp;
use crate::domain::workflow::StepType;
use crate::engine::command::{CreateTicket, NamedPerson};
use crate::engine::definition::StepKind;
use crate::engine::definition::validate::Finding;
use crate::engine::facts::{
    Definitions, FactSheet, Facts, LookupFact, LookupUser, ManagerFact, Need, PersonFact, Policy,
};
use crate::engine::{Command, Undecided, Verdict, decide};
use serde_json::{Map, Value, json};

/// Most commands of one run, beside those that each step of the workflow needs.
const MOST_MOVES: usize = 400;
/// After so many moves the values change every so many more: people do not answer the same for ever.
const PATIENCE: usize = 40;

/// What all imaginary tickets of a definition have in common.
pub(super) struct Stage {
    /// The definition and its embedded ones.
    pub(super) drawn: Definitions,
    /// The same without the rules of their forms, as the engine plays them.
    pub(super) played: Definitions,
    /// What people may answer.
    pub(super) answers: Answers,
    /// What people wish, a set for each run.
    pub(super) scenarios: Vec<Map<String, Value>>,
}

/// One imaginary ticket.
pub(super) struct Run<'a> {
    stage: &'a Stage,
    first: usize,
    refused: Option<StepKey>,
    has_manager: bool,
    pub(super) ticket: Option<Ticket>,
    moves: usize,
    /// The steps of tickets that its decisions looked at.
    pub(super) effort: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(stage: &'a Stage, first: usize, refused: Option<StepKey>, has_manager: bool) -> Self {
        Self {
            stage,
            first,
            refused,
            has_manager,
            ticket: None,
            moves: 0,
            effort: 0,
        }
    }

    /// Plays until the ticket ends.
    pub(super) fn play(&mut self) -> Result<(), Box<Finding>> {
        let create = CreateTicket {
            ticket_id: TicketId::derived("dry-run"),
            title: "Dry run".to_owned(),
            description: None,
            initial_form_values: JsonObject::new(),
            attachment_ids: Vec::new(),
            initial_form_step_ids: Vec::new(),
        };
        let mut last = self.send(&requester(), &Command::Create(create));
        self.change_answers();
        while let Some(ticket) = self.ticket.clone().filter(Ticket::is_live) {
            if self.moves >= self.most_moves() {
                return Err(self.stuck("the ticket does not come to an end"));
            }
            let wishes = self.wishes();
            last = self.move_on(&ticket);
            if wishes != self.wishes() {
                self.change_answers();
            }
            if let Err(refusal) = &last {
                return Err(self.stopped_by(refusal));
            }
        }
        match last {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.stopped_by(&refusal)),
        }
    }

    /// A cycle through people ends because the values change on the way; a long workflow takes its time.
    fn most_moves(&self) -> usize {
        self.stage
            .played
            .own
            .steps
            .len()
            .saturating_mul(4)
            .saturating_add(MOST_MOVES)
    }

    /// What people wish at present.
    fn wishes(&self) -> Map<String, Value> {
        let turn = self.moves.saturating_sub(PATIENCE) / PATIENCE;
        let scenarios = &self.stage.scenarios;
        let scenario = scenarios.get((self.first + turn) % scenarios.len().max(1));
        scenario.cloned().unwrap_or_default()
    }

    /// Gives the forms that were submitted the answers that people wish at present, as a change request does.
    fn change_answers(&mut self) {
        let Some(mut ticket) = self.ticket.take() else {
            return;
        };
        let mut values = self.stage.answers.unasked(&self.wishes());
        for step in ticket.steps.iter().filter(|step| step.phase == Phase::Completed) {
            values.extend(self.filled_in(&ticket, step).into_map());
        }
        ticket.form_values.extend(values);
        self.ticket = Some(ticket);
    }

    /// How the requester fills in a form step at present; nothing at any other step.
    fn filled_in(&self, ticket: &Ticket, step: &Step) -> JsonObject {
        let drawn = &self.stage.drawn;
        let workflow = drawn.workflow_in(ticket, step.container.as_ref());
        let definition = workflow.and_then(|workflow| workflow.step(&step.key));
        match definition.map(|definition| &definition.kind) {
            Some(StepKind::Form(form)) => {
                let answers = &self.stage.answers;
                answers.fill_in(form, &step.key, &self.wishes(), &ticket.form_values)
            }
            Some(
                StepKind::Approval(_)
                | StepKind::Task(_)
                | StepKind::Notify(_)
                | StepKind::Fork(_)
                | StepKind::Join(_)
                | StepKind::SubWorkflow(_),
            )
            | None => JsonObject::new(),
        }
    }

    /// Does the next thing that somebody can do.
    fn move_on(&mut self, ticket: &Ticket) -> Result<(), Refusal> {
        let mut first = None;
        for step in ticket.steps.iter().filter(|step| step.is_live()) {
            for command in self.ways_on(ticket, step) {
                for actor in actors(ticket) {
                    match self.send(&actor, &command) {
                        Ok(()) => {
                            self.moves += 1;
                            return Ok(());
                        }
                        Err(Refusal::PermissionDenied(_)) => {}
                        // Those who act next are asked first, so theirs is the reason.
                        Err(refusal) => {
                            first.get_or_insert(refusal);
                        }
                    }
                }
            }
        }
        Err(first.unwrap_or_else(|| Refusal::invalid("nobody can act")))
    }

    fn ways_on(&mut self, ticket: &Ticket, step: &Step) -> Vec<Command> {
        let id: TicketStepId = step.id.clone();
        match step.kind {
            StepType::Form => vec![Command::SubmitForm {
                step: id,
                form_values: self.filled_in(ticket, step),
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

    /// Decides a command on the ticket.
    fn send(&mut self, actor: &Actor, command: &Command) -> Result<(), Refusal> {
        self.effort += 1 + self.ticket.as_ref().map_or(0, |ticket| ticket.steps.len());
        let mut sheet = FactSheet::new(actor.clone(), NOW, "dry-run".to_owned(), policy());
        for _ in 0..12 {
            let facts = Facts {
                sheet: &sheet,
                definitions: &self.stage.played,
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
                personas: Personas::default(),
                taken_away: Personas::default(),
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

    /// A stop because somebody is refused. A limit that was reached is named: then the ticket goes round, and no answer
    /// that was tried leads out.
    fn stopped_by(&self, refusal: &Refusal) -> Box<Finding> {
        let mut finding = self.stuck(&refusal.to_string());
        if let Refusal::LimitReached { what, .. } = refusal {
            finding.details.insert("limit".to_owned(), json!(what));
        }
        finding
    }

    fn stuck(&self, reason: &str) -> Box<Finding> {
        let mut values = self.wishes();
        let mut at: Vec<String> = Vec::new();
        if let Some(ticket) = &self.ticket {
            values.clone_from(&ticket.form_values);
            for step in ticket.steps.iter().filter(|step| step.is_live()) {
                values.extend(self.filled_in(ticket, step).into_map());
                at.push(step.key.to_string());
            }
        }
        if at.is_empty() {
            at.push(self.stage.played.own.start.to_string());
        }
        let mut details = Map::new();
        details.insert("steps".to_owned(), json!(at));
        details.insert("form_values".to_owned(), Value::Object(values));
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

pub(super) fn policy() -> Policy {
    Policy {
        today: NOW.to_chrono().date_naive(),
        default_sla_minutes: Vec::new(),
        mail_domains: vec!["example.com".to_owned()],
    }
}

fn imaginary(name: &str) -> Person {
    Person::from_email(Email::from_stored(format!("{name}@dry-run.invalid")))
}

pub(super) fn requester() -> Actor {
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
