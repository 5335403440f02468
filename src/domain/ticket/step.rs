//! Step instances: one per template step and round, with what people did to it.

use super::approval::ApprovalRound;
use super::branch::BranchRef;
use super::info_request::WaitsFor;
use crate::domain::id::{StepKey, TicketStepId};
use crate::domain::json::JsonObject;
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{StepType, VersionRef};
use serde::{Deserialize, Serialize};

/// Where a step instance stands, apart from what makes it wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not reached yet.
    NotStarted,
    /// Reached and not ended.
    Live,
    /// Ended by doing it.
    Completed,
    /// Ended by a rejection.
    Rejected,
    /// Ended by a skip.
    Skipped,
    /// Ended from outside, or never reached.
    Cancelled,
}

impl Phase {
    /// Whether the instance has ended.
    pub const fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Rejected | Self::Skipped | Self::Cancelled
        )
    }
}

/// A step's state on the wire (contract http-tickets 2.3); computed, see [`Step::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum StepState {
    NotStarted,
    Active,
    WaitingForApproval,
    WaitingForRequester,
    WaitingForAgent,
    WaitingForBranches,
    WaitingForCr,
    Completed,
    Rejected,
    Skipped,
    Cancelled,
    OnHold,
}

/// How a step ended, on the wire; forms, tasks, forks and joins that went well have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum Outcome {
    Approved,
    Rejected,
    Skipped,
    Cancelled,
    Completed,
}

/// A pause that the task's owner asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// Since when.
    pub held_at: Timestamp,
    /// Who held it.
    pub held_by: Person,
    /// When it was resumed; absent while held.
    pub resumed_at: Option<Timestamp>,
    /// Who resumed it.
    pub resumed_by: Option<Person>,
}

/// A manager's decision to pass over a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// Why.
    pub reason: String,
    /// Who skipped it.
    pub skipped_by: Person,
}

/// What an agent has entered on a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskWork {
    /// Notes on the execution, given with completion.
    pub execution_notes: Option<String>,
    /// Output values, given with completion; kept as sent.
    pub output_values: Option<JsonObject>,
    /// Files given with completion.
    pub attachment_ids: Vec<crate::domain::id::AttachmentId>,
    /// The draft of the output values.
    pub draft_values: Option<JsonObject>,
    /// The draft of the notes.
    pub draft_execution_notes: Option<String>,
    /// When the draft was saved.
    pub draft_saved_at: Option<Timestamp>,
    /// Who saved the draft.
    pub draft_saved_by: Option<Person>,
    /// Rows of the linked repeating section, taken at activation: `{"linked_rows": [...], "linked_source_info": {...}}`.
    pub linked: Option<JsonObject>,
}

/// The embedded version that a container step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddedRun {
    /// The pinned version.
    pub version: VersionRef,
    /// The embedded workflow's name.
    pub name: String,
    /// How many steps were expanded.
    pub step_count: u32,
    /// The embedded workflow's first step.
    pub start_step_id: StepKey,
    /// Its end step, while that waits for late branches of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_end: Option<TicketStepId>,
}

/// One step instance of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The id of this instance.
    pub id: TicketStepId,
    /// The template step.
    pub key: StepKey,
    /// The template step's name.
    pub name: String,
    /// The template step's type.
    pub kind: StepType,
    /// 1 for the first time, more when the step was entered again.
    pub round: u32,
    /// Where it stands.
    pub phase: Phase,
    /// The `SUB_WORKFLOW_STEP` instance it was expanded from.
    pub container: Option<TicketStepId>,
    /// Its index within the embedded definition.
    pub container_order: Option<u32>,
    /// The innermost branch it runs in, set when it is activated.
    pub branch: Option<BranchRef>,
    /// Who is to act; for a parallel approval the primary approver.
    pub assignee: Option<Person>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When it became live.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When it should have ended.
    pub due_at: Option<Timestamp>,
    /// Counts this instance's own changes, from 1.
    pub version: i64,
    /// The newest hold, over or not.
    pub hold: Option<Hold>,
    /// Since when a pending change request pauses it.
    pub paused_at: Option<Timestamp>,
    /// How the approval is decided; only for approvals that have been activated.
    pub approval: Option<ApprovalRound>,
    /// The values submitted with this form.
    pub form_values: Option<JsonObject>,
    /// What the agent entered; only for tasks.
    pub task: Option<TaskWork>,
    /// The version that runs inside; only for containers that have been activated.
    pub embedded: Option<EmbeddedRun>,
    /// Why a manager passed over it.
    pub skip: Option<Skip>,
    /// When the present assignee acknowledged that it is overdue.
    pub sla_acknowledged_at: Option<Timestamp>,
    /// How many notes it has; their bodies are in `ticket_notes`.
    pub note_count: u32,
}

impl Step {
    /// A step instance that has not been reached yet.
    pub fn not_started(id: TicketStepId, key: StepKey, name: String, kind: StepType) -> Self {
        Self {
            id,
            key,
            name,
            kind,
            round: 1,
            phase: Phase::NotStarted,
            container: None,
            container_order: None,
            branch: None,
            assignee: None,
            outcome: None,
            started_at: None,
            completed_at: None,
            due_at: None,
            version: 1,
            hold: None,
            paused_at: None,
            approval: None,
            form_values: None,
            task: None,
            embedded: None,
            skip: None,
            sla_acknowledged_at: None,
            note_count: 0,
        }
    }

    /// Whether it is live.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Whether a person has put it on hold.
    pub fn is_held(&self) -> bool {
        self.is_live() && self.hold.as_ref().is_some_and(|hold| hold.resumed_at.is_none())
    }

    /// The state on the wire, given whom an open question on the step waits for. A hold hides a pause, a pause hides
    /// a question, a question hides the state of the step's type.
    pub fn state(&self, question: Option<WaitsFor>) -> StepState {
        match self.phase {
            Phase::NotStarted => StepState::NotStarted,
            Phase::Completed => StepState::Completed,
            Phase::Rejected => StepState::Rejected,
            Phase::Skipped => StepState::Skipped,
            Phase::Cancelled => StepState::Cancelled,
            Phase::Live if self.is_held() => StepState::OnHold,
            Phase::Live if self.paused_at.is_some() => StepState::WaitingForCr,
            Phase::Live => self.unpaused_state(question),
        }
    }

    /// The state a held, paused or waiting step returns to (`previous_state` on the wire); none when nothing hides it.
    pub fn hidden_state(&self, question: Option<WaitsFor>) -> Option<StepState> {
        if !self.is_live() {
            return None;
        }
        if self.is_held() && self.paused_at.is_some() {
            return Some(StepState::WaitingForCr);
        }
        if self.is_held() || self.paused_at.is_some() {
            return Some(self.unpaused_state(question));
        }
        question.map(|_| self.bare_state())
    }

    fn unpaused_state(&self, question: Option<WaitsFor>) -> StepState {
        match question {
            Some(WaitsFor::Requester) => StepState::WaitingForRequester,
            Some(WaitsFor::Agent) => StepState::WaitingForAgent,
            None => self.bare_state(),
        }
    }

    fn bare_state(&self) -> StepState {
        match self.kind {
            StepType::Approval => StepState::WaitingForApproval,
            StepType::Join => StepState::WaitingForBranches,
            StepType::Form | StepType::Task | StepType::Notify | StepType::Fork | StepType::SubWorkflow => {
                StepState::Active
            }
        }
    }
}
