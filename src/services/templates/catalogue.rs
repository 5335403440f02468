//! The 26 messages: subject, body, the variables each may use, and where its link leads (contract
//! http-admin-notifications 12.3).

mod messages;

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

/// The built-in message of a key.
pub(super) const fn message(key: TemplateKey) -> Message {
    match key {
        TemplateKey::TicketCreated => messages::TICKET_CREATED,
        TemplateKey::ApprovalPending => messages::APPROVAL_PENDING,
        TemplateKey::ApprovalReassigned => messages::APPROVAL_REASSIGNED,
        TemplateKey::Approved => messages::APPROVED,
        TemplateKey::Rejected => messages::REJECTED,
        TemplateKey::Skipped => messages::SKIPPED,
        TemplateKey::InfoRequested => messages::INFO_REQUESTED,
        TemplateKey::InfoResponded => messages::INFO_RESPONDED,
        TemplateKey::FormPending => messages::FORM_PENDING,
        TemplateKey::TaskAssigned => messages::TASK_ASSIGNED,
        TemplateKey::TaskReassigned => messages::TASK_REASSIGNED,
        TemplateKey::TaskCompleted => messages::TASK_COMPLETED,
        TemplateKey::NoteAdded => messages::NOTE_ADDED,
        TemplateKey::RequesterNoteAdded => messages::REQUESTER_NOTE_ADDED,
        TemplateKey::SlaReminder => messages::SLA_REMINDER,
        TemplateKey::SlaEscalation => messages::SLA_ESCALATION,
        TemplateKey::TicketCancelled => messages::TICKET_CANCELLED,
        TemplateKey::TicketCompleted => messages::TICKET_COMPLETED,
        TemplateKey::LookupUserAssigned => messages::LOOKUP_USER_ASSIGNED,
        TemplateKey::ChangeRequestPending => messages::CHANGE_REQUEST_PENDING,
        TemplateKey::ChangeRequestSubmitted => messages::CHANGE_REQUEST_SUBMITTED,
        TemplateKey::ChangeRequestApproved => messages::CHANGE_REQUEST_APPROVED,
        TemplateKey::ChangeRequestRejected => messages::CHANGE_REQUEST_REJECTED,
        TemplateKey::ChangeRequestCancelled => messages::CHANGE_REQUEST_CANCELLED,
        TemplateKey::ChangeRequestWorkflowPaused => messages::CHANGE_REQUEST_WORKFLOW_PAUSED,
        TemplateKey::ChangeRequestWorkflowResumed => messages::CHANGE_REQUEST_WORKFLOW_RESUMED,
    }
}
