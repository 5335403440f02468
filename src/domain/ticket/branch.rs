//! Forks and their branches: scopes that form a tree, keyed by the fork's activation (design 8, nested forks).

use crate::domain::id::{BranchKey, StepKey, TicketStepId};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Names a branch: the fork step instance that started it, and its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BranchRef {
    /// The fork step instance.
    pub fork: TicketStepId,
    /// The branch within that fork.
    pub branch: BranchKey,
}

/// Where a branch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BranchState {
    /// Work goes on.
    Active,
    /// Reached its end.
    Completed,
    /// Failed by a rejection.
    Rejected,
    /// Failed by a skip.
    Skipped,
    /// Ended from outside.
    Cancelled,
}

impl BranchState {
    /// Whether the branch has ended.
    pub const fn is_ended(self) -> bool {
        !matches!(self, Self::Active)
    }
}

/// One branch of an activated fork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// The key the designer chose.
    pub key: BranchKey,
    /// The name the designer chose.
    pub name: String,
    /// Where it stands.
    pub state: BranchState,
    /// The step it has reached; none when it ended.
    pub current_step_id: Option<StepKey>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

impl Branch {
    /// Ends it in a final state.
    pub fn end(&mut self, state: BranchState, at: Timestamp) {
        self.state = state;
        self.completed_at = Some(at);
        self.current_step_id = None;
    }
}

/// Whether the join of a fork activation has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinProgress {
    /// Branches are awaited.
    Waiting,
    /// It passed, once.
    Passed,
    /// It cannot pass any more.
    Impossible,
}

/// One activation of a fork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkActivation {
    /// The fork step instance.
    pub fork: TicketStepId,
    /// The template step of the fork.
    pub fork_key: StepKey,
    /// The embedded run it happened in.
    pub container: Option<TicketStepId>,
    /// The branch it happened in, for nested forks.
    pub parent: Option<BranchRef>,
    /// The join that waits for it.
    pub join: Option<StepKey>,
    /// Whether that join has passed.
    pub progress: JoinProgress,
    /// Its branches in definition order.
    pub branches: Vec<Branch>,
}

impl ForkActivation {
    /// The name of one of its branches.
    pub fn reference(&self, branch: &Branch) -> BranchRef {
        BranchRef {
            fork: self.fork.clone(),
            branch: branch.key.clone(),
        }
    }
}
