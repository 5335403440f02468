//! What the service writes for a command, caught from the service itself: one journey per requester is played through
//! the commit path in this process, and the commands that the driver sends are kept.

use crate::hot::{self, Ballot};
use crate::people::{Member, People, Requester};
use crate::template::{TITLE_MARK, Template};
use anyhow::Context;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Database;
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::ClientOptions;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use workflow_ops::app::App;
use workflow_ops::config::{Settings, Sources};
use workflow_ops::domain::id::{StepKey, TicketId, TicketStepId, WorkflowId};
use workflow_ops::domain::json::JsonObject;
use workflow_ops::domain::person::{Actor, AdminRole};
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::{Clock, Timestamp};
use workflow_ops::engine::command::NamedPerson;
use workflow_ops::engine::{Command, Definitions};
use workflow_ops::repositories::mongo::majority_with_journal;
use workflow_ops::services::access::{ChangedBy, GrantAdmin};
use workflow_ops::services::execute::{CommandRequest, Executed};
use workflow_ops::services::tickets::NewTicket;
use workflow_ops::services::workflows::NewWorkflow;

/// The collections that the relay fills, rank by rank; those of one rank are written side by side.
pub(crate) const RANKS: [&[&str]; 2] = [
    &[
        "audit_events",
        "ticket_commands",
        "work_history",
        "ticket_notes",
        "form_versions",
    ],
    &["notification_outbox", "inapp_notifications"],
];

/// What one command writes.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// The update, or the inserted document of a creation.
    pub(crate) write: Template,
    /// The version after it.
    pub(crate) version: i64,
    /// How many entries it adds to the tail.
    pub(crate) entries: usize,
    /// What the relay writes for it.
    pub(crate) rows: Vec<(&'static str, Template)>,
    /// The ticket as stored once the relay is done.
    pub(crate) stored: Template,
}

/// One requester's journey.
#[derive(Debug, Clone)]
pub(crate) struct Journey {
    /// Who.
    pub(crate) requester: Requester,
    /// Who works on it.
    pub(crate) agent: Member,
    /// The manager's step.
    pub(crate) approval: TicketStepId,
    /// The agent's step.
    pub(crate) task: TicketStepId,
    /// Creation, approval, assignment, completion.
    pub(crate) commits: [Commit; 4],
}

/// The commands that the driver has sent.
#[derive(Debug, Clone, Default)]
struct Caught(Arc<Mutex<Vec<Document>>>);

impl Caught {
    fn handler(&self) -> EventHandler<CommandEvent> {
        let caught = self.clone();
        EventHandler::callback(move |event| {
            if let CommandEvent::Started(started) = event
                && matches!(started.command_name.as_str(), "insert" | "update")
            {
                let mut all = caught.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend(apart(started.command));
            }
        })
    }

    /// The commit of one command of a ticket, taken out.
    fn take(&self, ticket: &TicketId, version: i64) -> anyhow::Result<Document> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all
            .iter()
            .position(|command| is_commit(command, ticket, version).unwrap_or(false))
            .context("the commit of a command was not caught")?;
        Ok(all.swap_remove(at))
    }
}

/// A command for each statement of an update and each document of an insert: what went to the server together is
/// written apart again.
fn apart(command: Document) -> Vec<Document> {
    let list = if command.contains_key("updates") {
        "updates"
    } else {
        "documents"
    };
    let writes = match command.get_array(list) {
        Ok(writes) if writes.len() > 1 => writes.clone(),
        Ok(_) | Err(_) => return vec![command],
    };
    let alone = |write| {
        let mut alone = command.clone();
        alone.insert(list, vec![write]);
        alone
    };
    writes.into_iter().map(alone).collect()
}

fn is_commit(command: &Document, ticket: &TicketId, version: i64) -> Option<bool> {
    if command.get_str("insert").ok() == Some("tickets") {
        let inserted = command.get_array("documents").ok()?.first()?.as_document()?;
        return Some(inserted.get_str("_id").ok()? == ticket.as_str() && version == 1);
    }
    if command.get_str("update").ok() != Some("tickets") {
        return Some(false);
    }
    let statement = command.get_array("updates").ok()?.first()?.as_document()?;
    let set = statement.get_document("u").ok()?.get_document("$set").ok()?;
    let query = statement.get_document("q").ok()?;
    Some(query.get_str("_id").ok()? == ticket.as_str() && set.get_i64("version").ok()? == version)
}

/// An application in this process whose commands to the database are caught.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    app: App,
    caught: Caught,
    unwatched: Database,
    /// The workflow of the measurements.
    pub(crate) workflow: WorkflowId,
}

impl Rehearsal {
    /// Builds it over a database with indexes and publishes the workflow.
    pub(crate) async fn open(uri: &str, name: &str, people: &People, folder: &Path) -> anyhow::Result<Self> {
        let caught = Caught::default();
        let mut options = ClientOptions::parse(uri).await?;
        options.write_concern = Some(majority_with_journal());
        let unwatched = mongodb::Client::with_options(options.clone())?.database(name);
        options.command_event_handler = Some(caught.handler());
        let database = mongodb::Client::with_options(options)?.database(name);
        let (storage, file) = (folder.display().to_string(), people.file.display().to_string());
        let settings = Settings::from_sources(Sources::of_pairs(&[
            ("MONGO_URI", uri),
            ("STORAGE_PATH", &storage),
            ("DEV_PEOPLE_FILE", &file),
            ("MAIL_TRANSPORT", "disabled"),
        ]))?;
        let app = App::build(settings, Clock::System, database)?;
        let mut designer = people.administrator.actor.clone();
        designer.personas.designer = true;
        let workflow = publish(&app, &designer, "Laptop request", laptop()).await?;
        Ok(Self {
            app,
            caught,
            unwatched,
            workflow,
        })
    }

    /// The database, for writing much into it: nothing that goes this way is caught.
    pub(crate) const fn database(&self) -> &Database {
        &self.unwatched
    }

    /// Makes somebody an administrator.
    pub(crate) async fn appoint(&self, member: &Member) -> anyhow::Result<()> {
        let person = &member.actor.person;
        let grant = GrantAdmin {
            email: person.email.clone(),
            display_name: person.display_name.clone(),
            aad_id: person.aad_id.clone(),
            role: AdminRole::SuperAdmin,
        };
        self.app
            .access
            .grant_admin(&grant, &ChangedBy::operator())
            .await?;
        Ok(())
    }

    /// The versions that a ticket runs.
    pub(crate) async fn definitions_of(&self, ticket: &Ticket) -> anyhow::Result<Definitions> {
        Ok(self.app.facts.definitions_of(ticket).await?)
    }

    /// Plays the journey of one requester.
    pub(crate) async fn journey(&self, requester: &Requester, agent: &Member) -> anyhow::Result<Journey> {
        let new = NewTicket {
            workflow_id: self.workflow.to_string(),
            title: title(TITLE_MARK),
            description: Some("The old one is five years old and does not hold its charge.".to_owned()),
            initial_form_values: JsonObject::from(values()),
            attachment_ids: Vec::new(),
            initial_form_step_ids: vec![StepKey::from("ask")],
            fingerprint: workflow_ops::domain::id::random_key(),
        };
        let raised = self
            .app
            .tickets
            .raise(requester.member.actor.clone(), new, correlation(), None)
            .await?;
        let id = raised.ticket.id.clone();
        let created = self.commit_of(&raised).await?;
        let approval = live_step(&raised.ticket)?;
        let command = Command::Approve {
            step: approval.clone(),
            comment: Some("Fine with me.".to_owned()),
        };
        let done = self.run(&requester.manager, &id, command).await?;
        let approved = self.commit_of(&done).await?;
        let task = live_step(&done.ticket)?;
        let command = Command::Assign {
            step: task.clone(),
            agent: NamedPerson {
                email: agent.actor.person.email.clone(),
                aad_id: None,
                display_name: None,
            },
        };
        let done = self.run(&requester.manager, &id, command).await?;
        let assigned = self.commit_of(&done).await?;
        let command = Command::CompleteTask {
            step: task.clone(),
            execution_notes: Some("Handed over.".to_owned()),
            output_values: JsonObject::from(output()),
            attachment_ids: Vec::new(),
        };
        let done = self.run(agent, &id, command).await?;
        let completed = self.commit_of(&done).await?;
        Ok(Journey {
            requester: requester.clone(),
            agent: agent.clone(),
            approval,
            task,
            commits: [created, approved, assigned, completed],
        })
    }

    /// Plays a vote: everybody approves the step of their own branch, one after another.
    pub(crate) async fn ballot(&self, people: &People) -> anyhow::Result<Ballot> {
        let mut designer = people.administrator.actor.clone();
        designer.personas.designer = true;
        let workflow = publish(&self.app, &designer, "Vote", Ok(hot::definition(people))).await?;
        let requester = people
            .readers
            .first()
            .context("there is nobody to raise a vote")?;
        let new = NewTicket {
            workflow_id: workflow.to_string(),
            title: title(TITLE_MARK),
            description: None,
            initial_form_values: JsonObject::from(object(&json!({"model": "Standard 14"}))),
            attachment_ids: Vec::new(),
            initial_form_step_ids: vec![StepKey::from("ask")],
            fingerprint: workflow_ops::domain::id::random_key(),
        };
        let raised = self
            .app
            .tickets
            .raise(requester.member.actor.clone(), new, correlation(), None)
            .await?;
        let mut ballot = Ballot {
            votes: Vec::new(),
            commits: vec![self.commit_of(&raised).await?],
        };
        for voter in people.actors.iter().take(hot::VOTERS) {
            let task = raised
                .ticket
                .approval_tasks
                .iter()
                .find(|task| task.approver.is_same(&voter.member.actor.person));
            let step = task.context("somebody has no vote")?.ticket_step_id.clone();
            let command = Command::Approve {
                step: step.clone(),
                comment: Some("Fine with me.".to_owned()),
            };
            let done = self.run(&voter.member, &raised.ticket.id, command).await?;
            ballot.commits.push(self.commit_of(&done).await?);
            ballot.votes.push((voter.member.clone(), step));
        }
        Ok(ballot)
    }

    async fn run(&self, who: &Member, ticket: &TicketId, command: Command) -> anyhow::Result<Executed> {
        let request = CommandRequest {
            ticket_id: ticket.clone(),
            command,
            actor: who.actor.clone(),
            correlation_id: correlation(),
            idempotency: None,
            expected: None,
        };
        Ok(self.app.execute.run(request).await?)
    }

    /// What a command wrote: the caught commit, and the rows once the relay has carried them on.
    async fn commit_of(&self, executed: &Executed) -> anyhow::Result<Commit> {
        let (id, version) = (&executed.ticket.id, executed.version);
        let at = executed.ticket.updated_at;
        let stored = self.wait_for_relay(id).await?;
        let caught = self.caught.take(id, version)?;
        let (write, tail) = commit_document(caught)?;
        let entries = tail.len();
        let mut rows = Vec::new();
        for collection in RANKS.into_iter().flatten() {
            let found: Vec<Document> = self
                .app
                .database
                .collection::<Document>(collection)
                .find(doc! {"_id": {"$regex": format!("^{id}:{version}:")}})
                .await?
                .try_collect()
                .await?;
            for row in found {
                rows.push((*collection, Template::of(&row, id, at)?));
            }
        }
        Ok(Commit {
            write: Template::of(&write, id, at)?,
            version,
            entries,
            rows,
            stored: Template::of(&stored, id, at)?,
        })
    }

    async fn wait_for_relay(&self, id: &TicketId) -> anyhow::Result<Document> {
        let tickets = self.app.database.collection::<Document>("tickets");
        for _ in 0..1_000 {
            let stored = tickets.find_one(doc! {"_id": id.as_str()}).await?;
            let stored = stored.context("a ticket vanished")?;
            if stored.get_array("tail")?.is_empty() {
                return Ok(stored);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        anyhow::bail!("the relay did not carry on within two seconds")
    }
}

/// The update command or the inserted document, without what the driver adds; and the tail entries in it.
fn commit_document(mut command: Document) -> anyhow::Result<(Document, Vec<Bson>)> {
    if command.contains_key("insert") {
        let documents = command.get_array_mut("documents")?;
        let Some(Bson::Document(inserted)) = documents.pop() else {
            anyhow::bail!("an insert without a document was caught");
        };
        let tail = inserted.get_array("tail")?.clone();
        return Ok((inserted, tail));
    }
    let mut kept = Document::new();
    for field in ["update", "updates", "writeConcern"] {
        if let Some(value) = command.remove(field) {
            kept.insert(field, value);
        }
    }
    let statement = kept.get_array("updates")?.first().and_then(Bson::as_document);
    let push = statement
        .context("an update without a statement was caught")?
        .get_document("u")?;
    let tail = push
        .get_document("$push")?
        .get_document("tail")?
        .get_array("$each")?
        .clone();
    Ok((kept, tail))
}

fn live_step(ticket: &Ticket) -> anyhow::Result<TicketStepId> {
    let live = ticket.steps.iter().rfind(|step| step.is_live());
    Ok(live.context("the ticket has no live step")?.id.clone())
}

fn correlation() -> String {
    format!("COR-{}", Timestamp::from_millis(0).millis())
}

/// A title of a fixed length.
pub(crate) fn title(word: &str) -> String {
    format!("A laptop for the new office {word}")
}

/// What requesters fill in.
pub(crate) fn values() -> serde_json::Map<String, Value> {
    object(&json!({
        "model": "Standard 14", "amount": 1450, "needed_by": "2099-06-30",
        "reason": "The old one is five years old and its battery lasts half an hour.",
        "cost_centre": "SA-1234",
        "__section_accessories": [{"item": "Dock", "quantity": 1}, {"item": "Headset", "quantity": 2}],
    }))
}

/// What agents fill in.
pub(crate) fn output() -> serde_json::Map<String, Value> {
    object(&json!({"serial": "LT-2099-0001", "handed_over": true}))
}

fn object(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn laptop() -> anyhow::Result<serde_json::Map<String, Value>> {
    let seed: Value = serde_json::from_str(include_str!("../../config/workflows/1-laptop-request.json"))?;
    Ok(object(seed.get("definition").unwrap_or(&Value::Null)))
}

/// Publishes a workflow and answers its id.
pub(crate) async fn publish(
    app: &App,
    designer: &Actor,
    name: &str,
    definition: anyhow::Result<serde_json::Map<String, Value>>,
) -> anyhow::Result<WorkflowId> {
    let new = NewWorkflow {
        name: name.to_owned(),
        description: None,
        category: Some("IT".to_owned()),
        tags: Vec::new(),
    };
    let template = app.workflows.create(designer, new).await?;
    let id = template.id.clone();
    app.workflows
        .save_draft(designer, id.as_str(), &definition?, None, None)
        .await?;
    app.workflows.publish(designer, id.as_str(), None).await?;
    Ok(id)
}
