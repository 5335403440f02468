//! The built-in messages, in the contract's order; their bodies are in `mail/`.

use super::{Link, Message};

const CALM: &str = "#1d4ed8";
const GOOD: &str = "#15803d";
const ALARM: &str = "#b91c1c";

macro_rules! message {
    ($file:literal, $heading:literal, $subject:literal, [$($variable:literal),* $(,)?]) => {
        message!($file, $heading, $subject, [$($variable),*], CALM, Link::Ticket)
    };
    ($file:literal, $heading:literal, $subject:literal, [$($variable:literal),* $(,)?], $accent:expr, $link:expr) => {
        Message {
            subject: $subject,
            heading: $heading,
            accent: $accent,
            body: include_str!(concat!("../mail/", $file, ".html")),
            variables: &[$($variable),*],
            link: $link,
        }
    };
}

pub(super) const TICKET_CREATED: Message = message!(
    "ticket_created",
    "We have received your request",
    "Request received: {{ ticket_title }}",
    ["requester_name"]
);

pub(super) const APPROVAL_PENDING: Message = message!(
    "approval_pending",
    "Your approval is needed",
    "Approval needed: {{ ticket_title }} ({{ requester_name }})",
    ["requester_name", "requester_email", "branch_name", "step_name"]
);

pub(super) const APPROVAL_REASSIGNED: Message = message!(
    "approval_reassigned",
    "An approval has been passed on to you",
    "Approval passed on to you: {{ ticket_title }}",
    [
        "requester_name",
        "reassigned_by_name",
        "reassigned_by_email",
        "reason",
        "step_name"
    ]
);

pub(super) const APPROVED: Message = message!(
    "approved",
    "Approved",
    "Approved: {{ ticket_title }}",
    ["approver_name", "comment", "step_name"],
    GOOD,
    Link::Ticket
);

pub(super) const REJECTED: Message = message!(
    "rejected",
    "Rejected",
    "Rejected: {{ ticket_title }}",
    ["approver_name", "reason", "comment", "step_name"],
    ALARM,
    Link::Ticket
);

pub(super) const SKIPPED: Message = message!(
    "skipped",
    "A step was skipped",
    "Skipped: {{ ticket_title }}",
    ["approver_name", "reason", "comment", "step_name"]
);

pub(super) const INFO_REQUESTED: Message = message!(
    "info_requested",
    "A question for you",
    "Question: {{ subject or ticket_title }}",
    [
        "requestor_name",
        "question",
        "subject",
        "attachment_count",
        "step_name"
    ]
);

pub(super) const INFO_RESPONDED: Message = message!(
    "info_responded",
    "Your question was answered",
    "Answer: {{ ticket_title }}",
    ["responder_name", "response_summary", "step_name"]
);

pub(super) const FORM_PENDING: Message = message!(
    "form_pending",
    "A form waits for you",
    "Form to fill in: {{ form_name }} ({{ ticket_title }})",
    ["form_name", "step_name"]
);

pub(super) const TASK_ASSIGNED: Message = message!(
    "task_assigned",
    "A new task for you",
    "Task for you: {{ ticket_title }}",
    ["assigned_by_name", "step_name", "due_date", "requester_name"]
);

pub(super) const TASK_REASSIGNED: Message = message!(
    "task_reassigned",
    "A task was passed on to you",
    "Task passed on to you: {{ ticket_title }}",
    [
        "previous_agent",
        "new_agent",
        "reassigned_by",
        "reason",
        "step_name"
    ]
);

pub(super) const TASK_COMPLETED: Message = message!(
    "task_completed",
    "A task is done",
    "Task done: {{ ticket_title }}",
    ["step_name", "completed_by"],
    GOOD,
    Link::Ticket
);

pub(super) const NOTE_ADDED: Message = message!(
    "note_added",
    "A new note",
    "New note: {{ ticket_title }}",
    ["step_name", "step_type", "note_author", "note_preview"],
    CALM,
    Link::TicketTab("activity")
);

pub(super) const REQUESTER_NOTE_ADDED: Message = message!(
    "requester_note_added",
    "A message from the requester",
    "New message: {{ ticket_title }}",
    ["requester_name", "note_preview"],
    CALM,
    Link::TicketTab("messages")
);

pub(super) const SLA_REMINDER: Message = message!(
    "sla_reminder",
    "Due soon",
    "Due soon: {{ ticket_title }}",
    [
        "step_name",
        "minutes_until_due",
        "time_remaining",
        "due_at",
        "assigned_to"
    ]
);

pub(super) const SLA_ESCALATION: Message = message!(
    "sla_escalation",
    "Overdue",
    "Overdue: {{ ticket_title }}",
    [
        "step_name",
        "overdue_minutes",
        "overdue_hours",
        "due_at",
        "assigned_to"
    ],
    ALARM,
    Link::Ticket
);

pub(super) const TICKET_CANCELLED: Message = message!(
    "ticket_cancelled",
    "Cancelled",
    "Cancelled: {{ ticket_title }}",
    ["cancelled_by", "reason"]
);

pub(super) const TICKET_COMPLETED: Message = message!(
    "ticket_completed",
    "Completed",
    "Completed: {{ ticket_title }}",
    ["completion_time"],
    GOOD,
    Link::Ticket
);

pub(super) const LOOKUP_USER_ASSIGNED: Message = message!(
    "lookup_user_assigned",
    "You have been named on a ticket",
    "You are {{ role_label }}: {{ ticket_title | brief(50) }}",
    ["user_name", "is_primary", "role_label", "assigned_by"]
);

pub(super) const CHANGE_REQUEST_PENDING: Message = message!(
    "change_request_pending",
    "A change needs your decision",
    "Change to decide: {{ ticket_title }} ({{ requester_name }})",
    [
        "change_request_id",
        "requester_name",
        "reason",
        "field_changes_count",
        "attachment_changes_count",
        "field_changes",
    ],
    CALM,
    Link::ChangeRequests
);

pub(super) const CHANGE_REQUEST_SUBMITTED: Message = message!(
    "change_request_submitted",
    "Your change was submitted",
    "Change submitted: {{ ticket_title }}",
    [
        "change_request_id",
        "assigned_to_name",
        "reason",
        "field_changes_count",
        "attachment_changes_count"
    ]
);

pub(super) const CHANGE_REQUEST_APPROVED: Message = message!(
    "change_request_approved",
    "Your change was accepted",
    "Change accepted: {{ ticket_title }}",
    [
        "change_request_id",
        "approver_name",
        "notes",
        "field_changes_count",
        "new_version"
    ],
    GOOD,
    Link::Ticket
);

pub(super) const CHANGE_REQUEST_REJECTED: Message = message!(
    "change_request_rejected",
    "Your change was refused",
    "Change refused: {{ ticket_title }}",
    ["change_request_id", "rejector_name", "notes"],
    ALARM,
    Link::Ticket
);

pub(super) const CHANGE_REQUEST_CANCELLED: Message = message!(
    "change_request_cancelled",
    "A change was withdrawn",
    "Change withdrawn: {{ ticket_title }}",
    ["change_request_id", "requester_name"]
);

pub(super) const CHANGE_REQUEST_WORKFLOW_PAUSED: Message = message!(
    "change_request_workflow_paused",
    "Work is paused",
    "Work paused: {{ ticket_title }}",
    [
        "change_request_id",
        "requester_name",
        "paused_steps_count",
        "paused_steps"
    ]
);

pub(super) const CHANGE_REQUEST_WORKFLOW_RESUMED: Message = message!(
    "change_request_workflow_resumed",
    "Work goes on",
    "Work goes on: {{ ticket_title }}",
    [
        "change_request_id",
        "resolution",
        "resolver_name",
        "resumed_steps_count",
        "resumed_steps",
        "message"
    ]
);
