//! Effects: what must follow a committed command, as data that the relay carries out.

use super::id::AttachmentId;
use super::json::JsonObject;
use super::notice::Notice;
use super::person::{Person, PersonKey, Personas};
use super::ticket::{FormVersion, NoteBody};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that must follow a committed command, carried out by the relay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Tell a person.
    Notice(Notice),
    /// Let a person see the screens the work needs.
    Grant(PersonaGrant),
    /// Tie a file to the ticket.
    Link(AttachmentLink),
    /// Keep a note's body.
    Note(NoteBody),
    /// Keep a version of the form data.
    FormVersion(Box<FormVersion>),
    /// Keep a finished piece of somebody's work for that person's history.
    History(WorkHistory),
    /// Keep a row of the administrators' audit log.
    AdminAudit(AdminAuditRow),
}

/// A persona that work brings with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantedPersona {
    /// Approvers.
    Manager,
    /// Agents.
    Agent,
}

impl GrantedPersona {
    /// Whether it is among these.
    pub const fn is_in(self, personas: Personas) -> bool {
        match self {
            Self::Manager => personas.manager,
            Self::Agent => personas.agent,
        }
    }
}

/// Why a persona was granted (`*_source` on the wire, contract engine-actions 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum GrantSource {
    ApprovalAssignment,
    TaskAssignment,
    ReassignAgent,
    HandoverAssignment,
    ApprovalReassignment,
    LookupAssignment,
}

/// A persona grant; never undoes what an administrator took away (design 3, relay).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PersonaGrant {
    /// Who gets it.
    pub person: Person,
    /// Which.
    pub persona: GrantedPersona,
    /// Why.
    pub source: GrantSource,
    /// Who caused it.
    pub granted_by: Person,
    /// The administrators' audit details: `trigger`, `ticket_id`, `ticket_step_id` and what else the contract names.
    pub details: JsonObject,
    /// When.
    pub at: Timestamp,
}

/// A file that becomes the ticket's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentLink {
    /// The file.
    pub attachment_id: AttachmentId,
    /// Where it was given: the template step, and the field when it came from one.
    pub step_id: Option<String>,
    /// The field key, or `note`, `question`, `answer`, `output`.
    pub context: Option<String>,
}

/// Whose history a finished piece of work belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryKind {
    /// An approval that the person decided (`GET /tickets/manager/history`).
    Decision,
    /// A task that the person completed (`GET /tickets/agent/history`).
    CompletedTask,
}

/// A finished piece of work; never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkHistory {
    /// The keys of the person whose history it is.
    pub who: Vec<PersonKey>,
    /// What was done.
    pub kind: HistoryKind,
    /// When.
    pub at: Timestamp,
    /// The row's facts as its list shows them: names, ids, decision, comment (contract http-tickets 6 and 7).
    pub row: JsonObject,
}

/// A row of the administrators' audit log that a ticket command causes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdminAuditRow {
    /// The action, for example `REASSIGN_APPROVAL`.
    pub action: String,
    /// Who did it.
    pub actor: Person,
    /// To whom.
    pub target: Person,
    /// Facts of the event.
    pub details: JsonObject,
    /// When.
    pub at: Timestamp,
}
