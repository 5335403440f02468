//! Steps on the wire (contract http-tickets 2.7). What the pinned version says is added here, it is not stored.

use super::person::UserSnapshot;
use super::ticket::word;
use super::wire_time::{wire_time, wire_time_option};
use crate::api::schema::{optional_words, words};
use crate::domain::ticket::{
    ApprovalDecision, ApprovalRule, EmbeddedRun, InfoRequest, NoteKind, Outcome, Step, StepState, TaskWork,
};
use crate::domain::workflow::StepType;
use crate::engine::definition::{StepDefinition, StepKind};
use crate::services::tickets::OpenedTicket;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// A step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepView {
    ticket_step_id: String,
    ticket_id: String,
    step_id: String,
    step_name: String,
    #[schema(schema_with = words::<StepType>)]
    step_type: StepType,
    #[schema(schema_with = words::<StepState>)]
    state: StepState,
    assigned_to: Option<UserSnapshot>,
    #[schema(value_type = Object)]
    data: Map<String, Value>,
    #[schema(schema_with = optional_words::<Outcome>)]
    outcome: Option<Outcome>,
    started_at: Option<String>,
    completed_at: Option<String>,
    due_at: Option<String>,
    #[schema(schema_with = optional_words::<StepState>)]
    previous_state: Option<StepState>,
    version: i64,
    round: u32,
    parallel_pending_approvers: Option<Vec<String>>,
    parallel_completed_approvers: Option<Vec<String>>,
    parallel_approval_rule: Option<String>,
    primary_approver_email: Option<String>,
    branch_id: Option<String>,
    branch_name: Option<String>,
    parent_fork_step_id: Option<String>,
    branch_order: Option<usize>,
    parent_sub_workflow_step_id: Option<String>,
    from_sub_workflow_id: Option<String>,
    from_sub_workflow_version: Option<i32>,
    from_sub_workflow_name: Option<String>,
    sub_workflow_step_order: Option<u32>,
}

impl StepView {
    /// A step of an opened ticket.
    pub fn of(opened: &OpenedTicket, step: &Step) -> Self {
        let ticket = &opened.ticket;
        let question = ticket.open_question(&step.id).map(InfoRequest::waits_for);
        let branch = Branch::of(opened, step);
        let run = embedded_run(opened, step);
        let votes = Votes::of(opened, step);
        Self {
            ticket_step_id: step.id.to_string(),
            ticket_id: ticket.id.to_string(),
            step_id: step.key.to_string(),
            step_name: step.name.clone(),
            step_type: step.kind,
            state: step.state(question),
            assigned_to: step.assignee.as_ref().map(Into::into),
            data: data(opened, step),
            outcome: step.outcome,
            started_at: wire_time_option(step.started_at),
            completed_at: wire_time_option(step.completed_at),
            due_at: wire_time_option(step.due_at),
            previous_state: step.hidden_state(question),
            version: step.version,
            round: step.round,
            parallel_pending_approvers: votes.as_ref().map(|votes| votes.pending.clone()),
            parallel_completed_approvers: votes.as_ref().map(|votes| votes.completed.clone()),
            parallel_approval_rule: votes.as_ref().map(|votes| votes.rule.to_owned()),
            primary_approver_email: votes.map(|votes| votes.primary),
            branch_id: branch.as_ref().map(|branch| branch.id.clone()),
            branch_name: branch.as_ref().map(|branch| branch.name.clone()),
            parent_fork_step_id: branch.as_ref().map(|branch| branch.fork.clone()),
            branch_order: branch.and_then(|branch| branch.order),
            parent_sub_workflow_step_id: step.container.as_ref().map(ToString::to_string),
            from_sub_workflow_id: run.map(|run| run.version.workflow_id.to_string()),
            from_sub_workflow_version: run.map(|run| run.version.version_number),
            from_sub_workflow_name: run.map(|run| run.name.clone()),
            sub_workflow_step_order: step.container_order,
        }
    }
}

/// The embedded run that a step belongs to.
fn embedded_run<'a>(opened: &'a OpenedTicket, step: &Step) -> Option<&'a EmbeddedRun> {
    let container = opened.ticket.step(step.container.as_ref()?)?;
    container.embedded.as_ref()
}

/// The branch a step runs in, else the one it is drawn in.
struct Branch {
    id: String,
    name: String,
    fork: String,
    order: Option<usize>,
}

impl Branch {
    fn of(opened: &OpenedTicket, step: &Step) -> Option<Self> {
        let workflow = opened.workflow_of(step)?;
        let (id, name, fork) = if let Some(at) = &step.branch {
            let activation = opened.ticket.fork(&at.fork)?;
            let branch = opened.ticket.branch(at)?;
            (
                at.branch.clone(),
                branch.name.clone(),
                activation.fork_key.clone(),
            )
        } else {
            let label = workflow.branch_of.get(&step.key)?;
            (label.branch.clone(), label.name.clone(), label.fork.clone())
        };
        let order = workflow
            .branches_of(&fork)
            .iter()
            .position(|branch| branch.key == id && branch.start == step.key);
        Some(Self {
            id: id.to_string(),
            name,
            fork: fork.to_string(),
            order,
        })
    }
}

/// How a parallel approval stands, by address.
struct Votes {
    pending: Vec<String>,
    completed: Vec<String>,
    rule: &'static str,
    primary: String,
}

impl Votes {
    fn of(opened: &OpenedTicket, step: &Step) -> Option<Self> {
        let round = step.approval.as_ref()?;
        let rule = match round.rule {
            ApprovalRule::Single => return None,
            ApprovalRule::All => "ALL",
            ApprovalRule::Any => "ANY",
            ApprovalRule::Majority | ApprovalRule::Required(_) | ApprovalRule::Percentage(_) => "MAJORITY",
        };
        let of = |wanted: ApprovalDecision| {
            let tasks = opened
                .ticket
                .approval_tasks_of(&step.id)
                .filter(move |task| task.decision == wanted);
            tasks.map(|task| task.approver.email.to_string()).collect()
        };
        Some(Self {
            pending: of(ApprovalDecision::Pending),
            completed: of(ApprovalDecision::Approved),
            rule,
            primary: round.primary.to_string(),
        })
    }
}

/// What is particular to a step's type and to what people did to it (contract http-tickets 2.7).
fn data(opened: &OpenedTicket, step: &Step) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |key: &str, value: Value| {
        data.insert(key.to_owned(), value);
    };
    let definition = opened
        .workflow_of(step)
        .and_then(|workflow| workflow.step(&step.key));
    if let Some(definition) = definition {
        for (key, value) in from_definition(definition) {
            put(key, value);
        }
    }
    if let Some(values) = &step.form_values {
        put("form_values", values.to_value());
    }
    if let Some(run) = &step.embedded {
        put("sub_workflow_id", json!(run.version.workflow_id));
        put("sub_workflow_version", json!(run.version.version_number));
        put("sub_workflow_name", json!(run.name));
        put("sub_workflow_step_count", json!(run.step_count));
        put("sub_workflow_start_step_id", json!(run.start_step_id));
    }
    if let Some(work) = &step.task {
        for (key, value) in from_work(work) {
            put(&key, value);
        }
    }
    if let Some(hold) = &step.hold {
        put("hold_reason", json!(hold.reason));
        put("held_at", json!(wire_time(hold.held_at)));
        put("held_by", json!(hold.held_by.email));
        if let Some(at) = hold.resumed_at {
            put("resumed_at", json!(wire_time(at)));
            put(
                "resumed_by",
                json!(hold.resumed_by.as_ref().map(|person| &person.email)),
            );
        }
    }
    if let Some(skip) = &step.skip {
        put("skipped_reason", json!(skip.reason));
        put("skipped_by", json!(skip.skipped_by.email));
    }
    if let Some(at) = step.sla_acknowledged_at {
        put("sla_acknowledged", json!(true));
        put("sla_acknowledged_at", json!(wire_time(at)));
    }
    if matches!(step.kind, StepType::Approval | StepType::Task) {
        put("notes", notes(opened, step));
    }
    data
}

/// Keys that answers take from the definition as it was published.
fn from_definition(definition: &StepDefinition) -> Vec<(&'static str, Value)> {
    let raw = |key: &'static str| definition.raw.get(key).cloned();
    let list = |key: &'static str| (key, raw(key).filter(Value::is_array).unwrap_or_else(|| json!([])));
    let present = |key: &'static str| {
        raw(key)
            .filter(|value| !value.is_null())
            .map(|value| (key, value))
    };
    match &definition.kind {
        StepKind::Form(_) => std::iter::once(list("fields"))
            .chain(present("sections"))
            .collect(),
        StepKind::Task(task) => {
            let fields = ["output_fields", "fields"]
                .into_iter()
                .filter_map(raw)
                .find(|fields| fields.as_array().is_some_and(|fields| !fields.is_empty()));
            vec![
                ("instructions", json!(task.instructions)),
                ("execution_notes_required", json!(task.execution_notes_required)),
                ("output_fields", fields.unwrap_or_else(|| json!([]))),
                list("sections"),
            ]
        }
        StepKind::Fork(_) => std::iter::once(list("branches"))
            .chain(present("failure_policy"))
            .collect(),
        StepKind::Join(_) => ["source_fork_step_id", "join_mode"]
            .into_iter()
            .filter_map(present)
            .collect(),
        StepKind::Approval(_) | StepKind::Notify(_) | StepKind::SubWorkflow(_) => Vec::new(),
    }
}

fn from_work(work: &TaskWork) -> Vec<(String, Value)> {
    let mut values = Vec::new();
    if let Some(linked) = &work.linked {
        values.extend(linked.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    let mut put = |key: &str, value: Option<Value>| values.extend(value.map(|value| (key.to_owned(), value)));
    put(
        "execution_notes",
        work.execution_notes.as_ref().map(|notes| json!(notes)),
    );
    put(
        "output_values",
        work.output_values
            .as_ref()
            .map(crate::domain::json::JsonObject::to_value),
    );
    put(
        "draft_values",
        work.draft_values
            .as_ref()
            .map(crate::domain::json::JsonObject::to_value),
    );
    put(
        "draft_execution_notes",
        work.draft_execution_notes.as_ref().map(|notes| json!(notes)),
    );
    put(
        "draft_saved_at",
        work.draft_saved_at.map(|at| json!(wire_time(at))),
    );
    put("draft_saved_by", work.draft_saved_by.as_ref().map(three_keys));
    values
}

fn notes(opened: &OpenedTicket, step: &Step) -> Value {
    let own = opened
        .notes
        .iter()
        .filter(|row| matches!(&row.body.kind, NoteKind::Step(id) if *id == step.id));
    let shown = own.map(|row| {
        json!({
            "content": row.body.content,
            "actor": three_keys(&row.body.author),
            "timestamp": wire_time(row.body.at),
            "attachment_ids": row.body.attachment_ids,
        })
    });
    Value::Array(shown.collect())
}

/// A person as notes and drafts show one (contract http-tickets 2.4).
fn three_keys(person: &crate::domain::person::Person) -> Value {
    json!({"aad_id": person.aad_id, "email": person.email, "display_name": person.display_name})
}

/// A step on which the caller can act.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ActionableTask {
    ticket_step_id: String,
    step_id: String,
    step_name: String,
    step_type: String,
    #[schema(schema_with = words::<StepState>)]
    state: StepState,
    available_actions: Vec<&'static str>,
    branch_id: Option<String>,
    branch_name: Option<String>,
    parent_sub_workflow_step_id: Option<String>,
    from_sub_workflow_name: Option<String>,
}

impl ActionableTask {
    /// A step with the actions that are offered on it.
    pub fn of(opened: &OpenedTicket, step: &Step, available_actions: Vec<&'static str>) -> Self {
        let branch = Branch::of(opened, step);
        let run = embedded_run(opened, step);
        Self {
            ticket_step_id: step.id.to_string(),
            step_id: step.key.to_string(),
            step_name: step.name.clone(),
            step_type: word(&step.kind),
            state: opened.ticket.state_of(step),
            available_actions,
            branch_id: branch.as_ref().map(|branch| branch.id.clone()),
            branch_name: branch.map(|branch| branch.name),
            parent_sub_workflow_step_id: step.container.as_ref().map(ToString::to_string),
            from_sub_workflow_name: run.map(|run| run.name.clone()),
        }
    }
}
