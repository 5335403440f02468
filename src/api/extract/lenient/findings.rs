//! What one reading of the data has found, and where.

use super::fault::{Fault, FaultKind};
use super::{MAX_FAULTS, Origin};
use crate::domain::error::FieldError;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// What has been found so far.
pub(super) struct Findings {
    pub(super) origin: Origin,
    /// Places whose fault is known and that get a stand-in.
    pub(super) replaced: RefCell<BTreeSet<Vec<String>>>,
    /// Faults that outlive a pass: missing fields and refused values.
    lasting: RefCell<Vec<FieldError>>,
    /// Faults that every pass finds again.
    pub(super) of_pass: RefCell<Vec<FieldError>>,
}

impl Findings {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin,
            replaced: RefCell::default(),
            lasting: RefCell::default(),
            of_pass: RefCell::default(),
        }
    }

    /// Notes a value of the wrong kind; the caller goes on with a stand-in.
    pub(super) fn note(&self, place: &Place<'_>, kind: &'static str, message: impl Into<String>) {
        let mut found = self.of_pass.borrow_mut();
        if found.len() < MAX_FAULTS {
            found.push(self.field_error(place.keys(), kind, message.into()));
        }
    }

    /// Remembers what stopped a pass; `false` when reading again would stop there again.
    pub(super) fn remember(&self, fault: Fault) -> bool {
        let mut keys = fault.keys.unwrap_or_default();
        let (kind, message) = match fault.kind {
            FaultKind::Missing(field) => {
                keys.push(field.to_owned());
                ("missing", "Field required".to_owned())
            }
            FaultKind::Refused { kind, message } => (kind, message),
        };
        if !self.replaced.borrow_mut().insert(keys.clone()) {
            return false;
        }
        if !fault.under_stand_in {
            let error = self.field_error(keys, kind, message);
            self.lasting.borrow_mut().push(error);
        }
        true
    }

    fn field_error(&self, keys: Vec<String>, kind: &'static str, message: String) -> FieldError {
        let mut location = vec![self.origin.as_str().to_owned()];
        location.extend(keys);
        FieldError {
            location,
            kind,
            message,
        }
    }

    pub(super) fn into_faults(self) -> Vec<FieldError> {
        let mut faults = self.of_pass.into_inner();
        faults.extend(self.lasting.into_inner());
        faults
    }
}

/// Where in the data we are; a list on the stack.
pub(super) enum Place<'p> {
    Root,
    Key(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl Place<'_> {
    pub(super) fn keys(&self) -> Vec<String> {
        match self {
            Self::Root => Vec::new(),
            Self::Key(parent, key) => extended(parent.keys(), (*key).to_owned()),
            Self::Index(parent, index) => extended(parent.keys(), index.to_string()),
        }
    }
}

fn extended(mut keys: Vec<String>, key: String) -> Vec<String> {
    keys.push(key);
    keys
}
