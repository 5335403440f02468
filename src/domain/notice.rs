//! Notices: one message to one person, by mail, in-app or both (contract http-admin-notifications 12.3 and 15.1).

use super::id::TicketStepId;
use super::json::JsonObject;
use super::person::Person;
use serde::{Deserialize, Serialize};

/// The template of a message (contract http-admin-notifications 12.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum TemplateKey {
    TicketCreated,
    ApprovalPending,
    ApprovalReassigned,
    Approved,
    Rejected,
    Skipped,
    InfoRequested,
    InfoResponded,
    FormPending,
    TaskAssigned,
    TaskReassigned,
    TaskCompleted,
    NoteAdded,
    RequesterNoteAdded,
    SlaReminder,
    SlaEscalation,
    TicketCancelled,
    TicketCompleted,
    LookupUserAssigned,
    ChangeRequestPending,
    ChangeRequestSubmitted,
    ChangeRequestApproved,
    ChangeRequestRejected,
    ChangeRequestCancelled,
    ChangeRequestWorkflowPaused,
    ChangeRequestWorkflowResumed,
}

/// Where a person sees an in-app notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum NoticeCategory {
    Approval,
    Task,
    InfoRequest,
    Ticket,
    System,
}

/// How a notice reaches its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A mail and an in-app notice.
    MailAndInApp,
    /// A mail only.
    Mail,
    /// An in-app notice only.
    InApp,
}

/// One message to one person, as the engine returns it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The template of the mail; also names the cause of an in-app notice.
    pub template: TemplateKey,
    /// How it is delivered.
    pub channel: Channel,
    /// Who gets it.
    pub recipient: Person,
    /// Values for the template; always has `ticket_id`, `ticket_title`, `workflow_id`, `workflow_name`.
    pub payload: JsonObject,
    /// Where it is listed in-app.
    pub category: NoticeCategory,
    /// The in-app title, plain text.
    pub title: String,
    /// The in-app message, plain text.
    pub message: String,
    /// A path within the SPA, starting with one slash.
    pub action_url: String,
    /// Who caused it, when that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Person>,
    /// The step it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_step_id: Option<TicketStepId>,
}
