//! The pure parts of one command, one by one: `cargo bench --bench engine`.
//!
//! With `ENGINE_REPEAT=<name>:<times>` one part runs so often and nothing else happens; `scripts/bench-instructions`
//! counts its instructions under valgrind that way, because they do not depend on what else the machine does.

#![expect(
    clippy::disallowed_methods,
    reason = "a bench has no settings but what its caller exports"
)]

use criterion::Criterion;
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::sync::Arc;
use workflow_ops::domain::id::{StepKey, TicketId, WorkflowId, WorkflowVersionId};
use workflow_ops::domain::json::JsonObject;
use workflow_ops::domain::person::{Actor, Email, Person};
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::Timestamp;
use workflow_ops::domain::workflow::{Definition, WorkflowVersion};
use workflow_ops::engine::command::CreateTicket;
use workflow_ops::engine::condition_evaluator::{self, Context};
use workflow_ops::engine::definition::{CompiledWorkflow, compile};
use workflow_ops::engine::facts::{ManagerFact, Policy};
use workflow_ops::engine::{Command, Definitions, FactSheet, Facts, Verdict, decide, work_index};

/// When everything happens.
const NOW: Timestamp = Timestamp::from_millis(1_767_605_400_000);

/// What the parts need.
struct Stage {
    version: WorkflowVersion,
    definitions: Definitions,
    create: Command,
    faulty: Command,
    requester: FactSheet,
    ticket: Ticket,
    approve: Command,
    manager: FactSheet,
    encoded: Vec<u8>,
    values: Map<String, Value>,
}

fn person(name: &str) -> Person {
    Person {
        aad_id: Some(format!("oid-{name}")),
        ..Person::from_email(Email::from_stored(format!("{name}@example.com")))
    }
}

fn sheet(name: &str) -> FactSheet {
    let policy = Policy {
        today: NOW.to_chrono().date_naive(),
        default_sla_minutes: Vec::new(),
        mail_domains: Vec::new(),
    };
    let mut sheet = FactSheet::new(Actor::plain(person(name)), NOW, "COR-1".to_owned(), policy);
    sheet.manager = Some(ManagerFact {
        person: Some(person("mark")),
    });
    sheet
}

fn create(values: &Map<String, Value>) -> Command {
    Command::Create(CreateTicket {
        ticket_id: TicketId::derived("engine"),
        title: "A laptop for the new office".to_owned(),
        description: None,
        initial_form_values: JsonObject::from(values.clone()),
        attachment_ids: Vec::new(),
        initial_form_step_ids: vec![StepKey::from("ask")],
    })
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value {
        map
    } else {
        Map::new()
    }
}

impl Stage {
    fn set() -> anyhow::Result<Self> {
        let seed: Value = serde_json::from_str(include_str!("../config/workflows/1-laptop-request.json"))?;
        let version = WorkflowVersion {
            id: WorkflowVersionId::derived("engine"),
            workflow_id: WorkflowId::derived("engine"),
            version_number: 1,
            name: "Laptop request".to_owned(),
            description: None,
            category: None,
            tags: Vec::new(),
            definition: Definition(JsonObject::from(object(
                seed.get("definition").cloned().unwrap_or_default(),
            ))),
            published_by: person("dana"),
            published_at: NOW,
            change_summary: None,
        };
        let (workflow, _) = compile(&version);
        let definitions = Definitions::of(Arc::new(workflow));
        let values = object(json!({
            "model": "Standard 14", "amount": 1450, "needed_by": "2099-06-30",
            "reason": "The old one is five years old and its battery lasts half an hour.", "cost_centre": "SA-1234",
            "__section_accessories": [{"item": "Dock", "quantity": 1}, {"item": "Headset", "quantity": 2}],
        }));
        let faulty = object(json!({
            "model": "Huge 21", "amount": "many", "needed_by": "yesterday", "reason": "why", "cost_centre": "?",
            "__section_accessories": [{"item": "", "quantity": 99}], "unknown": true,
        }));
        let requester = sheet("ann");
        let made = create(&values);
        let facts = Facts {
            sheet: &requester,
            definitions: &definitions,
        };
        let ticket = match decide(None, &made, &facts) {
            Ok(Verdict::Applied(decision)) => decision.ticket,
            other => anyhow::bail!("the creation was not applied: {other:?}"),
        };
        let step = ticket.steps.iter().rfind(|step| step.is_live());
        let step = step.map(|step| step.id.clone());
        Ok(Self {
            approve: Command::Approve {
                step: step.ok_or_else(|| anyhow::anyhow!("nothing waits for approval"))?,
                comment: Some("Fine with me.".to_owned()),
            },
            encoded: bson::serialize_to_vec(&ticket)?,
            create: made,
            faulty: create(&faulty),
            manager: sheet("mark"),
            requester,
            definitions,
            version,
            ticket,
            values,
        })
    }

    fn decide(&self, ticket: Option<&Ticket>, command: &Command, sheet: &FactSheet) -> bool {
        let facts = Facts {
            sheet,
            definitions: &self.definitions,
        };
        black_box(decide(ticket, black_box(command), &facts)).is_ok()
    }

    fn condition(&self, workflow: &CompiledWorkflow) -> usize {
        let none = Map::new();
        let context = Context {
            ticket: &none,
            form_values: &self.values,
            current_step: &none,
        };
        let groups = workflow
            .edges
            .values()
            .flatten()
            .filter_map(|edge| edge.condition.as_ref());
        groups
            .filter(|group| condition_evaluator::holds(black_box(group), context))
            .count()
    }

    /// Does one part once.
    fn part(&self, name: &str) -> bool {
        match name {
            "compile" => compile(black_box(&self.version)).1.is_empty(),
            "decide_create" => self.decide(None, &self.create, &self.requester),
            "validate_form" => !self.decide(None, &self.faulty, &self.requester),
            "decide_approve" => self.decide(Some(&self.ticket), &self.approve, &self.manager),
            "condition" => self.condition(&self.definitions.own) < usize::MAX,
            "derive_work" => !work_index::derive(black_box(&self.ticket), &self.definitions)
                .shelves
                .is_empty(),
            "encode" => bson::serialize_to_vec(black_box(&self.ticket)).is_ok(),
            "decode" => bson::deserialize_from_slice::<Ticket>(black_box(&self.encoded)).is_ok(),
            _ => false,
        }
    }
}

const PARTS: [&str; 8] = [
    "compile",
    "decide_create",
    "validate_form",
    "decide_approve",
    "condition",
    "derive_work",
    "encode",
    "decode",
];

fn main() -> anyhow::Result<()> {
    let stage = Stage::set()?;
    for part in PARTS {
        anyhow::ensure!(stage.part(part), "{part} does not do its work");
    }
    if let Ok(wish) = std::env::var("ENGINE_REPEAT") {
        let (part, times) = wish.split_once(':').unwrap_or((&wish, "1"));
        for _ in 0..times.parse::<usize>()? {
            black_box(stage.part(part));
        }
        return Ok(());
    }
    let mut criterion = Criterion::default().configure_from_args();
    for part in PARTS {
        criterion.bench_function(part, |bencher| bencher.iter(|| stage.part(black_box(part))));
    }
    criterion.final_summary();
    Ok(())
}
