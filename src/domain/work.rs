//! The derived work of a ticket: what lists and queues select by, written with every commit and never read by decisions.

use super::id::{TicketStepId, WorkflowId};
use super::person::{Person, PersonKey};
use super::ticket::{StepState, TicketStatus};
use super::time::Timestamp;
use super::workflow::StepType;
use serde::{Deserialize, Serialize};

/// A list that a ticket appears in because of the part a person has in it; sorted by the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shelf {
    /// The person raised it.
    Mine,
    /// The person manages it: the requester's manager, who decided on it, or who assigned on it.
    Managed,
    /// The person may see it.
    Visible,
}

impl Shelf {
    /// The word that shelves a person's tickets: `mine|aad:…`.
    pub fn key(self, person: &PersonKey) -> String {
        let word = match self {
            Self::Mine => "mine",
            Self::Managed => "managed",
            Self::Visible => "visible",
        };
        format!("{word}|{}", person.as_str())
    }
}

/// A person's queue of open work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Approvals to decide.
    Approvals,
    /// Unassigned tasks to assign.
    Assignments,
    /// Handovers to decide.
    Handovers,
    /// Tasks to do.
    Tasks,
    /// Questions to answer.
    Questions,
    /// Handovers asked for and not decided.
    OwnHandovers,
    /// Change requests to review.
    Reviews,
}

impl Queue {
    /// The word that queues a person's work: `tasks|aad:…`.
    pub fn key(self, person: &PersonKey) -> String {
        let word = match self {
            Self::Approvals => "approvals",
            Self::Assignments => "assignments",
            Self::Handovers => "handovers",
            Self::Tasks => "tasks",
            Self::Questions => "questions",
            Self::OwnHandovers => "own_handovers",
            Self::Reviews => "reviews",
        };
        format!("{word}|{}", person.as_str())
    }
}

/// One piece of open work, small enough to sort a person's whole queue in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRow {
    /// The queue.
    pub queue: Queue,
    /// The keys of the people whose queue it is in.
    pub who: Vec<PersonKey>,
    /// The id of the thing: an approval task, a step, a question, a handover, a change request.
    pub item: String,
    /// The step it is on; change requests have none.
    pub step: Option<TicketStepId>,
    /// What it is sorted by: when it was asked, or when it is due; last without.
    pub at: Option<Timestamp>,
}

/// A step at which a ticket stands now, small enough to count and sort many of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveStep {
    /// The step.
    pub step: TicketStepId,
    /// Its type.
    pub kind: StepType,
    /// Its state.
    pub state: StepState,
    /// When it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Person>,
}

/// What lists and queues select a ticket by; a pure function of the aggregate (`engine::work_index::derive`).
///
/// Each compound index over it holds at most one array: two arrays in one index make the server refuse the write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkIndex {
    /// The shelves it stands on.
    pub shelves: Vec<String>,
    /// The queues it has work in.
    pub queues: Vec<String>,
    /// The work in those queues.
    pub rows: Vec<WorkRow>,
    /// The steps at which it stands; none when it has ended.
    #[serde(default)]
    pub live: Vec<LiveStep>,
    /// The status.
    pub status: TicketStatus,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// Whether a change request is pending.
    pub has_pending_cr: bool,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When the next timer is due; absent when none runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_timer_at: Option<Timestamp>,
    /// What administrators' figures count.
    #[serde(default)]
    pub figures: TicketFigures,
}

/// A ticket in numbers; plain numbers, so that one index covers the figures over all tickets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is named like what it counts")]
pub struct TicketFigures {
    /// When the first of its open steps is due; absent when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    pub approvals_pending: i32,
    pub approvals_approved: i32,
    pub approvals_rejected: i32,
    pub handovers: i32,
    pub handovers_pending: i32,
    pub handovers_approved: i32,
    pub handovers_rejected: i32,
    pub assignments: i32,
    pub assignments_active: i32,
    pub questions_open: i32,
    pub questions_answered: i32,
    pub tasks: i32,
    pub tasks_open: i32,
    pub tasks_done: i32,
    /// Open tasks without an agent that nobody may assign.
    #[serde(default)]
    pub tasks_orphaned: i32,
    pub forms: i32,
    pub forms_open: i32,
    pub forms_done: i32,
}
