//! Errors as the layers above the engine speak of them; `api::envelope` is the one place that maps them to HTTP.

use super::refusal::Refusal;
use serde_json::{Map, Value};
use std::time::Duration;

/// The stable code of an error on the wire (contract http-tickets 1.5, http-workflows 0.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    missing_docs,
    reason = "each variant is named like the code it stands for, and the contract's table explains it"
)]
pub enum ErrorCode {
    AuthenticationError,
    AuthorizationError,
    PermissionDenied,
    ValidationError,
    WorkflowValidationError,
    NotFound,
    MethodNotAllowed,
    WorkflowNotFound,
    TicketNotFound,
    StepNotFound,
    AttachmentNotFound,
    AlreadyExists,
    Conflict,
    InvalidState,
    InfoRequestOpen,
    ConcurrencyConflict,
    PreconditionFailed,
    IdempotencyKeyReused,
    TicketTooLarge,
    LimitReached,
    TransitionNotFound,
    ApproverResolutionError,
    ManagerNotFound,
    AttachmentError,
    InvalidMimeType,
    AttachmentTooLarge,
    PayloadTooLarge,
    RateLimitExceeded,
    GraphApiError,
    OpenaiError,
    ExternalServiceError,
    ServiceUnavailable,
    RequestTimeout,
    AiChatError,
    InternalError,
}

impl ErrorCode {
    /// The code as written on the wire.
    pub fn as_str(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(text)) => text,
            _ => "INTERNAL_ERROR".to_owned(),
        }
    }
}

/// One input that was refused: where it is and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where: `body`, `query` or `path`, then the keys that lead to the field.
    pub location: Vec<String>,
    /// A stable word for the kind of fault, for example `missing` (contract http-tickets 1.6).
    pub kind: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

/// Why a use case was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The engine refused the command; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No or no valid proof of identity.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller lacks the right; the text says nothing of the object.
    #[error("{message}")]
    Forbidden {
        /// What is wrong, for people.
        message: String,
    },
    /// The object does not exist.
    #[error("{message}")]
    NotFound {
        /// Which kind of object.
        code: ErrorCode,
        /// What is wrong, for people.
        message: String,
    },
    /// Fields of the request are wrong; all of them are listed.
    #[error("the request is not valid")]
    InvalidInput(Vec<FieldError>),
    /// The request is wrong as a whole.
    #[error("{message}")]
    BadRequest {
        /// Which kind of fault.
        code: ErrorCode,
        /// What is wrong, for people.
        message: String,
        /// Machine-readable facts.
        details: Map<String, Value>,
    },
    /// The request does not fit the present state.
    #[error("{message}")]
    Conflict {
        /// Which kind of conflict.
        code: ErrorCode,
        /// What is wrong, for people.
        message: String,
        /// Machine-readable facts.
        details: Map<String, Value>,
    },
    /// `If-Match` named another version than the current one.
    #[error("the document has changed; its version is now {current_version}")]
    PreconditionFailed {
        /// The version now.
        current_version: i64,
    },
    /// The same idempotency key was used with another body.
    #[error("this idempotency key was used with another request body")]
    IdempotencyKeyReused,
    /// The body or file is larger than allowed.
    #[error("{message}")]
    TooLarge {
        /// `ATTACHMENT_TOO_LARGE` or `PAYLOAD_TOO_LARGE`.
        code: ErrorCode,
        /// What is wrong, for people.
        message: String,
    },
    /// Too many requests from this caller.
    #[error("too many requests")]
    RateLimited {
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// Our own database or a queue cannot serve now; nothing was changed or the outcome will be found by a repeat.
    #[error("the service is busy or its database is unavailable")]
    Unavailable {
        /// When it may be tried again.
        retry_after: Duration,
        /// The cause, for the log only.
        #[source]
        source: Option<anyhow::Error>,
    },
    /// Another service failed.
    #[error("{message}")]
    External {
        /// Which service.
        code: ErrorCode,
        /// A neutral text for people.
        message: &'static str,
        /// The cause, for the log only.
        #[source]
        source: Option<anyhow::Error>,
    },
    /// A defect of this program; the text is for the log only.
    #[error("defect: {0}")]
    Defect(#[source] anyhow::Error),
}

impl ServiceError {
    /// An object of the kind `code` does not exist.
    pub fn not_found(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::NotFound {
            code,
            message: message.into(),
        }
    }

    /// The caller lacks the right.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::Forbidden {
            message: message.into(),
        }
    }

    /// The request is wrong as a whole.
    pub fn bad_request(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::BadRequest {
            code,
            message: message.into(),
            details: Map::new(),
        }
    }

    /// One field of the body is wrong.
    pub fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        Self::InvalidInput(vec![FieldError {
            location: vec!["body".to_owned(), field.to_owned()],
            kind: "value_error",
            message: message.into(),
        }])
    }

    /// The request does not fit the present state.
    pub fn conflict(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            message: message.into(),
            details: Map::new(),
        }
    }

    /// The database cannot serve now.
    pub fn unavailable(source: impl Into<anyhow::Error>) -> Self {
        Self::Unavailable {
            retry_after: Duration::from_secs(1),
            source: Some(source.into()),
        }
    }

    /// A defect of this program.
    pub fn defect(text: impl Into<String>) -> Self {
        Self::Defect(anyhow::anyhow!(text.into()))
    }
}
