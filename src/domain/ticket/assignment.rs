//! Assignments of agents to tasks, requests to hand tasks over, and acknowledgements of overdue steps.

use crate::domain::id::{AssignmentId, HandoverId, SlaAcknowledgementId, TicketStepId};
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an assignment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AssignmentStatus {
    /// The agent has the task.
    Active,
    /// Somebody else got the task.
    Reassigned,
    /// The task ended.
    Completed,
}

/// One agent's time with one task; a step has at most one active assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The id.
    pub id: AssignmentId,
    /// The task's step instance.
    pub ticket_step_id: TicketStepId,
    /// The agent.
    pub assigned_to: Person,
    /// Who assigned.
    pub assigned_by: Person,
    /// Where it stands.
    pub status: AssignmentStatus,
    /// Why, when said.
    pub reason: Option<String>,
    /// Since when.
    pub assigned_at: Timestamp,
    /// Until when.
    pub ended_at: Option<Timestamp>,
}

/// Where a handover request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum HandoverStatus {
    Pending,
    Approved,
    Rejected,
    Cancelled,
}

/// An agent's wish to hand a task over; a step has at most one pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The id.
    pub id: HandoverId,
    /// The task's step instance.
    pub ticket_step_id: TicketStepId,
    /// The agent who asks.
    pub requested_by: Person,
    /// Whom the agent suggests.
    pub requested_to: Option<Person>,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub status: HandoverStatus,
    /// Who decided.
    pub decided_by: Option<Person>,
    /// What the decider said.
    pub decision_comment: Option<String>,
    /// Who got the task.
    pub new_assignee: Option<Person>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

/// One assignee's acknowledgement that a step is overdue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlaAcknowledgement {
    /// The id.
    pub id: SlaAcknowledgementId,
    /// The step instance.
    pub ticket_step_id: TicketStepId,
    /// Who acknowledged.
    pub acknowledged_by: Person,
    /// When.
    pub acknowledged_at: Timestamp,
    /// What was said.
    pub notes: Option<String>,
}
