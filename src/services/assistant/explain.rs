//! One ticket explained (contract http-workflows 8.4): everything from its own facts, and in the model's words where it
//! has any that can be used.

mod sentences;

use super::Services;
use super::brief::{StepBrief, TicketBrief, is_done_by_people, name, person};
use super::model_words::{Words, ask};
use super::plain_text::clipped;
use super::prompt;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::ticket::{Phase, Step, StepState, Ticket, TicketStatus};
use crate::domain::time::Timestamp;
use crate::domain::workflow::StepType;
use crate::services::model::ModelSession;
use crate::services::tickets::{OpenedTicket, TicketDetail};
use sentences::{current_state, insight, key_details, pending_actions, priority, summary, timeline};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Longest title, in characters.
const LONGEST_TITLE: usize = 100;
/// Most steps that are shown and told.
const MOST_STEPS: usize = 100;
/// Most sentences of a list.
const MOST_SENTENCES: usize = 5;
/// Longest sentence of the model's, in characters.
const LONGEST_SENTENCE: usize = 400;
/// Longest detail of the model's, in characters.
const LONGEST_DETAIL: usize = 100;
/// Newest events and questions that are told.
const NEWEST: usize = 15;

/// A ticket explained.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The ticket.
    pub ticket_id: TicketId,
    /// At most 100 characters.
    pub title: String,
    /// Its status.
    pub status: TicketStatus,
    /// The priority that its form names, `NORMAL` otherwise.
    pub priority: String,
    /// Who raised it, by name.
    pub requester: String,
    /// The workflow's name.
    pub workflow_name: String,
    /// When it was raised.
    pub created_at: Timestamp,
    /// In a few sentences.
    pub summary: String,
    /// What happens now.
    pub current_state: String,
    /// The step that people are at work on.
    pub current_step: Option<ExplainedStep>,
    /// What comes next.
    pub next_steps: Vec<String>,
    /// Every step, in order.
    pub steps: Vec<ExplainedStep>,
    /// When to expect what.
    pub timeline_estimate: Option<String>,
    /// Facts by name.
    pub key_details: Vec<(String, String)>,
    /// Who has to do what.
    pub pending_actions: Vec<String>,
    /// How sure the explanation is.
    pub confidence: Confidence,
    /// Whether the model chose the words.
    pub is_by_model: bool,
    /// When this was made.
    pub generated_at: Timestamp,
}

/// How sure an explanation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum Confidence {
    High,
    Medium,
    Low,
}

/// A step explained.
#[derive(Debug, Clone)]
pub struct ExplainedStep {
    /// From 1.
    pub order: usize,
    /// The step's name.
    pub name: String,
    /// The step's type.
    pub kind: StepType,
    /// The step's state.
    pub state: StepState,
    /// Who acts or acted, by name.
    pub assignee: Option<String>,
    /// That person's address.
    pub assignee_email: Option<String>,
    /// Whether people are at work on it.
    pub is_current: bool,
    /// What there is to say of it.
    pub insight: &'static str,
    /// The branch it runs in.
    pub branch_name: Option<String>,
    /// The embedded workflow it belongs to.
    pub from_sub_workflow: Option<String>,
}

/// Explains a ticket that the actor may see.
///
/// # Errors
/// Unknown 404, foreign 403, or the database is unavailable.
pub(super) async fn explain(
    services: &Services,
    actor: &Actor,
    id: &str,
    session: Option<&ModelSession>,
) -> Result<Explanation, ServiceError> {
    let detail = services.tickets.detail(actor, id).await?;
    let now = services.clock.now();
    let mut explanation = from_facts(&detail.opened, actor, now);
    let request = prompt::explanation(&facts(&detail, actor, now));
    let known = BTreeSet::from([detail.opened.ticket.id.clone()]);
    if let Some(words) = ask(session, &request, known).await? {
        explanation.take_words(&words);
    }
    Ok(explanation)
}

/// The explanation without a model.
pub(super) fn from_facts(opened: &OpenedTicket, actor: &Actor, now: Timestamp) -> Explanation {
    let ticket = &opened.ticket;
    let brief = TicketBrief::of(ticket, actor, now);
    let steps = explained_steps(opened);
    let upcoming = steps
        .iter()
        .filter(|step| step.state == StepState::NotStarted && is_done_by_people(step.kind))
        .take(MOST_SENTENCES)
        .map(|step| match step.kind {
            StepType::Approval => format!("“{}” is to be approved.", step.name),
            StepType::Form => format!("The form “{}” is to be filled in.", step.name),
            StepType::Task | StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => {
                format!("“{}” is to be done.", step.name)
            }
        });
    let next_steps = if ticket.is_live() {
        upcoming.collect()
    } else {
        Vec::new()
    };
    Explanation {
        ticket_id: ticket.id.clone(),
        title: clipped(&ticket.title, LONGEST_TITLE),
        status: ticket.status,
        priority: priority(ticket),
        requester: person(&ticket.requester),
        workflow_name: name(&ticket.workflow.name),
        created_at: ticket.created_at,
        summary: summary(&brief),
        current_state: current_state(&brief),
        current_step: steps.iter().find(|step| step.is_current).cloned(),
        next_steps,
        timeline_estimate: timeline(&brief),
        key_details: key_details(ticket, &brief, &steps),
        pending_actions: pending_actions(&brief),
        confidence: if ticket.is_live() {
            Confidence::Medium
        } else {
            Confidence::High
        },
        is_by_model: false,
        generated_at: now,
        steps,
    }
}

fn explained_steps(opened: &OpenedTicket) -> Vec<ExplainedStep> {
    let ticket = &opened.ticket;
    let steps = opened.steps_in_order().into_iter().take(MOST_STEPS).enumerate();
    let explained = steps.map(|(at, step)| {
        let state = ticket.state_of(step);
        let who = responsible(ticket, step);
        ExplainedStep {
            order: at + 1,
            name: name(&step.name),
            kind: step.kind,
            state,
            assignee: who.map(person),
            assignee_email: who.map(|who| who.email.as_str().to_owned()),
            is_current: step.is_live() && is_done_by_people(step.kind),
            insight: insight(step.kind, state),
            branch_name: step
                .branch
                .as_ref()
                .and_then(|at| ticket.branch(at))
                .map(|branch| name(&branch.name)),
            from_sub_workflow: step
                .container
                .as_ref()
                .and_then(|container| ticket.step(container)?.embedded.as_ref())
                .map(|run| name(&run.name)),
        }
    });
    explained.collect()
}

/// Who acts on a step, or did.
fn responsible<'t>(ticket: &'t Ticket, step: &'t Step) -> Option<&'t crate::domain::person::Person> {
    let asked = ticket.open_question(&step.id).filter(|_| step.is_live());
    let form = (step.kind == StepType::Form && step.phase != Phase::NotStarted).then_some(&ticket.requester);
    let approver = ticket
        .approval_tasks_of(&step.id)
        .map(|task| &task.approver)
        .next();
    asked
        .map(|question| &question.requested_from)
        .or(step.assignee.as_ref())
        .or(approver)
        .or(form)
}

/// What the model is told of the ticket: no form values, no addresses.
fn facts(detail: &TicketDetail, actor: &Actor, now: Timestamp) -> Value {
    let ticket = &detail.opened.ticket;
    let steps: Vec<_> = detail
        .opened
        .steps_in_order()
        .into_iter()
        .take(MOST_STEPS)
        .map(|step| StepBrief::of(ticket, step, actor, now))
        .collect();
    let questions: Vec<Value> = ticket
        .info_requests
        .iter()
        .rev()
        .take(NEWEST)
        .map(|info| {
            json!({"status": info.status, "asked_by": person(&info.requested_by), "asked": person(&info.requested_from),
                   "question": clipped(&info.question_text, 300)})
        })
        .collect();
    let events: Vec<Value> = detail
        .events
        .iter()
        .take(NEWEST)
        .map(|row| json!({"at": row.body.at.to_wire(), "event": row.body.event_type, "by": person(&row.body.actor)}))
        .collect();
    json!({"now": now.to_wire(), "asked_by": person(&actor.person), "ticket": TicketBrief::of(ticket, actor, now),
           "steps": steps, "questions": questions, "events": events})
}

impl Explanation {
    /// Takes the model's words where they can be used; facts stay facts.
    fn take_words(&mut self, words: &Words) {
        let (Some(summary), Some(state)) = (
            words.text("summary", 2 * LONGEST_SENTENCE),
            words.text("current_state", LONGEST_SENTENCE),
        ) else {
            return;
        };
        self.summary = summary;
        self.current_state = state;
        let next = words.list("next_steps", MOST_SENTENCES, LONGEST_SENTENCE);
        if !next.is_empty() && !self.status.is_terminal() {
            self.next_steps = next;
        }
        if let Some(estimate) = words.text("timeline_estimate", LONGEST_SENTENCE) {
            self.timeline_estimate = Some(estimate);
        }
        for (key, value) in words.pairs("key_details", MOST_SENTENCES, LONGEST_DETAIL) {
            if !self
                .key_details
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&key))
            {
                self.key_details.push((key, value));
            }
        }
        self.confidence = match words.text("confidence", 10).as_deref() {
            Some("high") => Confidence::High,
            Some("low") => Confidence::Low,
            Some(_) | None => Confidence::Medium,
        };
        self.is_by_model = true;
    }
}
