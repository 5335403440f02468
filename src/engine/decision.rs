//! Decisions: the new aggregate, what happened, and what must follow, all as data.

use super::facts::Need;
use crate::domain::audit::AuditEvent;
pub use crate::domain::effect::{
    AdminAuditRow, AttachmentLink, Effect, GrantSource, GrantedPersona, HistoryKind, PersonaGrant,
    WorkHistory,
};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::Ticket;

/// What `decide` answers to a command it accepts.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The command takes effect.
    Applied(Box<Decision>),
    /// The command has had its effect already; nothing changes and the answer is a success.
    AlreadyDone {
        /// The id of what the first one created.
        created: Option<String>,
    },
}

/// A command's whole effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The aggregate after the command, its version counted up by one.
    pub ticket: Ticket,
    /// What happened, in order; empty only for drafts, and for timers that come too late to say anything.
    pub events: Vec<AuditEvent>,
    /// What must follow, in order.
    pub effects: Vec<Effect>,
    /// The id of what the command created (question, handover, note, change request), for its answer.
    pub created: Option<String>,
}

/// Why `decide` did not accept a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Undecided {
    /// Refused; nothing changes.
    Refused(Refusal),
    /// Facts are missing; fetch them and ask again.
    Needs(Vec<Need>),
}

impl From<Refusal> for Undecided {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
