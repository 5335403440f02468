//! Approval tasks and the rule that turns votes into a decision.

use crate::domain::id::{ApprovalTaskId, TicketStepId};
use crate::domain::person::{Email, Person};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One approver's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApprovalDecision {
    /// Not decided yet.
    Pending,
    /// In favour.
    Approved,
    /// Against.
    Rejected,
    /// Passed over.
    Skipped,
    /// Not needed any more.
    Cancelled,
}

/// One approver's vote on one step instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalTask {
    /// The id.
    pub id: ApprovalTaskId,
    /// The step instance.
    pub ticket_step_id: TicketStepId,
    /// Who decides.
    pub approver: Person,
    /// What was decided.
    pub decision: ApprovalDecision,
    /// What the approver said.
    pub comment: Option<String>,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// When it was asked.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

/// When an approval step is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalRule {
    /// There is one approver.
    Single,
    /// Everybody must approve.
    All,
    /// One approval is enough.
    Any,
    /// More than half must approve.
    Majority,
    /// This many must approve.
    Required(u32),
    /// At least this share must approve, 1 to 100 per cent.
    Percentage(u32),
}

/// How one approval step instance is decided, fixed when it is activated. Who has decided what is read from the
/// approval tasks, never stored twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRound {
    /// The rule.
    pub rule: ApprovalRule,
    /// Whether one rejection decides against, whatever the rule could still reach.
    pub veto: bool,
    /// The approver who assigns the tasks that follow.
    pub primary: Email,
}
