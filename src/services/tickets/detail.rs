//! One ticket with everything its page shows.

use super::{ShownPage, TicketService};
use crate::domain::error::ServiceError;
use crate::domain::id::TicketStepId;
use crate::domain::person::{Actor, Person};
use crate::domain::ticket::{ApprovalDecision, FormVersion, Phase, Step, Ticket};
use crate::domain::time::Timestamp;
use crate::domain::workflow::StepType;
use crate::engine::Definitions;
use crate::engine::definition::CompiledWorkflow;
use crate::repositories::audit_repo::AuditRow;
use crate::repositories::note_repo::NoteRow;
use crate::repositories::ticket_repo::StoredTicket;
use crate::services::execute::{Executed, NEWEST_EVENTS};
use std::sync::Arc;

/// Newest notes that a ticket's page shows.
const NOTES: usize = 500;
/// Newest audit events that a ticket's page shows.
const EVENTS: usize = 50;
/// Form versions that a ticket's page shows.
const FORM_VERSIONS: usize = 100;

/// A ticket with the versions it runs and what its views add to it.
#[derive(Debug, Clone)]
pub struct OpenedTicket {
    /// The aggregate.
    pub ticket: Ticket,
    /// The versions it runs.
    pub definitions: Definitions,
    /// Its newest notes, oldest first.
    pub notes: Vec<NoteRow>,
    /// Versions of its form data, oldest first; empty before the first change.
    pub form_versions: Vec<FormVersion>,
}

/// A ticket's page.
#[derive(Debug, Clone)]
pub struct TicketDetail {
    /// The ticket.
    pub opened: OpenedTicket,
    /// Its newest audit events, newest first.
    pub events: Vec<AuditRow>,
}

impl TicketDetail {
    /// Whether nothing in it is newer than the ticket, which was read first.
    fn is_of_one_version(&self) -> bool {
        let OpenedTicket {
            ticket,
            notes,
            form_versions,
            ..
        } = &self.opened;
        self.events.iter().all(|row| row.seq <= ticket.version)
            && notes.iter().all(|row| row.seq <= ticket.version)
            && form_versions
                .iter()
                .all(|form| form.version <= ticket.form_version)
    }
}

/// Somebody who has worked on a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousAgent {
    /// Who.
    pub person: Person,
    /// On which step.
    pub step_name: String,
    /// The step's type.
    pub step_type: StepType,
    /// When the work ended, or began.
    pub at: Option<Timestamp>,
}

impl TicketService {
    /// A ticket's page in JSON, as `render` shows it to the actor. One that was shown lately is sent again if the
    /// database has no newer version of the ticket.
    ///
    /// # Errors
    /// Unknown 404, foreign 403, or the database is unavailable.
    pub async fn page(
        &self,
        actor: &Actor,
        id: &str,
        render: impl FnOnce(&TicketDetail, &Actor) -> serde_json::Result<Vec<u8>> + Send,
    ) -> Result<Arc<ShownPage>, ServiceError> {
        let ticket_id = super::ticket_id(id)?;
        if let Some(shown) = self.pages.last(&ticket_id, actor)
            && self.tickets.version_of(&ticket_id).await? == Some(shown.version)
        {
            return Ok(shown);
        }
        let detail = self.detail(actor, id).await?;
        let json = render(&detail, actor).map_err(|error| ServiceError::Defect(error.into()))?;
        let version = detail.opened.ticket.version;
        let page = Arc::new(ShownPage::new(version, json.into(), actor));
        if detail.is_of_one_version() {
            self.pages.keep(&ticket_id, &page);
        }
        Ok(page)
    }

    /// A ticket with everything its page shows.
    ///
    /// # Errors
    /// Unknown 404, foreign 403, or the database is unavailable.
    pub async fn detail(&self, actor: &Actor, id: &str) -> Result<TicketDetail, ServiceError> {
        let ticket_id = super::ticket_id(id)?;
        let read = self.tickets.read_with_tail(&ticket_id).await?;
        let read = read.ok_or_else(super::unknown_ticket)?;
        Self::seen_by(actor, &read.ticket)?;
        let in_tail = AuditRow::all_of(&read.tail.entries);
        let events = async {
            let newest = self
                .newest_events
                .at_version(in_tail, &ticket_id, read.version, EVENTS);
            Ok(newest.await?)
        };
        let (opened, events) = tokio::try_join!(self.open(read.ticket), events)?;
        Ok(TicketDetail { opened, events })
    }

    /// A ticket with what its views add: only what it has is looked up.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn open(&self, ticket: Ticket) -> Result<OpenedTicket, ServiceError> {
        let has_notes =
            ticket.requester_note_count > 0 || ticket.steps.iter().any(|step| step.note_count > 0);
        let mut notes = if has_notes {
            self.notes.newest_of_ticket(&ticket.id, NOTES).await?
        } else {
            Vec::new()
        };
        notes.reverse();
        let mut versions = Vec::new();
        if ticket.form_version > 1 {
            let rows = self
                .form_versions
                .newest_of_ticket(&ticket.id, FORM_VERSIONS)
                .await?;
            versions.extend(rows.into_iter().rev().map(|row| row.body));
        }
        let definitions = self.facts.definitions_of(&ticket).await?;
        Ok(OpenedTicket {
            ticket,
            definitions,
            notes,
            form_versions: versions,
        })
    }

    /// Tickets as lists show them: without notes and versions of form data.
    ///
    /// # Errors
    /// The database is unavailable.
    pub(super) async fn open_for_list(&self, stored: StoredTicket) -> Result<OpenedTicket, ServiceError> {
        let definitions = self.facts.definitions_of(&stored.ticket).await?;
        Ok(OpenedTicket {
            ticket: stored.ticket,
            definitions,
            notes: Vec::new(),
            form_versions: Vec::new(),
        })
    }

    /// A page of tickets as lists show them.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn open_all(&self, stored: Vec<StoredTicket>) -> Result<Vec<OpenedTicket>, ServiceError> {
        let mut opened = Vec::with_capacity(stored.len());
        for one in stored {
            opened.push(self.open_for_list(one).await?);
        }
        Ok(opened)
    }

    /// The newest audit events of a ticket after a command, newest first. What the commit path knows is not read
    /// again: it has seen the tail, so only the collection is left to look at, and not even that after many events.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn newest_events(&self, executed: &Executed) -> Result<Vec<AuditRow>, ServiceError> {
        let id = &executed.ticket.id;
        let Some(before) = &executed.before else {
            let all = bson::Document::new();
            return Ok(self.audit.newest(id, |_| true, all, NEWEST_EVENTS).await?);
        };
        let known: Vec<AuditRow> = before.iter().chain(&executed.events).cloned().collect();
        if known.len() >= NEWEST_EVENTS {
            return Ok(known.into_iter().rev().take(NEWEST_EVENTS).collect());
        }
        let version = executed.ticket.version;
        Ok(self
            .newest_events
            .at_version(known, id, version, NEWEST_EVENTS)
            .await?)
    }

    /// Everybody who has worked on a ticket, the latest first (contract http-tickets 5.2).
    ///
    /// # Errors
    /// Unknown 404, foreign 403, or the database is unavailable.
    pub async fn previous_agents(&self, actor: &Actor, id: &str) -> Result<Vec<PreviousAgent>, ServiceError> {
        let ticket = self.visible(actor, id).await?.ticket;
        let mut agents: Vec<PreviousAgent> = Vec::new();
        for step in &ticket.steps {
            for (person, at) in workers(&ticket, step) {
                let known = agents
                    .iter_mut()
                    .find(|a| a.step_name == step.name && a.person.is_same(&person));
                match known {
                    Some(known) => known.at = known.at.max(at),
                    None => agents.push(PreviousAgent {
                        person,
                        step_name: step.name.clone(),
                        step_type: step.kind,
                        at,
                    }),
                }
            }
        }
        agents.sort_by_key(|agent| std::cmp::Reverse(agent.at));
        Ok(agents)
    }
}

/// Who has worked on a step, with when.
fn workers(ticket: &Ticket, step: &Step) -> Vec<(Person, Option<Timestamp>)> {
    let done = step.completed_at.or(step.started_at);
    match step.kind {
        StepType::Task if step.phase != Phase::NotStarted => {
            let past = ticket
                .assignments
                .iter()
                .filter(|assignment| assignment.ticket_step_id == step.id);
            let past = past.map(|assignment| (assignment.assigned_to.clone(), assignment.ended_at.or(done)));
            past.chain(step.assignee.clone().map(|person| (person, done)))
                .collect()
        }
        StepType::Approval => {
            let decided = ticket.approval_tasks_of(&step.id).filter(|task| {
                matches!(
                    task.decision,
                    ApprovalDecision::Approved | ApprovalDecision::Rejected
                )
            });
            decided
                .map(|task| (task.approver.clone(), task.decided_at.or(done)))
                .collect()
        }
        StepType::Task
        | StepType::Form
        | StepType::Notify
        | StepType::Fork
        | StepType::Join
        | StepType::SubWorkflow => Vec::new(),
    }
}

impl OpenedTicket {
    /// The version whose steps live where this step does.
    pub fn workflow_of(&self, step: &Step) -> Option<&CompiledWorkflow> {
        let workflow = self
            .definitions
            .workflow_in(&self.ticket, step.container.as_ref());
        workflow.map(Arc::as_ref)
    }

    /// The steps in the order of execution, steps of embedded workflows last (contract http-tickets 4.3).
    pub fn steps_in_order(&self) -> Vec<&Step> {
        let places = &self.definitions.own.place_of;
        let mut steps: Vec<&Step> = self.ticket.steps.iter().collect();
        steps.sort_by_key(|step| {
            let place = match &step.container {
                None => places.get(&step.key).copied(),
                Some(_) => step.container_order.and_then(|order| usize::try_from(order).ok()),
            };
            // A step that has no container comes before all that have one.
            let container = step.container.as_ref().map(TicketStepId::as_str);
            (
                container.is_some(),
                place.unwrap_or(usize::MAX),
                step.round,
                container,
            )
        });
        steps
    }

    /// The newest instance of the step activated last.
    pub fn current_step(&self) -> Option<&Step> {
        let key = self.ticket.current_step_id.as_ref()?;
        let instances = self.ticket.steps.iter().filter(|step| step.key == *key);
        instances.max_by_key(|step| (step.started_at, step.round))
    }
}
