//! Why the model gave no answer; the texts hold nothing of the request or the provider's words.

use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// As many requests are waiting for their turn as may.
    #[error("the language model is busy")]
    Busy,
    /// No answer within the budget.
    #[error("the language model did not answer in time")]
    TimedOut,
    /// The provider refuses more requests, until after the budget.
    #[error("the language model's provider accepts no more requests now")]
    RateLimited {
        /// When it may be tried again, if the provider said so.
        retry_after: Option<Duration>,
    },
    /// The provider's content filter refused the request or the answer.
    #[error("the language model's content filter refused the text")]
    ContentFiltered,
    /// The provider does not accept the request.
    #[error("the language model's provider refused the request with status {status} ({})", code.as_deref().unwrap_or("no code"))]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The provider's code.
        code: Option<String>,
    },
    /// The provider has a fault.
    #[error("the language model's provider failed with status {status}")]
    Failing {
        /// The HTTP status.
        status: u16,
    },
    /// No connection, or it ended early.
    #[error("the connection to the language model failed")]
    Unreachable,
    /// The answer has another form than the protocol says.
    #[error("the language model's answer cannot be read: {0}")]
    Malformed(&'static str),
    /// The answer is longer than accepted.
    #[error("the language model's answer is too long")]
    TooLarge,
}

impl ModelError {
    /// Whether the same request may succeed a little later.
    pub(super) const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. } | Self::Failing { .. } | Self::Unreachable
        )
    }

    /// The pause that the provider asked for.
    pub(super) const fn wanted_pause(&self) -> Option<Duration> {
        if let Self::RateLimited { retry_after } = self {
            *retry_after
        } else {
            None
        }
    }
}
