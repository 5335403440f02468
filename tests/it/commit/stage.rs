//! People, a published workflow, and short words for commands.

use super::process::Process;
use mongodb::Database;
use serde_json::{Value, json};
use workflow_ops::app::App;
use workflow_ops::domain::error::ServiceError;
use workflow_ops::domain::id::{StepKey, TicketId, TicketStepId, WorkflowId, WorkflowVersionId};
use workflow_ops::domain::json::JsonObject;
use workflow_ops::domain::person::{Actor, Email, Person};
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::Timestamp;
use workflow_ops::domain::workflow::{Definition, VersionRef, WorkflowVersion};
use workflow_ops::engine::Command;
use workflow_ops::repositories::workflow_version_repo::WorkflowVersionRepo;
use workflow_ops::services::execute::{CommandRequest, CreateRequest, Executed, IdempotencyKey, fingerprint};

/// The requester.
pub(crate) const ANN: &str = "ann.lee@example.com";
/// The requester's manager.
pub(crate) const MARK: &str = "mark.stone@example.com";
/// An agent.
pub(crate) const IVAN: &str = "ivan.novak@example.com";
/// Somebody without a part in anything.
pub(crate) const ZOE: &str = "zoe.quinn@example.com";

/// Stores the workflow that these tests run: form, approval by the manager, task, notification.
pub(crate) async fn publish(database: &Database) -> VersionRef {
    let field = json!({"field_key": "amount", "field_label": "Amount", "field_type": "NUMBER", "required": true, "order": 0});
    let definition = json!({
        "start_step_id": "ask",
        "steps": [
            {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "fields": [field]},
            {"step_id": "manager", "step_name": "Manager", "step_type": "APPROVAL_STEP", "approver_resolution": "REQUESTER_MANAGER",
             "sla": {"due_minutes": 60, "reminders": [{"minutes_before_due": 30}], "escalations": [{"minutes_after_due": 10}]}},
            {"step_id": "deliver", "step_name": "Deliver", "step_type": "TASK_STEP", "execution_notes_required": false},
            {"step_id": "done", "step_name": "Done", "step_type": "NOTIFY_STEP", "is_terminal": true,
             "notification_template": "TICKET_COMPLETED", "recipients": ["requester"]},
        ],
        "transitions": [
            {"from_step_id": "ask", "to_step_id": "manager", "on_event": "SUBMIT_FORM"},
            {"from_step_id": "manager", "to_step_id": "deliver", "on_event": "APPROVE"},
            {"from_step_id": "deliver", "to_step_id": "done", "on_event": "COMPLETE_TASK"},
        ],
    });
    let version = WorkflowVersion {
        id: WorkflowVersionId::random(),
        workflow_id: WorkflowId::random(),
        version_number: 1,
        name: "Laptop request".to_owned(),
        description: None,
        category: None,
        tags: Vec::new(),
        definition: Definition(object(definition)),
        published_by: person(MARK),
        published_at: Timestamp::from_millis(0),
        change_summary: None,
    };
    let reference = VersionRef {
        workflow_id: version.workflow_id.clone(),
        version_number: 1,
    };
    WorkflowVersionRepo::new(database)
        .rows()
        .insert_one(version)
        .await
        .unwrap();
    reference
}

/// A test's application with the workflow published.
pub(crate) async fn stage() -> (Process, VersionRef) {
    let app = Process::new().await;
    let version = publish(&app.database).await;
    (app, version)
}

/// The object in a JSON value.
pub(crate) fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(map) => JsonObject::from(map),
        other => panic!("{other} is no object"),
    }
}

/// A person by address.
pub(crate) fn person(address: &str) -> Person {
    Person::from_email(Email::try_from(address).unwrap())
}

/// A caller by address.
pub(crate) fn actor(address: &str) -> Actor {
    Actor::plain(person(address))
}

/// The wish to raise a ticket with this title.
pub(crate) fn create_request(version: &VersionRef, title: &str) -> CreateRequest {
    CreateRequest {
        version: version.clone(),
        title: title.to_owned(),
        description: None,
        initial_form_values: object(json!({"amount": 500})),
        attachment_ids: Vec::new(),
        initial_form_step_ids: vec![StepKey::from("ask")],
        actor: actor(ANN),
        correlation_id: "create".to_owned(),
        idempotency: None,
        fingerprint: fingerprint(&[title]),
    }
}

/// Raises a ticket as Ann.
pub(crate) async fn create(app: &App, version: &VersionRef, title: &str) -> Executed {
    app.execute.create(create_request(version, title)).await.unwrap()
}

/// A command without key or expected version.
pub(crate) fn request(who: &str, ticket_id: &TicketId, command: Command) -> CommandRequest {
    CommandRequest {
        ticket_id: ticket_id.clone(),
        command,
        actor: actor(who),
        correlation_id: "test".to_owned(),
        idempotency: None,
        expected: None,
    }
}

/// Sends a command.
pub(crate) async fn run(
    app: &App,
    who: &str,
    ticket_id: &TicketId,
    command: Command,
) -> Result<Executed, ServiceError> {
    app.execute.run(request(who, ticket_id, command)).await
}

/// A client's key for a body.
pub(crate) fn key(key: &str, body: &str) -> IdempotencyKey {
    IdempotencyKey {
        key: key.to_owned(),
        route: "POST /tickets/{id}".to_owned(),
        fingerprint: fingerprint(&[body]),
    }
}

/// The id of the newest instance of a step.
pub(crate) fn step(ticket: &Ticket, key: &str) -> TicketStepId {
    ticket
        .newest_instance(None, &StepKey::from(key))
        .unwrap()
        .id
        .clone()
}

/// An approval of the manager's step.
pub(crate) fn approve(ticket: &Ticket) -> Command {
    Command::Approve {
        step: step(ticket, "manager"),
        comment: None,
    }
}

/// A note on the manager's step.
pub(crate) fn note(ticket: &Ticket, text: &str) -> Command {
    Command::AddNote {
        step: step(ticket, "manager"),
        content: text.to_owned(),
        attachment_ids: Vec::new(),
    }
}

/// The assignment of Ivan to the task.
pub(crate) fn assign(ticket: &Ticket) -> Command {
    Command::Assign {
        step: step(ticket, "deliver"),
        agent: workflow_ops::engine::command::NamedPerson {
            email: Email::try_from(IVAN).unwrap(),
            aad_id: None,
            display_name: None,
        },
    }
}

/// The completion of the task.
pub(crate) fn complete(ticket: &Ticket) -> Command {
    Command::CompleteTask {
        step: step(ticket, "deliver"),
        execution_notes: None,
        output_values: JsonObject::new(),
        attachment_ids: Vec::new(),
    }
}
