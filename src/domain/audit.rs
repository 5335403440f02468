//! Audit events: what happened to a ticket, once each, never changed (contract engine-actions 3).

use super::id::{AuditEventId, TicketStepId};
use super::json::JsonObject;
use super::person::Person;
use super::tail::StableKey;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What happened (contract http-tickets 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum AuditEventType {
    CreateTicket,
    SubmitForm,
    Approve,
    Reject,
    Skip,
    RequestInfo,
    RespondInfo,
    AssignAgent,
    ReassignAgent,
    ReassignApproval,
    CompleteTask,
    NoteAdded,
    RequesterNoteAdded,
    CancelTicket,
    TicketCompleted,
    SlaAcknowledged,
    SlaReminder,
    SlaEscalation,
    StepActivated,
    StepSkipped,
    StepCancelled,
    PutOnHold,
    Resumed,
    HandoverRequested,
    HandoverApproved,
    HandoverRejected,
    HandoverCancelled,
    NotifySent,
    ForkActivated,
    BranchCompleted,
    BranchFailed,
    JoinCompleted,
    JoinTimedOut,
    SubWorkflowStarted,
    SubWorkflowCompleted,
    SubWorkflowFailed,
    ChangeRequestCreated,
    ChangeRequestApproved,
    ChangeRequestRejected,
    ChangeRequestCancelled,
    ChangeRequestWorkflowPaused,
    ChangeRequestWorkflowResumed,
    InfoRequestWithdrawn,
    ImportRepair,
    /// Kept for stored documents of the reference; never taken.
    StepCompleted,
    /// Kept for stored documents of the reference; never taken.
    BranchStarted,
    /// Kept for stored documents of the reference; never taken.
    JoinWaiting,
    /// Kept for stored documents of the reference; never taken.
    EngineError,
    /// An imported event whose own word, kept in its details, is none of these.
    ImportedEvent,
}

/// One audit event as the engine returns it; its stable key and public id follow from the commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// What happened.
    pub event_type: AuditEventType,
    /// The step it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_step_id: Option<TicketStepId>,
    /// Who did it.
    pub actor: Person,
    /// Facts of the event.
    pub details: JsonObject,
    /// When.
    pub at: Timestamp,
    /// The public id it had where it was imported from; the events of our own commands derive theirs from their keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported_id: Option<AuditEventId>,
}

impl AuditEvent {
    /// The public id of this event, whose stable key is `key`.
    pub fn public_id(&self, key: &StableKey) -> AuditEventId {
        self.imported_id.clone().unwrap_or_else(|| key.audit_event_id())
    }
}
