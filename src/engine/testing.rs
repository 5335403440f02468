//! Given / when / then over the engine: builds workflows from JSON, plays commands, answers every fact the engine asks for.
//! The tests and the fuzz targets share it.

pub(crate) mod corpus;
pub(crate) mod graphs;
pub(crate) mod invariants;
pub(crate) mod offers;

use super::definition::{CompiledWorkflow, compile};
use super::facts::{
    Definitions, FactSheet, Facts, LookupFact, LookupUser, ManagerFact, NamedAttachment, Need, PersonFact,
    Policy,
};
use super::{Command, Decision, Undecided, Verdict, decide};
use crate::domain::attachment::AttachmentFact;
use crate::domain::audit::AuditEventType;
use crate::domain::effect::Effect;
use crate::domain::id::{StepKey, TicketId, TicketStepId, WorkflowId, WorkflowVersionId};
use crate::domain::json::JsonObject;
use crate::domain::notice::{Notice, TemplateKey};
use crate::domain::person::{Actor, AdminRole, Email, Person, Personas};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Step, StepState, Ticket};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Definition, VersionRef, WorkflowVersion};
use crate::engine::command::{CreateTicket, NamedPerson};
use chrono::NaiveDate;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A person of the tests by the local part of the address.
pub(crate) fn person(name: &str) -> Person {
    let mut person = Person::from_email(Email::try_from(format!("{name}@example.com")).unwrap());
    person.aad_id = Some(format!("oid-{name}"));
    person
}

/// A person named in a request.
pub(crate) fn named(name: &str) -> NamedPerson {
    NamedPerson {
        email: person(name).email,
        aad_id: None,
        display_name: None,
    }
}

/// An object from JSON.
pub(crate) fn object(value: Value) -> JsonObject {
    super::turn::as_object(value)
}

/// A compiled version 1 of a workflow.
pub(crate) fn workflow(id: &str, definition: Value) -> Arc<CompiledWorkflow> {
    let version = WorkflowVersion {
        id: WorkflowVersionId::derived(id),
        workflow_id: WorkflowId::derived(id),
        version_number: 1,
        name: id.to_owned(),
        description: None,
        category: None,
        tags: Vec::new(),
        definition: Definition(object(definition)),
        published_by: person("designer"),
        published_at: Timestamp::from_millis(0),
        change_summary: None,
    };
    let (compiled, findings) = compile(&version);
    assert_eq!(findings, [], "the workflow {id} compiles without findings");
    Arc::new(compiled)
}

/// One recorded command.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) command: Command,
    pub(crate) sheet: FactSheet,
}

/// A ticket under test.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) definitions: Definitions,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) now: Timestamp,
    pub(crate) last: Option<Decision>,
    pub(crate) history: Vec<Played>,
    pub(crate) manager: Option<Person>,
    pub(crate) policy: Policy,
    pub(crate) events: Vec<AuditEventType>,
}

impl World {
    /// A world with one workflow; `mia` is everybody's manager.
    pub(crate) fn of(own: Arc<CompiledWorkflow>) -> Self {
        Self {
            definitions: Definitions {
                own,
                embedded: BTreeMap::new(),
            },
            ticket: None,
            now: Timestamp::from_millis(1_767_600_000_000),
            last: None,
            history: Vec::new(),
            manager: Some(person("mia")),
            policy: policy(),
            events: Vec::new(),
        }
    }

    /// Raises a ticket as `ann` by the plain path.
    pub(crate) fn raised(definition: Value) -> Self {
        let mut world = Self::of(workflow("flow", definition));
        world.create(json!({}), &[]).unwrap();
        world
    }

    /// Makes a version embeddable.
    pub(crate) fn embed(&mut self, id: &str, definition: Value) {
        let compiled = workflow(id, definition);
        self.definitions
            .embedded
            .insert(compiled.version_ref(), Some(compiled));
    }

    /// Raises a ticket as `ann`.
    pub(crate) fn create(&mut self, values: Value, forms: &[&str]) -> Result<(), Refusal> {
        let create = CreateTicket {
            ticket_id: TicketId::derived("test"),
            title: "A request".to_owned(),
            description: None,
            initial_form_values: object(values),
            attachment_ids: Vec::new(),
            initial_form_step_ids: forms.iter().map(|key| StepKey::from(*key)).collect(),
        };
        self.play("ann", Command::Create(create)).map(|_| ())
    }

    /// Lets `who` send a command; the facts it needs are answered from the world.
    pub(crate) fn play(&mut self, who: &str, command: Command) -> Result<Verdict, Refusal> {
        let mut actor = Actor::plain(person(who));
        if who == "root" {
            actor.admin_role = Some(AdminRole::SuperAdmin);
        }
        self.play_as(actor, command)
    }

    /// Lets this person send a command.
    pub(crate) fn play_as(&mut self, actor: Actor, command: Command) -> Result<Verdict, Refusal> {
        let mut sheet = FactSheet::new(actor, self.now, "COR-test".to_owned(), self.policy.clone());
        for _ in 0..20 {
            let facts = Facts {
                sheet: &sheet,
                definitions: &self.definitions,
            };
            match decide(self.ticket.as_ref(), &command, &facts) {
                Ok(verdict) => {
                    if let Verdict::Applied(decision) = &verdict {
                        self.events
                            .extend(decision.events.iter().map(|event| event.event_type));
                        self.ticket = Some(decision.ticket.clone());
                        self.last = Some((**decision).clone());
                        self.history.push(Played { command, sheet });
                    }
                    return Ok(verdict);
                }
                Err(Undecided::Refused(refusal)) => return Err(refusal),
                Err(Undecided::Needs(needs)) => {
                    for need in needs {
                        self.answer(&mut sheet, need);
                    }
                }
            }
        }
        panic!("the engine asks for facts without end");
    }

    /// Plays a command that must take effect.
    pub(crate) fn must(&mut self, who: &str, command: Command) {
        let shown = format!("{command:?}");
        let verdict = self.play(who, command);
        assert!(
            matches!(verdict, Ok(Verdict::Applied(_))),
            "{who} {shown}: {verdict:?}"
        );
    }

    fn answer(&mut self, sheet: &mut FactSheet, need: Need) {
        match need {
            Need::Manager => {
                sheet.manager = Some(ManagerFact {
                    person: self.manager.clone(),
                });
            }
            Need::Person(email) => {
                let name = email.local_part().to_owned();
                let known = email.as_str().ends_with("@example.com") && !name.starts_with("nobody");
                sheet.people.push(PersonFact {
                    person: known.then(|| person(&name)),
                    manager: None,
                    revoked: name.starts_with("revoked"),
                    personas: Personas {
                        manager: ["mia", "one"].contains(&name.as_str()),
                        ..Personas::default()
                    },
                    taken_away: Personas {
                        agent: name == "former",
                        ..Personas::default()
                    },
                    email,
                });
            }
            Need::Lookup(question) => {
                let users = vec![
                    LookupUser {
                        person: person("lucy"),
                        is_primary: false,
                    },
                    LookupUser {
                        person: person("luke"),
                        is_primary: true,
                    },
                ];
                sheet.lookups.push(LookupFact { question, users });
            }
            Need::Attachments(ids) => {
                for id in ids {
                    let uploaded_by = sheet.actor.person.clone();
                    let fact = AttachmentFact {
                        id: id.clone(),
                        filename: "file.pdf".to_owned(),
                        uploaded_by,
                        ticket_id: None,
                    };
                    sheet.attachments.push(NamedAttachment { id, fact: Some(fact) });
                }
            }
            Need::Embedded(version) => {
                self.definitions.embedded.entry(version).or_insert(None);
            }
        }
    }

    /// The ticket.
    pub(crate) fn ticket(&self) -> &Ticket {
        self.ticket.as_ref().unwrap()
    }

    /// The newest instance of a step, embedded ones included.
    pub(crate) fn step(&self, key: &str) -> &Step {
        let mut found: Vec<_> = self
            .ticket()
            .steps
            .iter()
            .filter(|step| step.key.as_str() == key)
            .collect();
        found.sort_by_key(|step| step.round);
        found.last().copied().unwrap_or_else(|| panic!("no step {key}"))
    }

    /// The id of the newest instance of a step.
    pub(crate) fn id(&self, key: &str) -> TicketStepId {
        self.step(key).id.clone()
    }

    /// The wire state of a step.
    pub(crate) fn state(&self, key: &str) -> StepState {
        self.ticket().state_of(self.step(key))
    }

    /// The keys of the live steps.
    pub(crate) fn live(&self) -> Vec<String> {
        self.ticket()
            .steps
            .iter()
            .filter(|step| step.is_live())
            .map(|step| step.key.to_string())
            .collect()
    }

    /// The notices of the last command.
    pub(crate) fn notices(&self) -> Vec<&Notice> {
        let effects = self.last.iter().flat_map(|decision| &decision.effects);
        effects
            .filter_map(|effect| {
                if let Effect::Notice(notice) = effect {
                    Some(notice)
                } else {
                    None
                }
            })
            .collect()
    }

    /// Who was told of what by the last command, by the local part of the address.
    pub(crate) fn told(&self, template: TemplateKey) -> Vec<String> {
        let notices = self.notices();
        let told = notices.iter().filter(|notice| notice.template == template);
        told.map(|notice| notice.recipient.email.local_part().to_owned())
            .collect()
    }

    /// How often something happened so far.
    pub(crate) fn count(&self, event: AuditEventType) -> usize {
        self.events.iter().filter(|known| **known == event).count()
    }

    /// Moves the clock.
    pub(crate) fn wait_minutes(&mut self, minutes: i64) {
        self.now = self.now.plus_minutes(minutes);
    }

    /// Approves as `who`.
    pub(crate) fn approve(&mut self, who: &str, key: &str) {
        let step = self.id(key);
        self.must(who, Command::Approve { step, comment: None });
    }

    /// Rejects as `who`.
    pub(crate) fn reject(&mut self, who: &str, key: &str) {
        let step = self.id(key);
        self.must(
            who,
            Command::Reject {
                step,
                comment: Some("no".to_owned()),
            },
        );
    }

    /// Assigns `agent` and completes the task.
    pub(crate) fn work(&mut self, agent: &str, key: &str) {
        let step = self.id(key);
        self.must(
            "mia",
            Command::Assign {
                step: step.clone(),
                agent: named(agent),
            },
        );
        self.must(agent, complete(step));
    }

    /// Applies the recorded commands again from the start.
    pub(crate) fn replayed(&self) -> Ticket {
        let mut ticket: Option<Ticket> = None;
        for played in &self.history {
            let facts = Facts {
                sheet: &played.sheet,
                definitions: &self.definitions,
            };
            match decide(ticket.as_ref(), &played.command, &facts) {
                Ok(Verdict::Applied(decision)) => ticket = Some(decision.ticket),
                other => panic!("a recorded command is refused on replay: {other:?}"),
            }
        }
        ticket.unwrap()
    }
}

/// Completes a task without output.
pub(crate) fn complete(step: TicketStepId) -> Command {
    let output_values = JsonObject::new();
    Command::CompleteTask {
        step,
        execution_notes: None,
        output_values,
        attachment_ids: Vec::new(),
    }
}

/// The settings of the tests.
pub(crate) fn policy() -> Policy {
    Policy {
        today: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
        default_sla_minutes: Vec::new(),
        mail_domains: vec!["example.com".to_owned()],
    }
}

/// A version reference of a workflow made with [`workflow`].
pub(crate) fn version_ref(id: &str) -> VersionRef {
    VersionRef {
        workflow_id: WorkflowId::derived(id),
        version_number: 1,
    }
}

/// A step of a definition.
pub(crate) fn step(id: &str, kind: &str, more: Value) -> Value {
    let mut step = json!({"step_id": id, "step_name": id, "step_type": kind});
    step.as_object_mut().unwrap().extend(object(more).into_map());
    step
}

/// A form with one optional text field named like the step.
pub(crate) fn form(id: &str) -> Value {
    let field = json!({"field_key": format!("{id}_text"), "field_label": id, "field_type": "TEXT", "required": false, "order": 0});
    step(id, "FORM_STEP", json!({"fields": [field]}))
}

/// An approval by one person.
pub(crate) fn approval(id: &str, approver: &str) -> Value {
    let email = format!("{approver}@example.com");
    step(
        id,
        "APPROVAL_STEP",
        json!({"approver_resolution": "SPECIFIC_EMAIL", "specific_approver_email": email}),
    )
}

/// A task without notes.
pub(crate) fn task(id: &str) -> Value {
    step(id, "TASK_STEP", json!({"execution_notes_required": false}))
}

/// An end that tells the requester.
pub(crate) fn end(id: &str) -> Value {
    step(
        id,
        "NOTIFY_STEP",
        json!({"is_terminal": true, "recipients": ["requester"]}),
    )
}

/// A fork; each branch is named after its first step.
pub(crate) fn fork(id: &str, policy: &str, starts: &[&str]) -> Value {
    let branches: Vec<_> = starts
        .iter()
        .map(|start| json!({"branch_id": format!("b_{start}"), "branch_name": start, "start_step_id": start}))
        .collect();
    step(
        id,
        "FORK_STEP",
        json!({"branches": branches, "failure_policy": policy}),
    )
}

/// A join.
pub(crate) fn join(id: &str, fork: &str, mode: &str) -> Value {
    step(
        id,
        "JOIN_STEP",
        json!({"source_fork_step_id": fork, "join_mode": mode}),
    )
}

/// A definition that starts with its first step; an edge is `(from, event, to)`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "tests write the steps where they call"
)]
pub(crate) fn definition(steps: Vec<Value>, edges: &[(&str, &str, &str)]) -> Value {
    let start = steps.first().and_then(|step| step.get("step_id")).cloned();
    let transitions: Vec<_> = edges
        .iter()
        .map(|(from, event, to)| json!({"from_step_id": from, "to_step_id": to, "on_event": event}))
        .collect();
    json!({"steps": steps, "transitions": transitions, "start_step_id": start})
}

/// A form that raises the ticket, an approval, a task, an end.
pub(crate) fn usual(approver: &str) -> Value {
    definition(
        vec![
            form("ask"),
            approval("check", approver),
            task("deliver"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    )
}
