//! The derived work of a ticket: what lists and queues select by, written with every commit and never read by decisions.

use super::id::WorkflowId;
use super::person::PersonKey;
use super::ticket::TicketStatus;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What lists and queues select a ticket by; a pure function of the aggregate (`engine::work_index::derive`).
///
/// Each compound index over it holds at most one array: two arrays in one index make the server refuse the write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkIndex {
    /// The keys of everybody who may see the ticket by having a part in it.
    pub participants: Vec<PersonKey>,
    /// The keys of the requester.
    pub requester: Vec<PersonKey>,
    /// The keys of those whose decision is pending.
    pub approvers: Vec<PersonKey>,
    /// The keys of those who have a task.
    pub assignees: Vec<PersonKey>,
    /// The keys of those who are asked something.
    pub asked: Vec<PersonKey>,
    /// The status.
    pub status: TicketStatus,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When the next timer is due; absent when none runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_timer_at: Option<Timestamp>,
}
