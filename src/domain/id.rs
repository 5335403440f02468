//! Identifiers: a fixed prefix, a hyphen and twelve lower-case hexadecimal digits (contract http-tickets 2.1).
//!
//! One type per kind, so that a step id cannot be passed where a ticket id is meant. The string itself is what
//! MongoDB stores; no UUID is ever stored.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct MalformedId {
    /// What kind of id was wanted, for the message.
    pub kind: &'static str,
}

macro_rules! prefixed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The prefix that every id of this kind starts with, hyphen included.
            pub const PREFIX: &'static str = concat!($prefix, "-");

            /// A new random id.
            pub fn random() -> Self {
                Self(format!("{}{}", Self::PREFIX, random_hex12()))
            }

            /// The id that belongs to `seed`: the same seed always gives the same id.
            pub fn derived(seed: &str) -> Self {
                Self(format!("{}{}", Self::PREFIX, hex12(seed)))
            }

            /// Takes stored or already checked text as it is.
            pub fn from_stored(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedId;

            fn try_from(text: String) -> Result<Self, MalformedId> {
                match text.strip_prefix(Self::PREFIX) {
                    Some(rest) if rest.len() == 12 && rest.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) => Ok(Self(text)),
                    _ => Err(MalformedId { kind: $kind }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for bson::Bson {
            fn from(id: $name) -> Self {
                Self::String(id.0)
            }
        }

    )*};
}

prefixed_ids! {
    /// A ticket.
    TicketId = "TKT", "ticket";
    /// A step of one ticket (a run-time instance, never the template step).
    TicketStepId = "STEP", "ticket step";
    /// A workflow template.
    WorkflowId = "WF", "workflow";
    /// A published, immutable workflow version.
    WorkflowVersionId = "WFV", "workflow version";
    /// An approval task: one approver's vote on one step.
    ApprovalTaskId = "APR", "approval task";
    /// An assignment of an agent to a task step.
    AssignmentId = "ASGN", "assignment";
    /// A question asked on a step.
    InfoRequestId = "INFO", "info request";
    /// A request to hand a task over.
    HandoverId = "HND", "handover request";
    /// An acknowledgement of an overdue step.
    SlaAcknowledgementId = "SLA", "SLA acknowledgement";
    /// A note by the requester.
    RequesterNoteId = "RN", "requester note";
    /// A change request.
    ChangeRequestId = "CR", "change request";
    /// An audit event of a ticket.
    AuditEventId = "AUD", "audit event";
    /// A notification, mail or in-app.
    NotificationId = "NTF", "notification";
    /// An uploaded file.
    AttachmentId = "ATT", "attachment";
    /// A lookup table.
    LookupId = "LKP", "lookup";
    /// An entry of a lookup table.
    LookupEntryId = "LKPE", "lookup entry";
    /// An administrator's wording of a mail.
    TemplateOverrideId = "ETM", "template override";
    /// A row of the administrators' audit log.
    AdminAuditId = "AAE", "admin audit event";
    /// An administrator.
    AdminUserId = "ADM", "admin user";
    /// A persona record.
    UserAccessId = "ua", "user access";
    /// A lease or the holder of one: a process, a worker, a command.
    ClaimId = "CLM", "claim";
}

/// A step's key inside its workflow definition, chosen by the designer (`step_id` on the wire).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(pub String);

impl StepKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for StepKey {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A branch's key inside its fork, chosen by the designer (`branch_id` on the wire).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BranchKey(pub String);

impl BranchKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BranchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first twelve hexadecimal digits of the SHA-256 of `seed`.
pub fn hex12(seed: &str) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    let mut text = hex::encode(digest);
    text.truncate(12);
    text
}

/// A random key of 32 hexadecimal digits, for commands that come without an idempotency key.
pub fn random_key() -> String {
    let bytes: [u8; 16] = rand::random();
    hex::encode(bytes)
}

fn random_hex12() -> String {
    let bytes: [u8; 6] = rand::random();
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_another_kind_is_refused() {
        assert!(TicketId::try_from("STEP-0123456789ab".to_owned()).is_err());
        assert!(TicketId::try_from("TKT-0123456789AB".to_owned()).is_err());
        assert!(TicketId::try_from("TKT-0123456789ab".to_owned()).is_ok());
    }

    #[test]
    fn the_same_seed_gives_the_same_id() {
        assert_eq!(TicketStepId::derived("a"), TicketStepId::derived("a"));
        assert_ne!(TicketStepId::derived("a"), TicketStepId::derived("b"));
    }
}
