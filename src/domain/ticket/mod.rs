//! The ticket aggregate: everything about one ticket that decisions depend on, stored as one document.
//!
//! What the pinned version says (fields, instructions, branch colours) is not copied in. Invariants: a terminal
//! status is written once; every list has a limit ([`limits`]); states that others derive (a step's wire state, the
//! ticket's waiting status, tallies) are computed, never stored twice.

pub mod approval;
pub mod assignment;
pub mod branch;
pub mod change_request;
pub mod info_request;
pub mod limits;
pub mod note;
pub mod step;
pub mod timer;

pub use approval::{ApprovalDecision, ApprovalRound, ApprovalRule, ApprovalTask};
pub use assignment::{Assignment, AssignmentStatus, Handover, HandoverStatus, SlaAcknowledgement};
pub use branch::{Branch, BranchRef, BranchState, ForkActivation, JoinProgress};
pub use change_request::{
    AttachmentAction, AttachmentChange, ChangeRequest, ChangeRequestStatus, FieldChange, FormData,
    FormVersion, FormVersionSource,
};
pub use info_request::{InfoRequest, InfoRequestStatus, TargetRole};
pub use note::{NoteBody, NoteKind, NoteMark};
pub use step::{EmbeddedRun, Hold, Outcome, Phase, Skip, Step, StepState, TaskWork};
pub use timer::{Timer, TimerKind};

use super::id::{AttachmentId, ChangeRequestId, StepKey, TicketId, TicketStepId};
use super::json::JsonObject;
use super::person::Person;
use super::time::Timestamp;
use super::workflow::PinnedWorkflow;
use serde::{Deserialize, Serialize};

/// A ticket's status on the wire (contract http-tickets 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TicketStatus {
    /// Kept for filters; never taken.
    Open,
    /// Somebody or something has work to do.
    InProgress,
    /// A question to the requester is open.
    WaitingForRequester,
    /// A question to somebody else is open.
    WaitingForAgent,
    /// A change request is pending.
    WaitingForCr,
    /// Kept for filters; never taken.
    OnHold,
    /// Ended well.
    Completed,
    /// Ended by a rejection.
    Rejected,
    /// Ended by a skip.
    Skipped,
    /// Ended by the requester.
    Cancelled,
}

impl TicketStatus {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 10] = [
        Self::Open,
        Self::InProgress,
        Self::WaitingForRequester,
        Self::WaitingForAgent,
        Self::WaitingForCr,
        Self::OnHold,
        Self::Completed,
        Self::Rejected,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// Whether the ticket has ended; such a status never changes again.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Rejected | Self::Skipped | Self::Cancelled
        )
    }
}

/// One ticket with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The id.
    pub id: TicketId,
    /// How many commands have been applied; 1 after creation. Equals the document's `version`.
    pub version: i64,
    /// The workflow version it runs.
    pub workflow: PinnedWorkflow,
    /// 1 to 500 characters.
    pub title: String,
    /// At most 5 000 characters.
    pub description: Option<String>,
    /// The status, recomputed from the steps after each command until a terminal one is written.
    pub status: TicketStatus,
    /// Who raised it.
    pub requester: Person,
    /// The requester's manager when it was raised.
    pub manager: Option<Person>,
    /// Values of all submitted forms, flat by field key; repeating sections under `__section_<id>`.
    pub form_values: JsonObject,
    /// Files of the forms, in order, no doubles.
    pub attachment_ids: Vec<AttachmentId>,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When it last changed in any way.
    pub updated_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// The step activated last.
    pub current_step_id: Option<StepKey>,
    /// Every step instance: the workflow's own in definition order, then those of embedded runs and later rounds.
    pub steps: Vec<Step>,
    /// Every fork that has been activated, oldest first; finished ones are kept.
    pub forks: Vec<ForkActivation>,
    /// An end step of the workflow itself that waits for late branches; an embedded run keeps its own.
    pub pending_end: Option<TicketStepId>,
    /// One row per approver and step instance.
    pub approval_tasks: Vec<ApprovalTask>,
    /// Who has worked and works on tasks.
    pub assignments: Vec<Assignment>,
    /// Questions, asked and answered.
    pub info_requests: Vec<InfoRequest>,
    /// Requests to hand tasks over.
    pub handovers: Vec<Handover>,
    /// Acknowledgements of overdue steps.
    pub sla_acknowledgements: Vec<SlaAcknowledgement>,
    /// Proposals to change form data, at most one pending.
    pub change_requests: Vec<ChangeRequest>,
    /// The number of the current form data, from 1; superseded versions are in `form_versions`.
    pub form_version: i32,
    /// How many notes the requester has written; their bodies are in `ticket_notes`.
    pub requester_note_count: u32,
    /// The newest notes' fingerprints, so that an automatic repeat is recognised.
    pub recent_notes: Vec<NoteMark>,
    /// People told through lookup fields; they may see the ticket.
    pub watchers: Vec<Person>,
    /// What will happen by itself, and when.
    pub timers: Vec<Timer>,
    /// Counts the ids this ticket has drawn, so that each is drawn once.
    pub ids_drawn: u64,
}

impl Ticket {
    /// A ticket to which nothing has happened yet, not even its first command.
    pub fn new(
        id: TicketId,
        workflow: PinnedWorkflow,
        title: String,
        requester: Person,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            version: 0,
            workflow,
            title,
            description: None,
            status: TicketStatus::InProgress,
            requester,
            manager: None,
            form_values: JsonObject::new(),
            attachment_ids: Vec::new(),
            created_at,
            updated_at: created_at,
            completed_at: None,
            current_step_id: None,
            steps: Vec::new(),
            forks: Vec::new(),
            pending_end: None,
            approval_tasks: Vec::new(),
            assignments: Vec::new(),
            info_requests: Vec::new(),
            handovers: Vec::new(),
            sla_acknowledgements: Vec::new(),
            change_requests: Vec::new(),
            form_version: 1,
            requester_note_count: 0,
            recent_notes: Vec::new(),
            watchers: Vec::new(),
            timers: Vec::new(),
            ids_drawn: 0,
        }
    }

    /// Whether the ticket still runs.
    pub fn is_live(&self) -> bool {
        !self.status.is_terminal()
    }

    /// The step instance with this id.
    pub fn step(&self, id: &TicketStepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// The step instance with this id, to change it.
    pub fn step_mut(&mut self, id: &TicketStepId) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.id == *id)
    }

    /// The newest instance of the step `key` within `container` (the ticket's own workflow for `None`).
    pub fn newest_instance(&self, container: Option<&TicketStepId>, key: &StepKey) -> Option<&Step> {
        self.steps
            .iter()
            .filter(|step| step.container.as_ref() == container && step.key == *key)
            .max_by_key(|step| step.round)
    }

    /// The end step that waits for late branches of an embedded run (of the ticket's own workflow for `None`).
    pub fn pending_end_in(&self, container: Option<&TicketStepId>) -> Option<&TicketStepId> {
        match container {
            None => self.pending_end.as_ref(),
            Some(container) => self.step(container)?.embedded.as_ref()?.pending_end.as_ref(),
        }
    }

    /// Lets an end step of an embedded run (of the ticket's own workflow for `None`) wait for late branches, or no
    /// longer; a run that was never expanded has none.
    pub fn set_pending_end(&mut self, container: Option<&TicketStepId>, end: Option<TicketStepId>) {
        match container {
            None => self.pending_end = end,
            Some(container) => {
                let run = self.step_mut(container).and_then(|step| step.embedded.as_mut());
                if let Some(run) = run {
                    run.pending_end = end;
                }
            }
        }
    }

    /// Every end step that waits for late branches, the workflow's own first.
    pub fn pending_ends(&self) -> impl Iterator<Item = &TicketStepId> {
        let embedded = self.steps.iter().filter_map(|step| step.embedded.as_ref());
        self.pending_end
            .iter()
            .chain(embedded.filter_map(|run| run.pending_end.as_ref()))
    }

    /// Lets no end step wait any longer; tells whether one did.
    pub fn drop_pending_ends(&mut self) -> bool {
        let mut waited = self.pending_end.take().is_some();
        for run in self.steps.iter_mut().filter_map(|step| step.embedded.as_mut()) {
            waited |= run.pending_end.take().is_some();
        }
        waited
    }

    /// The question that is open on a step.
    pub fn open_question(&self, step: &TicketStepId) -> Option<&InfoRequest> {
        self.info_requests
            .iter()
            .find(|info| info.ticket_step_id == *step && info.status == InfoRequestStatus::Open)
    }

    /// The approval tasks of a step instance.
    pub fn approval_tasks_of<'a>(&'a self, step: &'a TicketStepId) -> impl Iterator<Item = &'a ApprovalTask> {
        self.approval_tasks
            .iter()
            .filter(move |task| task.ticket_step_id == *step)
    }

    /// The active assignment of a step.
    pub fn active_assignment(&self, step: &TicketStepId) -> Option<&Assignment> {
        self.assignments
            .iter()
            .find(|a| a.ticket_step_id == *step && a.status == AssignmentStatus::Active)
    }

    /// The pending handover of a step.
    pub fn pending_handover(&self, step: &TicketStepId) -> Option<&Handover> {
        self.handovers
            .iter()
            .find(|h| h.ticket_step_id == *step && h.status == HandoverStatus::Pending)
    }

    /// The pending change request.
    pub fn pending_change_request(&self) -> Option<&ChangeRequest> {
        self.change_requests
            .iter()
            .find(|cr| cr.status == ChangeRequestStatus::Pending)
    }

    /// The change request with this id.
    pub fn change_request(&self, id: &ChangeRequestId) -> Option<&ChangeRequest> {
        self.change_requests.iter().find(|cr| cr.id == *id)
    }

    /// The activation of a fork step instance.
    pub fn fork(&self, fork: &TicketStepId) -> Option<&ForkActivation> {
        self.forks.iter().find(|activation| activation.fork == *fork)
    }

    /// The activation of a fork step instance, to change it.
    pub fn fork_mut(&mut self, fork: &TicketStepId) -> Option<&mut ForkActivation> {
        self.forks.iter_mut().find(|activation| activation.fork == *fork)
    }

    /// The branch a reference names.
    pub fn branch(&self, at: &BranchRef) -> Option<&Branch> {
        self.fork(&at.fork)?
            .branches
            .iter()
            .find(|branch| branch.key == at.branch)
    }

    /// The state of a step on the wire, computed from its phase and from holds, pauses and open questions.
    pub fn state_of(&self, step: &Step) -> StepState {
        step.state(self.open_question(&step.id).map(InfoRequest::waits_for))
    }

    /// The status that the steps of a live ticket give it (contract engine-actions 10.4).
    pub fn derived_status(&self) -> TicketStatus {
        if self.pending_change_request().is_some() {
            return TicketStatus::WaitingForCr;
        }
        let mut waits_for_agent = false;
        for step in self.steps.iter().filter(|step| step.phase == Phase::Live) {
            match self.state_of(step) {
                StepState::WaitingForRequester => return TicketStatus::WaitingForRequester,
                StepState::WaitingForAgent => waits_for_agent = true,
                StepState::NotStarted
                | StepState::Active
                | StepState::WaitingForApproval
                | StepState::WaitingForBranches
                | StepState::WaitingForCr
                | StepState::Completed
                | StepState::Rejected
                | StepState::Skipped
                | StepState::Cancelled
                | StepState::OnHold => {}
            }
        }
        if waits_for_agent {
            TicketStatus::WaitingForAgent
        } else {
            TicketStatus::InProgress
        }
    }

    /// Whether a timer's clock runs: not while its step is held, paused or waits for an answer, and no join gives up
    /// while a change request is pending.
    pub fn timer_runs(&self, timer: &Timer) -> bool {
        match &timer.kind {
            TimerKind::SlaReminder { step, .. } | TimerKind::SlaEscalation { step, .. } => {
                let state = self.step(step).map(|step| self.state_of(step));
                matches!(state, Some(StepState::Active | StepState::WaitingForApproval))
            }
            TimerKind::JoinTimeout { .. } => self.pending_change_request().is_none(),
        }
    }

    /// When the next timer is due whose clock runs.
    pub fn next_timer_at(&self) -> Option<Timestamp> {
        self.timers
            .iter()
            .filter(|timer| self.timer_runs(timer))
            .map(|timer| timer.due_at)
            .min()
    }
}
