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

impl TemplateKey {
    /// Every key, in the contract's order.
    pub const ALL: [Self; 26] = [
        Self::TicketCreated,
        Self::ApprovalPending,
        Self::ApprovalReassigned,
        Self::Approved,
        Self::Rejected,
        Self::Skipped,
        Self::InfoRequested,
        Self::InfoResponded,
        Self::FormPending,
        Self::TaskAssigned,
        Self::TaskReassigned,
        Self::TaskCompleted,
        Self::NoteAdded,
        Self::RequesterNoteAdded,
        Self::SlaReminder,
        Self::SlaEscalation,
        Self::TicketCancelled,
        Self::TicketCompleted,
        Self::LookupUserAssigned,
        Self::ChangeRequestPending,
        Self::ChangeRequestSubmitted,
        Self::ChangeRequestApproved,
        Self::ChangeRequestRejected,
        Self::ChangeRequestCancelled,
        Self::ChangeRequestWorkflowPaused,
        Self::ChangeRequestWorkflowResumed,
    ];

    /// The word in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TicketCreated => "TICKET_CREATED",
            Self::ApprovalPending => "APPROVAL_PENDING",
            Self::ApprovalReassigned => "APPROVAL_REASSIGNED",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Skipped => "SKIPPED",
            Self::InfoRequested => "INFO_REQUESTED",
            Self::InfoResponded => "INFO_RESPONDED",
            Self::FormPending => "FORM_PENDING",
            Self::TaskAssigned => "TASK_ASSIGNED",
            Self::TaskReassigned => "TASK_REASSIGNED",
            Self::TaskCompleted => "TASK_COMPLETED",
            Self::NoteAdded => "NOTE_ADDED",
            Self::RequesterNoteAdded => "REQUESTER_NOTE_ADDED",
            Self::SlaReminder => "SLA_REMINDER",
            Self::SlaEscalation => "SLA_ESCALATION",
            Self::TicketCancelled => "TICKET_CANCELLED",
            Self::TicketCompleted => "TICKET_COMPLETED",
            Self::LookupUserAssigned => "LOOKUP_USER_ASSIGNED",
            Self::ChangeRequestPending => "CHANGE_REQUEST_PENDING",
            Self::ChangeRequestSubmitted => "CHANGE_REQUEST_SUBMITTED",
            Self::ChangeRequestApproved => "CHANGE_REQUEST_APPROVED",
            Self::ChangeRequestRejected => "CHANGE_REQUEST_REJECTED",
            Self::ChangeRequestCancelled => "CHANGE_REQUEST_CANCELLED",
            Self::ChangeRequestWorkflowPaused => "CHANGE_REQUEST_WORKFLOW_PAUSED",
            Self::ChangeRequestWorkflowResumed => "CHANGE_REQUEST_WORKFLOW_RESUMED",
        }
    }

    /// The key with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == word)
    }

    /// The key in words for people: `TICKET_CREATED` becomes `Ticket Created`.
    pub fn title(self) -> String {
        let words = self.as_str().split('_').map(|word| {
            let (first, rest) = word.split_at(1);
            format!("{first}{}", rest.to_lowercase())
        });
        words.collect::<Vec<_>>().join(" ")
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_key_is_stored_under_its_word() {
        for key in TemplateKey::ALL {
            assert_eq!(serde_json::to_value(key).unwrap(), key.as_str());
            assert_eq!(TemplateKey::from_word(key.as_str()), Some(key));
        }
        assert_eq!(TemplateKey::SlaReminder.title(), "Sla Reminder");
    }
}
