//! What the ticket routes answer.

use crate::api::view::change_request::PendingChangeView;
use crate::api::view::person::UserSnapshot;
use crate::api::view::records::{ApprovalTaskView, AuditEventView, HandoverView, InfoRequestView};
use crate::api::view::step::{ActionableTask, StepView};
use crate::api::view::ticket::{TicketView, word};
use crate::api::view::wire_time::{wire_time, wire_time_option};
use crate::domain::person::Actor;
use crate::domain::ticket::{InfoRequestStatus, Step, StepState};
use crate::domain::workflow::StepType;
use crate::engine::permission_guard;
use crate::repositories::audit_repo::AuditRow;
use crate::services::tickets::{
    ApprovalItem, DecisionItem, HandoverItem, OpenedTicket, PreviousAgent, Question, StepItem, TicketDetail,
    TicketService,
};
use serde::Serialize;
use utoipa::ToSchema;

/// The id of a new ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketCreated {
    /// The id.
    #[schema(example = "TKT-0a1b2c3d4e5f")]
    pub(crate) ticket_id: String,
}

/// A ticket's page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketDetailView {
    ticket: TicketView,
    /// The step where it is; the first of several.
    current_step: Option<StepView>,
    /// Its steps, in the order in which they were reached.
    steps: Vec<StepView>,
    /// Its questions.
    info_requests: Vec<InfoRequestView>,
    /// Its newest events, newest first.
    audit_events: Vec<AuditEventView>,
    /// What the caller may act on now.
    actionable_tasks: Vec<ActionableTask>,
}

impl TicketDetailView {
    pub(crate) fn of(detail: &TicketDetail, actor: &Actor) -> Self {
        let opened = &detail.opened;
        let mut questions: Vec<_> = opened.ticket.info_requests.iter().collect();
        questions.sort_by_key(|info| std::cmp::Reverse(info.requested_at));
        let steps = opened.steps_in_order();
        Self {
            ticket: opened.into(),
            current_step: opened.current_step().map(|step| StepView::of(opened, step)),
            steps: steps.iter().map(|step| StepView::of(opened, step)).collect(),
            info_requests: questions
                .into_iter()
                .map(|info| InfoRequestView::of(&opened.ticket, info))
                .collect(),
            audit_events: detail.events.iter().map(Into::into).collect(),
            actionable_tasks: actionable(opened, &steps, actor),
        }
    }
}

/// The steps on which the actor can do something, with what.
fn actionable(opened: &OpenedTicket, steps: &[&Step], actor: &Actor) -> Vec<ActionableTask> {
    let with_actions = steps.iter().filter_map(|step| {
        let actions = permission_guard::available_actions(&opened.ticket, actor, step);
        (!actions.is_empty()).then(|| ActionableTask::of(opened, step, actions))
    });
    with_actions.collect()
}

/// The answer of every action.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionResponse {
    ticket: TicketView,
    /// The step where the ticket is now.
    current_step: Option<StepView>,
    /// What the caller may act on now.
    actionable_tasks: Vec<ActionableTask>,
    /// Its newest events, newest first.
    newest_audit_events: Vec<AuditEventView>,
}

impl ActionResponse {
    pub(crate) fn of(opened: &OpenedTicket, events: &[AuditRow], actor: &Actor) -> Self {
        Self {
            ticket: opened.into(),
            current_step: opened.current_step().map(|step| StepView::of(opened, step)),
            actionable_tasks: actionable(opened, &opened.steps_in_order(), actor),
            newest_audit_events: events.iter().map(Into::into).collect(),
        }
    }
}

/// A ticket in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedTicket {
    #[serde(flatten)]
    ticket: TicketView,
    first_approval_completed: bool,
}

impl From<&OpenedTicket> for ListedTicket {
    fn from(opened: &OpenedTicket) -> Self {
        Self {
            ticket: opened.into(),
            first_approval_completed: TicketService::first_approval_completed(&opened.ticket),
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Paged<T> {
    /// The page.
    pub(crate) items: Vec<T>,
    /// Which page, from 1.
    pub(crate) page: u64,
    /// How many a page holds at most.
    pub(crate) page_size: i64,
    /// How many there are in all; counting over everybody stops at 10 000.
    pub(crate) total: u64,
}

/// What lists show of an open question.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenQuestionView {
    /// The question's id.
    info_request_id: String,
    requested_from: UserSnapshot,
    /// When it was asked.
    requested_at: String,
    /// What it is about.
    subject: Option<String>,
}

/// The ticket of a pending approval.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketToApprove {
    #[serde(flatten)]
    ticket: TicketView,
    /// The same as `manager_snapshot`: by this name the approvals' screen looks for whom else to ask.
    manager: Option<UserSnapshot>,
}

impl From<&OpenedTicket> for TicketToApprove {
    fn from(opened: &OpenedTicket) -> Self {
        Self {
            ticket: opened.into(),
            manager: opened.ticket.manager.as_ref().map(Into::into),
        }
    }
}

/// A pending approval.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalItemView {
    approval_task: ApprovalTaskView,
    ticket: TicketToApprove,
    /// The step.
    step: Option<StepView>,
    /// Whether a question holds the step up.
    has_open_info_request: bool,
    /// That question.
    open_info_request: Option<OpenQuestionView>,
    /// Whether a change request pauses the ticket.
    is_waiting_for_cr: bool,
    /// That change request.
    pending_cr_info: Option<PendingChangeView>,
}

impl From<&ApprovalItem> for ApprovalItemView {
    fn from(item: &ApprovalItem) -> Self {
        let ticket = &item.opened.ticket;
        let step = ticket.step(&item.task.ticket_step_id);
        let question = ticket.open_question(&item.task.ticket_step_id);
        let waits = step.is_some_and(|step| ticket.state_of(step) == StepState::WaitingForCr);
        Self {
            approval_task: ApprovalTaskView::of(ticket, &item.task),
            ticket: (&*item.opened).into(),
            step: step.map(|step| StepView::of(&item.opened, step)),
            has_open_info_request: question.is_some(),
            open_info_request: question.map(|info| OpenQuestionView {
                info_request_id: info.id.to_string(),
                requested_from: (&info.requested_from).into(),
                requested_at: wire_time(info.requested_at),
                subject: info.subject.clone(),
            }),
            is_waiting_for_cr: waits,
            pending_cr_info: ticket.pending_change_request().filter(|_| waits).map(Into::into),
        }
    }
}

/// A step with its ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepItemView {
    /// The step.
    step: Option<StepView>,
    ticket: TicketView,
}

impl From<&StepItem> for StepItemView {
    fn from(item: &StepItem) -> Self {
        let step = item.opened.ticket.step(&item.step_id);
        Self {
            step: step.map(|step| StepView::of(&item.opened, step)),
            ticket: (&*item.opened).into(),
        }
    }
}

/// A handover with its ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HandoverItemView {
    handover_request: HandoverView,
    ticket: TicketView,
    /// The step.
    step: Option<StepView>,
}

impl From<&HandoverItem> for HandoverItemView {
    fn from((handover, opened): &HandoverItem) -> Self {
        let step = opened.ticket.step(&handover.ticket_step_id);
        Self {
            handover_request: HandoverView::of(&opened.ticket, handover),
            ticket: (&**opened).into(),
            step: step.map(|step| StepView::of(opened, step)),
        }
    }
}

/// A list without pages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Unpaged<T> {
    pub(crate) items: Vec<T>,
}

/// An agent's task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentTaskView {
    /// The step.
    step: StepView,
    ticket: TicketView,
    /// A handover that waits for a decision.
    pending_handover: Option<HandoverView>,
    /// Who gave the task to this agent.
    assigned_by: Option<UserSnapshot>,
    /// Whether a question holds the step up.
    has_open_info_request: bool,
    /// That question.
    open_info_request: Option<InfoRequestView>,
    /// Whether a change request pauses the ticket.
    is_waiting_for_cr: bool,
    /// That change request.
    pending_cr_info: Option<PendingChangeView>,
}

impl AgentTaskView {
    pub(crate) fn of(item: &StepItem) -> Option<Self> {
        let ticket = &item.opened.ticket;
        let step: &Step = ticket.step(&item.step_id)?;
        let question = ticket.open_question(&step.id);
        let pending = ticket.pending_change_request();
        Some(Self {
            step: StepView::of(&item.opened, step),
            ticket: (&*item.opened).into(),
            pending_handover: ticket
                .pending_handover(&step.id)
                .map(|handover| HandoverView::of(ticket, handover)),
            assigned_by: ticket
                .active_assignment(&step.id)
                .map(|assignment| (&assignment.assigned_by).into()),
            has_open_info_request: question.is_some(),
            open_info_request: question.map(|info| InfoRequestView::of(ticket, info)),
            is_waiting_for_cr: pending.is_some(),
            pending_cr_info: pending.map(Into::into),
        })
    }
}

/// A question in somebody's inbox.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuestionView {
    /// The question's id.
    info_request_id: String,
    /// The ticket.
    ticket_id: String,
    /// The ticket's title.
    ticket_title: String,
    /// The step it holds up.
    ticket_step_id: String,
    /// That step's name.
    step_name: String,
    /// What kind of step it is.
    step_type: String,
    /// The ticket's workflow.
    workflow_name: String,
    /// What it is about.
    subject: Option<String>,
    /// The question.
    question_text: String,
    requested_by: UserSnapshot,
    requested_from: UserSnapshot,
    /// When it was asked.
    requested_at: String,
    /// Where it stands.
    #[schema(schema_with = crate::api::schema::words::<InfoRequestStatus>)]
    status: InfoRequestStatus,
    /// Files that came with it.
    request_attachment_ids: Vec<String>,
}

impl From<&Question> for QuestionView {
    fn from(question: &Question) -> Self {
        let (ticket, info) = (&question.opened.ticket, &question.info);
        let step = ticket.step(&info.ticket_step_id);
        Self {
            info_request_id: info.id.to_string(),
            ticket_id: ticket.id.to_string(),
            ticket_title: ticket.title.clone(),
            ticket_step_id: info.ticket_step_id.to_string(),
            step_name: step.map(|step| step.name.clone()).unwrap_or_default(),
            step_type: step.map(|step| word(&step.kind)).unwrap_or_default(),
            workflow_name: ticket.workflow.name.clone(),
            subject: info.subject.clone(),
            question_text: info.question_text.clone(),
            requested_by: (&info.requested_by).into(),
            requested_from: (&info.requested_from).into(),
            requested_at: wire_time(info.requested_at),
            status: info.status,
            request_attachment_ids: info
                .request_attachment_ids
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

/// A decision taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionView {
    ticket: TicketView,
    /// What was decided.
    approval_decision: String,
    /// When.
    decided_at: String,
    /// The step's name in the workflow.
    step_name: String,
    /// The approval's id.
    approval_task_id: Option<String>,
    /// The step's own id in its ticket.
    ticket_step_id: String,
    /// What was said with it.
    comment: Option<String>,
}

impl From<&DecisionItem> for DecisionView {
    fn from(item: &DecisionItem) -> Self {
        let text = |key: &str| {
            item.row
                .body
                .row
                .get(key)
                .and_then(serde_json::Value::as_str)
                .map(str::to_owned)
        };
        Self {
            ticket: (&*item.opened).into(),
            approval_decision: text("decision").unwrap_or_default(),
            decided_at: wire_time(item.row.body.at),
            step_name: text("step_name").unwrap_or_default(),
            approval_task_id: text("approval_task_id"),
            ticket_step_id: text("ticket_step_id").unwrap_or_default(),
            comment: text("comment"),
        }
    }
}

/// Somebody who has worked on a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviousAgentView {
    /// The person's address.
    email: String,
    /// The object id, when known.
    aad_id: Option<String>,
    /// The name.
    display_name: String,
    /// The step they worked on.
    step_name: String,
    /// What kind of step it was.
    step_type: String,
    /// `Agent` or `Approver`.
    role: &'static str,
    /// When the work ended; empty when unknown.
    completed_at: String,
}

impl From<&PreviousAgent> for PreviousAgentView {
    fn from(agent: &PreviousAgent) -> Self {
        Self {
            email: agent.person.email.to_string(),
            aad_id: agent.person.aad_id.clone(),
            display_name: agent.person.display_name.clone(),
            step_name: agent.step_name.clone(),
            step_type: word(&agent.step_type),
            role: if agent.step_type == StepType::Approval {
                "Approver"
            } else {
                "Agent"
            },
            completed_at: wire_time_option(agent.at).unwrap_or_default(),
        }
    }
}
