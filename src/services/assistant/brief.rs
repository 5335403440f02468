//! A ticket in a few facts: what templates say of it, and all that the model is told of it in lists.

use super::plain_text::clipped;
use crate::domain::id::TicketId;
use crate::domain::person::{Actor, Person};
use crate::domain::ticket::{ApprovalDecision, Step, StepState, Ticket, TicketStatus};
use crate::domain::time::Timestamp;
use crate::domain::workflow::StepType;
use crate::engine::permission_guard;
use serde::Serialize;

/// Longest title, in characters.
const LONGEST_TITLE: usize = 200;
/// Longest name of a step, a workflow or a person, in characters.
const LONGEST_NAME: usize = 100;
/// Most people named for one step.
const MOST_PEOPLE: usize = 5;

/// A ticket in a few facts.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TicketBrief {
    #[serde(rename = "ticket_id")]
    pub(super) id: TicketId,
    pub(super) title: String,
    pub(super) status: TicketStatus,
    pub(super) workflow: String,
    pub(super) requester: String,
    #[serde(serialize_with = "as_text")]
    pub(super) created_at: Timestamp,
    #[serde(serialize_with = "as_text")]
    pub(super) updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_option")]
    pub(super) completed_at: Option<Timestamp>,
    /// Where people are at work.
    pub(super) open_steps: Vec<StepBrief>,
    /// Whether the person who asks can do something now.
    pub(super) waits_for_you: bool,
}

/// A step in a few facts.
#[derive(Debug, Clone, Serialize)]
pub(super) struct StepBrief {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: StepType,
    pub(super) state: StepState,
    /// Who is to act, by name.
    pub(super) people: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_option")]
    pub(super) since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_option")]
    pub(super) due_at: Option<Timestamp>,
    pub(super) is_overdue: bool,
    /// What the person who asks can do to it now.
    pub(super) your_actions: Vec<&'static str>,
}

impl TicketBrief {
    /// What there is to say of a ticket to `actor`, who may see it.
    pub(super) fn of(ticket: &Ticket, actor: &Actor, now: Timestamp) -> Self {
        let open_steps: Vec<StepBrief> = ticket
            .steps
            .iter()
            .filter(|step| step.is_live() && is_done_by_people(step.kind))
            .map(|step| StepBrief::of(ticket, step, actor, now))
            .collect();
        Self {
            id: ticket.id.clone(),
            title: clipped(&ticket.title, LONGEST_TITLE),
            status: ticket.status,
            workflow: name(&ticket.workflow.name),
            requester: person(&ticket.requester),
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
            completed_at: ticket.completed_at,
            waits_for_you: open_steps.iter().any(|step| !step.your_actions.is_empty()),
            open_steps,
        }
    }

    /// The first step at which people are at work.
    pub(super) fn current(&self) -> Option<&StepBrief> {
        self.open_steps.first()
    }

    /// The ticket in one line of a list, with its id.
    pub(super) fn line(&self) -> String {
        let title = clipped(&self.title, 80).replace('\n', " ");
        let step = self.current().filter(|_| !self.status.is_terminal());
        let step = step.map(StepBrief::phrase).unwrap_or_default();
        let ended = self
            .completed_at
            .map(|at| format!(" on {}", day(at)))
            .unwrap_or_default();
        format!("**{}** “{title}”: {}{step}{ended}", self.id, status(self.status))
    }
}

impl StepBrief {
    /// What there is to say of a step.
    pub(super) fn of(ticket: &Ticket, step: &Step, actor: &Actor, now: Timestamp) -> Self {
        Self {
            name: name(&step.name),
            kind: step.kind,
            state: ticket.state_of(step),
            people: people(ticket, step),
            since: step.started_at,
            due_at: step.due_at,
            is_overdue: step.is_live() && step.due_at.is_some_and(|due| due < now),
            your_actions: permission_guard::available_actions(ticket, actor, step),
        }
    }

    /// Where a ticket is, as the end of a sentence.
    fn phrase(&self) -> String {
        let people = self.people.join(", ");
        let people = if people.is_empty() {
            people
        } else {
            format!(" with {people}")
        };
        let due = self.due_at.map(|due| {
            let word = if self.is_overdue { "was due" } else { "due" };
            format!(", {word} {}", moment(due))
        });
        format!(", at step “{}”{people}{}", self.name, due.unwrap_or_default())
    }
}

/// Who is to act on a step, or did: the person asked while a question is open, pending approvers, the assignee.
fn people(ticket: &Ticket, step: &Step) -> Vec<String> {
    if let Some(question) = ticket.open_question(&step.id).filter(|_| step.is_live()) {
        return vec![person(&question.requested_from)];
    }
    let pending: Vec<String> = ticket
        .approval_tasks_of(&step.id)
        .filter(|task| task.decision == ApprovalDecision::Pending)
        .take(MOST_PEOPLE)
        .map(|task| person(&task.approver))
        .collect();
    if !pending.is_empty() {
        return pending;
    }
    let on_a_form = (step.kind == StepType::Form).then(|| person(&ticket.requester));
    step.assignee
        .as_ref()
        .map(person)
        .or(on_a_form)
        .into_iter()
        .collect()
}

/// Whether people act on steps of this type; the others pass by themselves.
pub(super) const fn is_done_by_people(kind: StepType) -> bool {
    match kind {
        StepType::Form | StepType::Approval | StepType::Task => true,
        StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => false,
    }
}

/// A person by name; addresses and object ids are not told.
pub(super) fn person(person: &Person) -> String {
    name(&person.display_name)
}

/// A name on one line.
pub(super) fn name(text: &str) -> String {
    clipped(&text.replace(['\n', '\t'], " "), LONGEST_NAME)
}

/// A status in words.
pub(super) const fn status(status: TicketStatus) -> &'static str {
    match status {
        TicketStatus::Open => "open",
        TicketStatus::InProgress => "in progress",
        TicketStatus::WaitingForRequester => "waiting for the requester's answer",
        TicketStatus::WaitingForAgent => "waiting for an answer",
        TicketStatus::WaitingForCr => "waiting for a change request to be decided",
        TicketStatus::OnHold => "on hold",
        TicketStatus::Completed => "completed",
        TicketStatus::Rejected => "rejected",
        TicketStatus::Skipped => "skipped",
        TicketStatus::Cancelled => "cancelled",
    }
}

/// A state of a step in words.
pub(super) const fn state(state: StepState) -> &'static str {
    match state {
        StepState::NotStarted => "not started",
        StepState::Active => "being worked on",
        StepState::WaitingForApproval => "waiting for approval",
        StepState::WaitingForRequester => "waiting for the requester's answer",
        StepState::WaitingForAgent => "waiting for an answer",
        StepState::WaitingForBranches => "waiting for its branches",
        StepState::WaitingForCr => "waiting for a change request to be decided",
        StepState::Completed => "completed",
        StepState::Rejected => "rejected",
        StepState::Skipped => "skipped",
        StepState::Cancelled => "cancelled",
        StepState::OnHold => "on hold",
    }
}

/// An instant for people, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_chrono().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A day for people, in UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.to_chrono().format("%Y-%m-%d").to_string()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field over like this"
)]
fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_wire())
}

#[expect(clippy::ref_option, reason = "serde hands the field over like this")]
fn as_text_option<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.map(Timestamp::to_wire).unwrap_or_default())
}
