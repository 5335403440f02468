//! Questions: asked on a step, answered once.

use crate::domain::id::{AttachmentId, InfoRequestId, TicketStepId};
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InfoRequestStatus {
    /// Waits for an answer.
    Open,
    /// Answered.
    Responded,
    /// Kept for stored documents of the reference; never taken.
    Closed,
    /// Withdrawn.
    Cancelled,
}

/// What part the person asked plays in the ticket (`requested_from_step_type` on the wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum TargetRole {
    Requester,
    ApprovalStep,
    TaskStep,
    FormStep,
    Unknown,
}

/// Whom a step with an open question waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// The requester.
    Requester,
    /// Anybody else.
    Agent,
}

/// One question on one step; a step has at most one open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfoRequest {
    /// The id.
    pub id: InfoRequestId,
    /// The step instance it was asked on.
    pub ticket_step_id: TicketStepId,
    /// Who asks.
    pub requested_by: Person,
    /// Who is asked.
    pub requested_from: Person,
    /// What part that person plays.
    pub target_role: TargetRole,
    /// A subject, at most 200 characters.
    pub subject: Option<String>,
    /// The question, at most 5 000 characters.
    pub question_text: String,
    /// Files with the question.
    pub request_attachment_ids: Vec<AttachmentId>,
    /// Where it stands.
    pub status: InfoRequestStatus,
    /// The answer, or why it was withdrawn.
    pub response_text: Option<String>,
    /// Files with the answer.
    pub response_attachment_ids: Vec<AttachmentId>,
    /// Who answered.
    pub responded_by: Option<Person>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it was answered.
    pub responded_at: Option<Timestamp>,
}

impl InfoRequest {
    /// Whom the step waits for while this question is open.
    pub fn waits_for(&self) -> WaitsFor {
        match self.target_role {
            TargetRole::Requester | TargetRole::FormStep => WaitsFor::Requester,
            TargetRole::ApprovalStep | TargetRole::TaskStep | TargetRole::Unknown => WaitsFor::Agent,
        }
    }
}
