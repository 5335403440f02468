//! Workflow vocabulary: the types of steps, the events that edges follow, and the stored template and version.

use super::id::{StepKey, WorkflowId, WorkflowVersionId};
use super::json::JsonObject;
use super::person::Person;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What kind of work a step is (contract http-tickets 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepType {
    /// The requester fills in a form.
    #[serde(rename = "FORM_STEP")]
    Form,
    /// One or several people approve.
    #[serde(rename = "APPROVAL_STEP")]
    Approval,
    /// An agent works.
    #[serde(rename = "TASK_STEP")]
    Task,
    /// People are told something; passes at once.
    #[serde(rename = "NOTIFY_STEP")]
    Notify,
    /// Branches start; passes at once.
    #[serde(rename = "FORK_STEP")]
    Fork,
    /// Branches meet.
    #[serde(rename = "JOIN_STEP")]
    Join,
    /// Another workflow's published version runs inside this ticket.
    #[serde(rename = "SUB_WORKFLOW_STEP")]
    SubWorkflow,
}

impl StepType {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::Form,
        Self::Approval,
        Self::Task,
        Self::Notify,
        Self::Fork,
        Self::Join,
        Self::SubWorkflow,
    ];

    /// The type of a word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step_type| step_type.as_str() == word)
    }

    /// The type as written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "FORM_STEP",
            Self::Approval => "APPROVAL_STEP",
            Self::Task => "TASK_STEP",
            Self::Notify => "NOTIFY_STEP",
            Self::Fork => "FORK_STEP",
            Self::Join => "JOIN_STEP",
            Self::SubWorkflow => "SUB_WORKFLOW_STEP",
        }
    }

    /// The event with which a step of this type ends successfully (contract engine-core 4.1); a fork follows none.
    pub const fn completion_event(self) -> TransitionEvent {
        match self {
            Self::Form => TransitionEvent::SubmitForm,
            Self::Approval => TransitionEvent::Approve,
            Self::Task | Self::Notify | Self::Fork | Self::Join | Self::SubWorkflow => {
                TransitionEvent::CompleteTask
            }
        }
    }
}

/// The event an edge waits for (contract http-workflows 3.3). Only the first five are ever followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum TransitionEvent {
    SubmitForm,
    Approve,
    CompleteTask,
    Reject,
    Skip,
    SkipStep,
    RequestInfo,
    RespondInfo,
    AssignAgent,
    ReassignAgent,
    Cancel,
    OnHold,
    Resume,
    HandoverRequest,
    AcknowledgeSla,
    ForkActivated,
    BranchCompleted,
    JoinComplete,
    SubWorkflowStart,
    SubWorkflowCompleted,
    SubWorkflowFailed,
}

impl TransitionEvent {
    /// The event with which a step of the type of this word ends successfully; one of no known type as most do.
    pub fn completing(step_type: &str) -> Self {
        StepType::from_word(step_type).map_or(Self::CompleteTask, StepType::completion_event)
    }

    /// The event as written on the wire, for messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SubmitForm => "SUBMIT_FORM",
            Self::Approve => "APPROVE",
            Self::CompleteTask => "COMPLETE_TASK",
            Self::Reject => "REJECT",
            Self::Skip => "SKIP",
            Self::SkipStep => "SKIP_STEP",
            Self::RequestInfo => "REQUEST_INFO",
            Self::RespondInfo => "RESPOND_INFO",
            Self::AssignAgent => "ASSIGN_AGENT",
            Self::ReassignAgent => "REASSIGN_AGENT",
            Self::Cancel => "CANCEL",
            Self::OnHold => "ON_HOLD",
            Self::Resume => "RESUME",
            Self::HandoverRequest => "HANDOVER_REQUEST",
            Self::AcknowledgeSla => "ACKNOWLEDGE_SLA",
            Self::ForkActivated => "FORK_ACTIVATED",
            Self::BranchCompleted => "BRANCH_COMPLETED",
            Self::JoinComplete => "JOIN_COMPLETE",
            Self::SubWorkflowStart => "SUB_WORKFLOW_START",
            Self::SubWorkflowCompleted => "SUB_WORKFLOW_COMPLETED",
            Self::SubWorkflowFailed => "SUB_WORKFLOW_FAILED",
        }
    }
}

/// A definition as stored: steps stay opaque JSON in their order, transitions are normalised to seven keys
/// (contract http-workflows 3.1). The keys are `steps`, `transitions` and `start_step_id`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Definition(pub JsonObject);

impl Definition {
    /// The steps, each an object; anything else is skipped.
    pub fn steps(&self) -> impl Iterator<Item = &serde_json::Map<String, Value>> {
        self.0
            .get("steps")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }

    /// The transitions, each an object; anything else is skipped.
    pub fn transitions(&self) -> impl Iterator<Item = &serde_json::Map<String, Value>> {
        self.0
            .get("transitions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }

    /// The key of the first step, when one is named.
    pub fn start_step_id(&self) -> Option<&str> {
        self.0
            .get("start_step_id")
            .and_then(Value::as_str)
            .filter(|key| !key.is_empty())
    }
}

/// Where a workflow stands in its life (contract http-workflows 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkflowStatus {
    /// Never published.
    Draft,
    /// Tickets may be raised.
    Published,
    /// Hidden; no new tickets.
    Archived,
}

/// An editable workflow (`WorkflowTemplate`, contract http-workflows 2.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowTemplate {
    /// The id.
    #[serde(rename = "_id")]
    pub id: WorkflowId,
    /// 1 to 200 characters.
    pub name: String,
    /// At most 2 000 characters.
    pub description: Option<String>,
    /// Free text, at most 100 characters.
    pub category: Option<String>,
    /// At most 20 of at most 50 characters.
    pub tags: Vec<String>,
    /// Where it stands.
    pub status: WorkflowStatus,
    /// The editable draft, absent until first saved.
    pub definition: Option<Definition>,
    /// What the designer said of the draft's change; goes into the next version.
    pub change_summary: Option<String>,
    /// Who made it.
    pub created_by: Person,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The newest published version's number.
    pub published_version: Option<i32>,
    /// Counts the changes, from 1; the entity tag.
    pub version: i64,
}

/// A published version; never changes (contract http-workflows 2.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowVersion {
    /// The id.
    #[serde(rename = "_id")]
    pub id: WorkflowVersionId,
    /// The workflow it is a version of.
    pub workflow_id: WorkflowId,
    /// 1, 2, 3 ... without gaps or doubles within a workflow.
    pub version_number: i32,
    /// The workflow's name when published.
    pub name: String,
    /// The workflow's description when published.
    pub description: Option<String>,
    /// The workflow's category when published.
    pub category: Option<String>,
    /// The workflow's tags when published.
    pub tags: Vec<String>,
    /// The definition that tickets run.
    pub definition: Definition,
    /// Who published it.
    pub published_by: Person,
    /// When it was published.
    pub published_at: Timestamp,
    /// What the designer said of the change.
    pub change_summary: Option<String>,
}

/// The version a ticket or a container step is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionRef {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The version's number.
    pub version_number: i32,
}

/// The workflow version a ticket runs, as recorded in the ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedWorkflow {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The version.
    pub version_id: WorkflowVersionId,
    /// The version's number.
    pub version_number: i32,
    /// The workflow's name when published.
    pub name: String,
    /// The key of its first step.
    pub start_step_id: StepKey,
}

impl PinnedWorkflow {
    /// The reference by which the version is found.
    pub fn version_ref(&self) -> VersionRef {
        VersionRef {
            workflow_id: self.workflow_id.clone(),
            version_number: self.version_number,
        }
    }
}
