//! What this server turned out not to understand, learned from its refusals and remembered by the process.

use std::sync::atomic::{AtomicU8, Ordering};

/// The server has no structured output by schema.
const NO_SCHEMA: u8 = 1;
/// The server has no JSON mode either.
const NO_JSON_MODE: u8 = 1 << 1;
/// The server wants the old name of the length limit.
const OLD_LENGTH: u8 = 1 << 2;
/// The model accepts no temperature.
const NO_TEMPERATURE: u8 = 1 << 3;
/// The server does not know options of streams.
const NO_STREAM_OPTIONS: u8 = 1 << 4;

/// How requests are phrased for this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dialect(u8);

impl Dialect {
    pub(super) const fn has_schema(self) -> bool {
        self.0 & NO_SCHEMA == 0
    }

    pub(super) const fn has_json_mode(self) -> bool {
        self.0 & NO_JSON_MODE == 0
    }

    pub(super) const fn has_new_length(self) -> bool {
        self.0 & OLD_LENGTH == 0
    }

    pub(super) const fn has_temperature(self) -> bool {
        self.0 & NO_TEMPERATURE == 0
    }

    pub(super) const fn has_stream_options(self) -> bool {
        self.0 & NO_STREAM_OPTIONS == 0
    }

    /// The dialect to try after a request in this one was refused; `None` when the refusal has another reason.
    pub(super) fn after_refusal(self, param: Option<&str>, message: &str) -> Option<Self> {
        let names = |word: &str| param.is_some_and(|param| param.contains(word)) || message.contains(word);
        let lacking = if names("response_format") || names("json_schema") {
            if self.has_schema() {
                NO_SCHEMA
            } else {
                NO_JSON_MODE
            }
        } else if names("max_completion_tokens") {
            OLD_LENGTH
        } else if names("temperature") {
            NO_TEMPERATURE
        } else if names("stream_options") {
            NO_STREAM_OPTIONS
        } else {
            return None;
        };
        let learned = Self(self.0 | lacking);
        (learned != self).then_some(learned)
    }
}

/// The dialect as far as it is known; shared by all calls.
#[derive(Debug, Default)]
pub(super) struct LearnedDialect(AtomicU8);

impl LearnedDialect {
    pub(super) fn current(&self) -> Dialect {
        Dialect(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn learn(&self, dialect: Dialect) {
        self.0.fetch_or(dialect.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_output_falls_back_to_plain_json_and_then_to_text() {
        let first = Dialect::default();
        let second = first.after_refusal(Some("response_format"), "unknown").unwrap();
        assert!(!second.has_schema() && second.has_json_mode());
        let third = second
            .after_refusal(None, "response_format is not supported")
            .unwrap();
        assert!(!third.has_json_mode());
        assert_eq!(third.after_refusal(Some("response_format"), ""), None);
    }

    #[test]
    fn a_refusal_for_another_reason_teaches_nothing() {
        assert_eq!(
            Dialect::default().after_refusal(Some("messages"), "too many"),
            None
        );
    }
}
