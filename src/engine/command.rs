//! Commands: one variant per action that a person, the scheduler or an administrator can take.

use crate::domain::id::{AttachmentId, ChangeRequestId, HandoverId, StepKey, TicketId, TicketStepId};
use crate::domain::import::ImportedTicket;
use crate::domain::json::JsonObject;
use crate::domain::person::Email;
use serde::{Deserialize, Serialize};

/// A person as a client names one; what the directory knows of the address is a fact (`Need::Person`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPerson {
    /// The address.
    pub email: Email,
    /// The object id, when the client knows it.
    pub aad_id: Option<String>,
    /// The name, when the client knows it.
    pub display_name: Option<String>,
}

/// Everything needed to raise a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateTicket {
    /// The id that the service drew for it (design 3, creation).
    pub ticket_id: TicketId,
    /// 1 to 500 characters.
    pub title: String,
    /// At most 5 000 characters.
    pub description: Option<String>,
    /// Values of the forms filled in the creation wizard.
    pub initial_form_values: JsonObject,
    /// Files named beside the values.
    pub attachment_ids: Vec<AttachmentId>,
    /// The leading forms filled in the wizard, in order; empty for the plain path (contract engine-core 2).
    pub initial_form_step_ids: Vec<StepKey>,
}

/// An action on a ticket. Texts have been checked for length at the edge; everything else is checked by `decide`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the fields are named as in the contract's request bodies; `step` is the ticket step id of the path"
)]
pub enum Command {
    /// Raise a ticket; the only command without an aggregate.
    Create(CreateTicket),
    /// Submit a form (engine-core 5.1).
    SubmitForm {
        step: TicketStepId,
        form_values: JsonObject,
        attachment_ids: Vec<AttachmentId>,
    },
    /// Approve (engine-core 6.2).
    Approve {
        step: TicketStepId,
        comment: Option<String>,
    },
    /// Reject (engine-core 6.3).
    Reject {
        step: TicketStepId,
        comment: Option<String>,
    },
    /// Skip an approval as its approver (engine-core 6.4).
    ApproverSkip {
        step: TicketStepId,
        comment: Option<String>,
    },
    /// Skip a step as the manager or an administrator (engine-actions 10.6).
    ManagerSkip { step: TicketStepId, reason: String },
    /// Complete a task (engine-core 7.1).
    CompleteTask {
        step: TicketStepId,
        execution_notes: Option<String>,
        output_values: JsonObject,
        attachment_ids: Vec<AttachmentId>,
    },
    /// Save a task's draft (engine-actions 4.14).
    SaveDraft {
        step: TicketStepId,
        draft_values: JsonObject,
        execution_notes: Option<String>,
    },
    /// Assign an agent (engine-actions 4.5).
    Assign { step: TicketStepId, agent: NamedPerson },
    /// Give a task to another agent (engine-actions 4.6).
    Reassign {
        step: TicketStepId,
        agent: NamedPerson,
        reason: Option<String>,
    },
    /// Give an approval to another approver (engine-actions 4.7).
    ReassignApproval {
        step: TicketStepId,
        approver: NamedPerson,
        reason: Option<String>,
    },
    /// Ask a question (engine-actions 4.1); `target` may name a step after the address.
    RequestInfo {
        step: TicketStepId,
        question_text: String,
        target: Option<InfoTarget>,
        subject: Option<String>,
        attachment_ids: Vec<AttachmentId>,
    },
    /// Answer the open question (engine-actions 4.2).
    RespondInfo {
        step: TicketStepId,
        response_text: String,
        attachment_ids: Vec<AttachmentId>,
    },
    /// Put a task on hold (engine-actions 4.8).
    Hold { step: TicketStepId, reason: String },
    /// Resume a held task (engine-actions 4.8).
    Resume { step: TicketStepId },
    /// Cancel the ticket (engine-actions 4.9).
    Cancel { reason: Option<String> },
    /// Ask to hand a task over (engine-actions 4.11).
    RequestHandover {
        step: TicketStepId,
        reason: String,
        suggested_agent: Option<Email>,
    },
    /// Decide a handover (engine-actions 4.11).
    DecideHandover {
        step: TicketStepId,
        handover: HandoverId,
        approved: bool,
        new_agent: Option<NamedPerson>,
        comment: Option<String>,
    },
    /// Withdraw a handover (engine-actions 4.11).
    CancelHandover {
        step: TicketStepId,
        handover: HandoverId,
    },
    /// Write a note on a step (engine-actions 4.12).
    AddNote {
        step: TicketStepId,
        content: String,
        attachment_ids: Vec<AttachmentId>,
    },
    /// Write a message on the ticket as its requester (engine-actions 4.13).
    AddRequesterNote {
        content: String,
        attachment_ids: Vec<AttachmentId>,
    },
    /// Acknowledge that a step is overdue (engine-actions 4.15).
    AcknowledgeSla {
        step: TicketStepId,
        notes: Option<String>,
    },
    /// Propose new form data (engine-actions 7.4).
    CreateChangeRequest {
        proposed_form_values: JsonObject,
        proposed_attachment_ids: Option<Vec<AttachmentId>>,
        reason: String,
    },
    /// Accept a change request (engine-actions 7.4).
    ApproveChangeRequest {
        change_request: ChangeRequestId,
        notes: Option<String>,
    },
    /// Refuse a change request (engine-actions 7.4).
    RejectChangeRequest {
        change_request: ChangeRequestId,
        notes: Option<String>,
    },
    /// Withdraw a change request (engine-actions 7.4).
    CancelChangeRequest { change_request: ChangeRequestId },
    /// Let every due timer take effect; sent by the scheduler (design 3, timers).
    FireTimers,
    /// Take over a ticket that another service has run; like `Create` without an aggregate, and the base on which a
    /// replay folds the commands that follow.
    Import(Box<ImportedTicket>),
    /// Bring an imported ticket on that the service it comes from had left standing.
    TakeUp,
}

/// Whom a question is meant for: `email` or `email::step name` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfoTarget {
    /// The address.
    pub email: Email,
    /// The name of a step the person has worked on, all after the first `::`.
    pub step_name: Option<String>,
}

impl Command {
    /// The step the command names in its path.
    pub fn step(&self) -> Option<&TicketStepId> {
        match self {
            Self::SubmitForm { step, .. }
            | Self::Approve { step, .. }
            | Self::Reject { step, .. }
            | Self::ApproverSkip { step, .. }
            | Self::ManagerSkip { step, .. }
            | Self::CompleteTask { step, .. }
            | Self::SaveDraft { step, .. }
            | Self::Assign { step, .. }
            | Self::Reassign { step, .. }
            | Self::ReassignApproval { step, .. }
            | Self::RequestInfo { step, .. }
            | Self::RespondInfo { step, .. }
            | Self::Hold { step, .. }
            | Self::Resume { step }
            | Self::RequestHandover { step, .. }
            | Self::DecideHandover { step, .. }
            | Self::CancelHandover { step, .. }
            | Self::AddNote { step, .. }
            | Self::AcknowledgeSla { step, .. } => Some(step),
            Self::Create(_)
            | Self::Cancel { .. }
            | Self::AddRequesterNote { .. }
            | Self::CreateChangeRequest { .. }
            | Self::ApproveChangeRequest { .. }
            | Self::RejectChangeRequest { .. }
            | Self::CancelChangeRequest { .. }
            | Self::FireTimers
            | Self::Import(_)
            | Self::TakeUp => None,
        }
    }
}
