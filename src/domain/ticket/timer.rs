//! Timers: what happens to a ticket by itself. They are part of the aggregate, so each fires once.

use crate::domain::id::TicketStepId;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What happens when a timer is due.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// People are reminded that a step will be due.
    SlaReminder {
        /// The step.
        step: TicketStepId,
        /// How many minutes before due it was set for.
        minutes_before: i64,
    },
    /// People are told that a step is overdue.
    SlaEscalation {
        /// The step.
        step: TicketStepId,
        /// How many minutes after due it was set for.
        minutes_after: i64,
        /// How many escalations of the step came before.
        count: u32,
    },
    /// A join stops waiting for branches.
    JoinTimeout {
        /// The fork step instance whose join waits.
        fork: TicketStepId,
    },
}

/// One thing that will happen, and when.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timer {
    /// What.
    pub kind: TimerKind,
    /// When.
    pub due_at: Timestamp,
}
