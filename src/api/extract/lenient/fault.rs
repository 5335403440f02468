//! What stops one pass over the data.

use super::Place;
use std::fmt;

/// A visitor would not go on.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// The place, once known.
    pub(super) keys: Option<Vec<String>>,
    /// Whether a stand-in caused it, so that it is nobody's mistake.
    pub(super) under_stand_in: bool,
}

#[derive(Debug)]
pub(super) enum FaultKind {
    Missing(&'static str),
    Refused { kind: &'static str, message: String },
}

impl Fault {
    fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            keys: None,
            under_stand_in: false,
        }
    }

    /// The same fault at `place`, unless a deeper place is known already.
    pub(super) fn at(mut self, place: &Place<'_>, under_stand_in: bool) -> Self {
        if self.keys.is_none() {
            self.keys = Some(place.keys());
            self.under_stand_in = under_stand_in;
        }
        self
    }

    /// The same fault with a kind and text that fit the wanted type, unless a deeper value is at fault.
    pub(super) fn of_kind(mut self, kind: &'static str, message: &str) -> Self {
        if self.keys.is_none() {
            self.kind = FaultKind::Refused {
                kind,
                message: message.to_owned(),
            };
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FaultKind::Missing(field) => write!(f, "missing field {field}"),
            FaultKind::Refused { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        let kind = if message == crate::api::view::wire_time::NOT_AN_INSTANT {
            "datetime_from_date_parsing"
        } else {
            "value_error"
        };
        Self::new(FaultKind::Refused { kind, message })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(FaultKind::Missing(field))
    }
}
