//! The 26 messages: subject, body, the variables each may use, and where its link leads (contract
//! http-admin-notifications 12.3).

use crate::domain::notice::TemplateKey;

/// Variables that every message has.
pub(super) const COMMON_VARIABLES: [&str; 7] = [
    "ticket_id",
    "ticket_title",
    "workflow_id",
    "workflow_name",
    "app_url",
    "company_name",
    "current_year",
];

/// Example values for previews (contract 12.2 h).
pub(super) const SAMPLES: [(&str, &str); 12] = [
    ("ticket_id", "TKT-0123456789ab"),
    ("ticket_title", "Laptop for a new colleague"),
    ("workflow_name", "Hardware request"),
    ("requester_name", "Ann Lee"),
    ("approver_name", "Bob Stone"),
    ("assigned_by_name", "Bob Stone"),
    ("question", "Which model do you need?"),
    ("subject", "Model"),
    ("reason", "It fits the team's budget."),
    ("responder_name", "Ann Lee"),
    ("step_name", "Manager approval"),
    ("due_date", "2026-01-05T09:30:00.000Z"),
];

const CALM: &str = "#1d4ed8";
const GOOD: &str = "#15803d";
const ALARM: &str = "#b91c1c";

/// One message as it is built in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub(super) subject: &'static str,
    pub(super) heading: &'static str,
    pub(super) accent: &'static str,
    pub(super) body: &'static str,
    pub(super) variables: &'static [&'static str],
    pub(super) link: Link,
}

/// Where a message's link leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Ticket,
    TicketTab(&'static str),
    ChangeRequests,
}

impl Link {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Ticket | Self::TicketTab(_) => "Open the ticket",
            Self::ChangeRequests => "Review the change",
        }
    }
}

macro_rules! message {
    ($file:literal, $heading:literal, $subject:literal, [$($variable:literal),* $(,)?]) => {
        message!($file, $heading, $subject, [$($variable),*], CALM, Link::Ticket)
    };
    ($file:literal, $heading:literal, $subject:literal, [$($variable:literal),* $(,)?], $accent:expr, $link:expr) => {
        Message {
            subject: $subject,
            heading: $heading,
            accent: $accent,
            body: include_str!(concat!("mail/", $file, ".html")),
            variables: &[$($variable),*],
            link: $link,
        }
    };
}

/// The built-in message of a key.
pub(super) const fn message(key: TemplateKey) -> Message {
    match key {
        TemplateKey::ChangeRequestPending
        | TemplateKey::ChangeRequestSubmitted
        | TemplateKey::ChangeRequestApproved
        | TemplateKey::ChangeRequestRejected
        | TemplateKey::ChangeRequestCancelled
        | TemplateKey::ChangeRequestWorkflowPaused
        | TemplateKey::ChangeRequestWorkflowResumed => change_request(key),
        _ => ticket(key),
    }
}

const fn ticket(key: TemplateKey) -> Message {
    match key {
        TemplateKey::ApprovalPending => message!(
            "approval_pending",
            "Your approval is needed",
            "Approval needed: {{ ticket_title }} ({{ requester_name }})",
            ["requester_name", "requester_email", "branch_name", "step_name"]
        ),
        TemplateKey::ApprovalReassigned => message!(
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
        ),
        TemplateKey::Approved => message!(
            "approved",
            "Approved",
            "Approved: {{ ticket_title }}",
            ["approver_name", "comment", "step_name"],
            GOOD,
            Link::Ticket
        ),
        TemplateKey::Rejected => message!(
            "rejected",
            "Rejected",
            "Rejected: {{ ticket_title }}",
            ["approver_name", "reason", "comment", "step_name"],
            ALARM,
            Link::Ticket
        ),
        TemplateKey::Skipped => message!(
            "skipped",
            "A step was skipped",
            "Skipped: {{ ticket_title }}",
            ["approver_name", "reason", "comment", "step_name"]
        ),
        TemplateKey::InfoRequested => message!(
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
        ),
        TemplateKey::InfoResponded => message!(
            "info_responded",
            "Your question was answered",
            "Answer: {{ ticket_title }}",
            ["responder_name", "response_summary", "step_name"]
        ),
        TemplateKey::FormPending => message!(
            "form_pending",
            "A form waits for you",
            "Form to fill in: {{ form_name }} ({{ ticket_title }})",
            ["form_name", "step_name"]
        ),
        TemplateKey::TaskAssigned => message!(
            "task_assigned",
            "A new task for you",
            "Task for you: {{ ticket_title }}",
            ["assigned_by_name", "step_name", "due_date", "requester_name"]
        ),
        TemplateKey::TaskReassigned => message!(
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
        ),
        TemplateKey::TaskCompleted => message!(
            "task_completed",
            "A task is done",
            "Task done: {{ ticket_title }}",
            ["step_name", "completed_by"],
            GOOD,
            Link::Ticket
        ),
        TemplateKey::NoteAdded => message!(
            "note_added",
            "A new note",
            "New note: {{ ticket_title }}",
            ["step_name", "step_type", "note_author", "note_preview"],
            CALM,
            Link::TicketTab("activity")
        ),
        TemplateKey::RequesterNoteAdded => message!(
            "requester_note_added",
            "A message from the requester",
            "New message: {{ ticket_title }}",
            ["requester_name", "note_preview"],
            CALM,
            Link::TicketTab("messages")
        ),
        TemplateKey::SlaReminder => message!(
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
        ),
        TemplateKey::SlaEscalation => message!(
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
        ),
        TemplateKey::TicketCancelled => message!(
            "ticket_cancelled",
            "Cancelled",
            "Cancelled: {{ ticket_title }}",
            ["cancelled_by", "reason"]
        ),
        TemplateKey::TicketCompleted => message!(
            "ticket_completed",
            "Completed",
            "Completed: {{ ticket_title }}",
            ["completion_time"],
            GOOD,
            Link::Ticket
        ),
        TemplateKey::LookupUserAssigned => message!(
            "lookup_user_assigned",
            "You have been named on a ticket",
            "You are {{ role_label }}: {{ ticket_title | brief(50) }}",
            ["user_name", "is_primary", "role_label", "assigned_by"]
        ),
        _ => message!(
            "ticket_created",
            "We have received your request",
            "Request received: {{ ticket_title }}",
            ["requester_name"]
        ),
    }
}

const fn change_request(key: TemplateKey) -> Message {
    match key {
        TemplateKey::ChangeRequestSubmitted => message!(
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
        ),
        TemplateKey::ChangeRequestApproved => message!(
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
        ),
        TemplateKey::ChangeRequestRejected => message!(
            "change_request_rejected",
            "Your change was refused",
            "Change refused: {{ ticket_title }}",
            ["change_request_id", "rejector_name", "notes"],
            ALARM,
            Link::Ticket
        ),
        TemplateKey::ChangeRequestCancelled => message!(
            "change_request_cancelled",
            "A change was withdrawn",
            "Change withdrawn: {{ ticket_title }}",
            ["change_request_id", "requester_name"]
        ),
        TemplateKey::ChangeRequestWorkflowPaused => message!(
            "change_request_workflow_paused",
            "Work is paused",
            "Work paused: {{ ticket_title }}",
            [
                "change_request_id",
                "requester_name",
                "paused_steps_count",
                "paused_steps"
            ]
        ),
        TemplateKey::ChangeRequestWorkflowResumed => message!(
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
        ),
        _ => message!(
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
        ),
    }
}
