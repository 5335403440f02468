//! What belongs to a ticket, on the wire (contract http-tickets 2.8).

use super::person::UserSnapshot;
use super::wire_time::{wire_time, wire_time_option};
use crate::api::schema::words;
use crate::domain::audit::{AuditEvent, AuditEventType};
use crate::domain::json::JsonObject;
use crate::domain::tail::StableKey;
use crate::domain::ticket::{
    ApprovalDecision, ApprovalTask, Handover, HandoverStatus, InfoRequest, InfoRequestStatus, TargetRole,
    Ticket,
};
use crate::repositories::audit_repo::AuditRow;
use serde::Serialize;
use utoipa::ToSchema;

/// An approver's vote.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApprovalTaskView {
    /// The approval's id.
    approval_task_id: String,
    /// The ticket.
    ticket_id: String,
    /// The step that waits for it.
    ticket_step_id: String,
    approver: UserSnapshot,
    /// What was decided, or that it waits.
    #[schema(schema_with = words::<ApprovalDecision>)]
    decision: ApprovalDecision,
    /// What was said with the decision.
    comment: Option<String>,
    /// When it was decided.
    decided_at: Option<String>,
    /// When it was asked for.
    created_at: String,
    /// When it last changed.
    updated_at: Option<String>,
    /// How often it has changed, as a number that grows.
    version: i64,
}

impl ApprovalTaskView {
    /// A vote on a ticket's step.
    pub fn of(ticket: &Ticket, task: &ApprovalTask) -> Self {
        Self {
            approval_task_id: task.id.to_string(),
            ticket_id: ticket.id.to_string(),
            ticket_step_id: task.ticket_step_id.to_string(),
            approver: (&task.approver).into(),
            decision: task.decision,
            comment: task.comment.clone(),
            decided_at: wire_time_option(task.decided_at),
            created_at: wire_time(task.created_at),
            updated_at: wire_time_option(task.updated_at),
            version: 1,
        }
    }
}

/// A question.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InfoRequestView {
    /// The question's id.
    info_request_id: String,
    /// The ticket.
    ticket_id: String,
    /// The step it holds up.
    ticket_step_id: String,
    requested_by: UserSnapshot,
    requested_from: UserSnapshot,
    /// In which role the person is asked.
    #[schema(schema_with = words::<TargetRole>)]
    requested_from_step_type: TargetRole,
    /// What it is about.
    subject: Option<String>,
    /// The question.
    question_text: String,
    /// Files that came with it.
    request_attachment_ids: Vec<String>,
    /// Where it stands.
    #[schema(schema_with = words::<InfoRequestStatus>)]
    status: InfoRequestStatus,
    /// The answer.
    response_text: Option<String>,
    /// Files that came with the answer.
    response_attachment_ids: Vec<String>,
    /// Who answered.
    responded_by: Option<UserSnapshot>,
    /// When it was asked.
    requested_at: String,
    /// When it was answered.
    responded_at: Option<String>,
}

impl InfoRequestView {
    /// A question on a ticket. A withdrawn one shows a closing text, by which clients see that it needs no answer.
    pub fn of(ticket: &Ticket, info: &InfoRequest) -> Self {
        let withdrawn = info.status == InfoRequestStatus::Cancelled;
        let closing = withdrawn.then(|| "Withdrawn: an answer is no longer needed.".to_owned());
        Self {
            info_request_id: info.id.to_string(),
            ticket_id: ticket.id.to_string(),
            ticket_step_id: info.ticket_step_id.to_string(),
            requested_by: (&info.requested_by).into(),
            requested_from: (&info.requested_from).into(),
            requested_from_step_type: info.target_role,
            subject: info.subject.clone(),
            question_text: info.question_text.clone(),
            request_attachment_ids: info
                .request_attachment_ids
                .iter()
                .map(ToString::to_string)
                .collect(),
            status: info.status,
            response_text: info.response_text.clone().or(closing),
            response_attachment_ids: info
                .response_attachment_ids
                .iter()
                .map(ToString::to_string)
                .collect(),
            responded_by: info.responded_by.as_ref().map(Into::into),
            requested_at: wire_time(info.requested_at),
            responded_at: wire_time_option(info.responded_at),
        }
    }
}

/// A handover request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HandoverView {
    /// The handover's id.
    handover_request_id: String,
    /// The ticket.
    ticket_id: String,
    /// The step that is handed over.
    ticket_step_id: String,
    requested_by: UserSnapshot,
    /// To whom the agent would hand it.
    requested_to: Option<UserSnapshot>,
    /// Why.
    reason: String,
    /// Where it stands.
    #[schema(schema_with = words::<HandoverStatus>)]
    status: HandoverStatus,
    /// Who decided.
    decided_by: Option<UserSnapshot>,
    /// What was said with the decision.
    decision_comment: Option<String>,
    /// Who took it over.
    new_assignee: Option<UserSnapshot>,
    /// When it was asked for.
    requested_at: String,
    /// When it was decided.
    decided_at: Option<String>,
}

impl HandoverView {
    /// A handover request on a ticket.
    pub fn of(ticket: &Ticket, handover: &Handover) -> Self {
        Self {
            handover_request_id: handover.id.to_string(),
            ticket_id: ticket.id.to_string(),
            ticket_step_id: handover.ticket_step_id.to_string(),
            requested_by: (&handover.requested_by).into(),
            requested_to: handover.requested_to.as_ref().map(Into::into),
            reason: handover.reason.clone(),
            status: handover.status,
            decided_by: handover.decided_by.as_ref().map(Into::into),
            decision_comment: handover.decision_comment.clone(),
            new_assignee: handover.new_assignee.as_ref().map(Into::into),
            requested_at: wire_time(handover.requested_at),
            decided_at: wire_time_option(handover.decided_at),
        }
    }
}

/// An audit event.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditEventView {
    /// The event's id.
    audit_event_id: String,
    /// The ticket.
    ticket_id: String,
    /// The step it is about.
    ticket_step_id: Option<String>,
    /// What happened.
    #[schema(schema_with = words::<AuditEventType>)]
    event_type: AuditEventType,
    actor: UserSnapshot,
    /// What else is known of it; its fields go with the kind of event.
    #[serde(serialize_with = "JsonObject::serialize_entries")]
    #[schema(value_type = Object)]
    details: JsonObject,
    /// When it happened.
    timestamp: String,
    /// The request that caused it.
    correlation_id: Option<String>,
}

impl From<&AuditRow> for AuditEventView {
    fn from(row: &AuditRow) -> Self {
        Self::of(&row.key, &row.body, &row.correlation_id)
    }
}

impl AuditEventView {
    /// An event with its place.
    pub fn of(key: &StableKey, event: &AuditEvent, correlation_id: &str) -> Self {
        Self {
            audit_event_id: event.public_id(key).to_string(),
            ticket_id: key.ticket_id.to_string(),
            ticket_step_id: event.ticket_step_id.as_ref().map(ToString::to_string),
            event_type: event.event_type,
            actor: (&event.actor).into(),
            details: event.details.clone(),
            timestamp: wire_time(event.at),
            correlation_id: Some(correlation_id.to_owned()),
        }
    }
}
