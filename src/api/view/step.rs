//! Steps on the wire (contract http-tickets 2.7). What the pinned version says is added here, it is not stored.

use super::person::UserSnapshot;
use super::step_data::StepData;
use super::ticket::word;
use super::wire_time::wire_time_option;
use crate::api::schema::{optional_words, words};
use crate::domain::ticket::{
    ApprovalDecision, ApprovalRule, EmbeddedRun, InfoRequest, Outcome, Step, StepState,
};
use crate::domain::workflow::StepType;
use crate::services::tickets::OpenedTicket;
use serde::Serialize;
use utoipa::ToSchema;

/// A step.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepView {
    /// The step's own id in this ticket.
    ticket_step_id: String,
    /// The ticket.
    ticket_id: String,
    /// The step of the workflow that it follows.
    step_id: String,
    /// Its name in the workflow.
    step_name: String,
    /// What kind of step it is.
    #[schema(schema_with = words::<StepType>)]
    step_type: StepType,
    /// Where it stands.
    #[schema(schema_with = words::<StepState>)]
    state: StepState,
    assigned_to: Option<UserSnapshot>,
    /// What its kind of step has stored: form values, notes, why it is on hold.
    #[schema(value_type = Object)]
    data: StepData,
    /// What it came to; absent until it is over.
    #[schema(schema_with = optional_words::<Outcome>)]
    outcome: Option<Outcome>,
    /// When it was reached.
    started_at: Option<String>,
    /// When it was over.
    completed_at: Option<String>,
    /// When it is late.
    due_at: Option<String>,
    /// The state it returns to once it is no longer on hold, asked about or paused.
    #[schema(schema_with = optional_words::<StepState>)]
    previous_state: Option<StepState>,
    /// How often it has changed, as a number that grows.
    version: i64,
    /// How often the ticket has come to this step, itself included.
    round: u32,
    /// Addresses of the approvers who have not decided; absent where one person approves.
    parallel_pending_approvers: Option<Vec<String>>,
    /// Addresses of those who have.
    parallel_completed_approvers: Option<Vec<String>>,
    /// Whether any one of them or all must approve.
    parallel_approval_rule: Option<String>,
    /// The approver that the step is assigned to.
    primary_approver_email: Option<String>,
    /// The branch it belongs to.
    branch_id: Option<String>,
    /// That branch's name.
    branch_name: Option<String>,
    /// The fork that the branch comes from.
    parent_fork_step_id: Option<String>,
    /// The branch's place among those of its fork, from 0.
    branch_order: Option<usize>,
    /// The embedding step it belongs to.
    parent_sub_workflow_step_id: Option<String>,
    /// The embedded workflow.
    from_sub_workflow_id: Option<String>,
    /// Which version of it.
    from_sub_workflow_version: Option<i32>,
    /// Its name.
    from_sub_workflow_name: Option<String>,
    /// Its place among the steps of the embedded workflow.
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
            data: StepData::of(opened, step),
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

/// A step on which the caller can act.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ActionableTask {
    /// The step's own id in this ticket.
    ticket_step_id: String,
    /// The step of the workflow that it follows.
    step_id: String,
    /// Its name in the workflow.
    step_name: String,
    /// What kind of step it is.
    step_type: String,
    /// Where it stands.
    #[schema(schema_with = words::<StepState>)]
    state: StepState,
    /// What the caller may do with it now.
    available_actions: Vec<&'static str>,
    /// The branch it belongs to.
    branch_id: Option<String>,
    /// That branch's name.
    branch_name: Option<String>,
    /// The embedding step it belongs to.
    parent_sub_workflow_step_id: Option<String>,
    /// The embedded workflow's name.
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
