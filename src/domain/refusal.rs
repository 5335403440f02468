//! Why the engine refuses a command, in the language of the domain; status codes are none of its business.

use super::error::ErrorCode;
use super::id::StepKey;
use serde_json::{Map, Value, json};

/// A command was refused; nothing changes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No such ticket.
    #[error("ticket not found")]
    TicketNotFound,
    /// The ticket has no such step.
    #[error("step not found in this ticket")]
    StepNotFound,
    /// The ticket has no such handover, change request, approval task or note.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The workflow has no published version, or an embedded version is missing.
    #[error("{message}")]
    WorkflowNotFound {
        /// What is missing.
        message: String,
    },
    /// The wrong person.
    #[error("{0}")]
    PermissionDenied(&'static str),
    /// The right person at the wrong time.
    #[error("{0}")]
    InvalidState(String),
    /// The step already has an open question.
    #[error("an information request is already open on this step")]
    InfoRequestOpen,
    /// Something of which there may be one is there already.
    #[error("{0}")]
    AlreadyExists(String),
    /// Values of a form, or other inputs, break their rules; all messages are listed.
    #[error("{}", .messages.first().map_or("the values are not valid", String::as_str))]
    Validation {
        /// All messages, the first one is shown.
        messages: Vec<String>,
        /// The form the values belong to.
        step_id: Option<StepKey>,
    },
    /// No outgoing edge fits.
    #[error("no transition leads on from step {step_id} on {event}")]
    TransitionNotFound {
        /// The step that ended.
        step_id: StepKey,
        /// The event that ended it.
        event: &'static str,
        /// How many edges were drawn for that event.
        candidates: usize,
    },
    /// The next approval has no approver.
    #[error("{0}")]
    ApproverResolution(String),
    /// The requester has no manager and no contact address is configured.
    #[error("no manager could be determined for the requester, and the step names no contact address")]
    ManagerNotFound,
    /// The caller expected another version of the ticket.
    #[error("the ticket has changed; expected version {expected}, found {current}")]
    ConcurrencyConflict {
        /// The version the caller expected.
        expected: i64,
        /// The version now.
        current: i64,
    },
    /// A list inside the ticket is full.
    #[error("this ticket cannot hold more than {limit} {what}")]
    LimitReached {
        /// What there are too many of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The ticket would grow beyond what is stored.
    #[error("this ticket has become too large")]
    TicketTooLarge,
    /// An attachment that the command names does not exist or is not the caller's to use.
    #[error("attachment {0} cannot be used here")]
    AttachmentRefused(String),
}

impl Refusal {
    /// The right person at the wrong time.
    pub fn invalid_state(message: impl Into<String>) -> Self {
        Self::InvalidState(message.into())
    }

    /// One input breaks a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Validation {
            messages: vec![message.into()],
            step_id: None,
        }
    }

    /// The stable code of this refusal.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TicketNotFound => ErrorCode::TicketNotFound,
            Self::StepNotFound => ErrorCode::StepNotFound,
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::WorkflowNotFound { .. } => ErrorCode::WorkflowNotFound,
            Self::PermissionDenied(_) => ErrorCode::PermissionDenied,
            Self::InvalidState(_) => ErrorCode::InvalidState,
            Self::InfoRequestOpen => ErrorCode::InfoRequestOpen,
            Self::AlreadyExists(_) => ErrorCode::AlreadyExists,
            Self::Validation { .. } | Self::AttachmentRefused(_) => ErrorCode::ValidationError,
            Self::TransitionNotFound { .. } => ErrorCode::TransitionNotFound,
            Self::ApproverResolution(_) => ErrorCode::ApproverResolutionError,
            Self::ManagerNotFound => ErrorCode::ManagerNotFound,
            Self::ConcurrencyConflict { .. } => ErrorCode::ConcurrencyConflict,
            Self::LimitReached { .. } => ErrorCode::LimitReached,
            Self::TicketTooLarge => ErrorCode::TicketTooLarge,
        }
    }

    /// Machine-readable facts for the client.
    pub fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::Validation { messages, step_id } => {
                json!({"validation_errors": messages, "step_id": step_id})
            }
            Self::TransitionNotFound {
                step_id,
                event,
                candidates,
            } => {
                json!({"current_step_id": step_id, "event": event, "candidates_count": candidates})
            }
            Self::ConcurrencyConflict { expected, current } => {
                json!({"expected_version": expected, "current_version": current})
            }
            Self::LimitReached { what, limit } => json!({"what": what, "limit": limit}),
            Self::AttachmentRefused(id) => json!({"attachment_id": id}),
            Self::TicketNotFound
            | Self::StepNotFound
            | Self::NotFound { .. }
            | Self::WorkflowNotFound { .. }
            | Self::PermissionDenied(_)
            | Self::InvalidState(_)
            | Self::InfoRequestOpen
            | Self::AlreadyExists(_)
            | Self::ApproverResolution(_)
            | Self::ManagerNotFound
            | Self::TicketTooLarge => json!({}),
        };
        match details {
            Value::Object(map) => map,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        }
    }
}
