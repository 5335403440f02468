//! What the model may look up: calls of services with the caller's own rights, and nothing else.
//!
//! Invariants: no tool takes a person, and none changes anything. A ticket leaves the box only through
//! [`Toolbox::show`], which asks whether the caller may see it. A wish that cannot be met is answered in words that say
//! the same of what does not exist and of what is somebody else's. What tools answer is bounded in rows and in bytes.

mod kind;
mod lists;
mod ticket;
mod work;

pub(super) use kind::tool_named;
pub(super) use lists::EVERY_ROLE;

use super::Services;
use super::brief::TicketBrief;
use crate::clients::language_model::{ToolCall, ToolSpec};
use crate::domain::conversation::Persona;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::ticket::Ticket;
use crate::domain::time::Timestamp;
use crate::engine::permission_guard;
use kind::{Arguments, Described, Tool, tools_of};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Largest answer of one call, in bytes.
const LARGEST_ANSWER: usize = 12 * 1024;
/// Largest answers of all calls of one question together, in bytes.
const LARGEST_TOTAL: usize = 64 * 1024;

const NO_SUCH_TOOL: &str = "there is no such tool";
const WRONG_ARGUMENTS: &str = "these arguments are not what the tool takes";
const NOT_FOUND: &str = "there is nothing with this id that the person may see";
const ENOUGH: &str = "enough was looked up for this question; answer with what is known";

/// The tools of one question.
#[derive(Debug)]
pub(super) struct Toolbox<'a> {
    services: &'a Services,
    actor: &'a Actor,
    persona: Persona,
    now: Timestamp,
    /// Tickets that were shown to the model, with their titles.
    shown: BTreeMap<TicketId, String>,
    spent: usize,
}

/// What a call found.
#[derive(Debug, Default)]
struct Found {
    /// Facts about the whole.
    head: Map<String, Value>,
    /// The tickets that the head is about.
    tickets: Vec<TicketBrief>,
    /// Rows, each perhaps of a ticket; those that are too many are left out.
    rows: Vec<(Value, Option<TicketBrief>)>,
}

impl Found {
    /// The facts in `head`, an object.
    fn of(head: Value) -> Self {
        let head = match head {
            Value::Object(head) => head,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        };
        Self {
            head,
            ..Self::default()
        }
    }

    /// The same with these rows, which belong to the ticket in the head.
    fn with_rows(mut self, rows: impl IntoIterator<Item = Value>) -> Self {
        self.rows.extend(rows.into_iter().map(|row| (row, None)));
        self
    }
}

impl<'a> Toolbox<'a> {
    pub(super) fn new(services: &'a Services, actor: &'a Actor, persona: Persona) -> Self {
        Self {
            services,
            actor,
            persona,
            now: services.clock.now(),
            shown: BTreeMap::new(),
            spent: 0,
        }
    }

    /// What the model is told of the tools.
    pub(super) fn specs(&self) -> Vec<ToolSpec> {
        tools_of(self.persona).map(Described::spec).collect()
    }

    /// The tickets that were shown to the model, with their titles.
    pub(super) fn shown(&self) -> &BTreeMap<TicketId, String> {
        &self.shown
    }

    /// Carries out a call; the answer is JSON text for the model.
    ///
    /// # Errors
    /// The database is unavailable; everything else is told to the model.
    pub(super) async fn call(&mut self, call: &ToolCall) -> Result<String, ServiceError> {
        let Some(described) = tool_named(&call.name, self.persona) else {
            return Ok(refusal(NO_SUCH_TOOL));
        };
        let Some(arguments) = Arguments::read(&call.arguments) else {
            return Ok(refusal(WRONG_ARGUMENTS));
        };
        if self.spent >= LARGEST_TOTAL {
            return Ok(refusal(ENOUGH));
        }
        let found = match Box::pin(self.look_up(described.tool, &arguments)).await {
            Ok(found) => found,
            Err(ServiceError::NotFound { .. } | ServiceError::Forbidden { .. }) => {
                return Ok(refusal(NOT_FOUND));
            }
            Err(ServiceError::InvalidInput(_) | ServiceError::BadRequest { .. }) => {
                return Ok(refusal(WRONG_ARGUMENTS));
            }
            Err(error) => return Err(error),
        };
        let text = self.fit(found);
        self.spent = self.spent.saturating_add(text.len());
        Ok(text)
    }

    async fn look_up(&self, tool: Tool, arguments: &Arguments) -> Result<Found, ServiceError> {
        match tool {
            Tool::MyTickets => self.my_tickets(arguments).await,
            Tool::TicketStatistics => self.ticket_statistics().await,
            Tool::SearchTickets => self.search_tickets(arguments).await,
            Tool::TicketDetails => self.ticket_details(wanted(arguments.ticket_id.as_deref())?).await,
            Tool::TicketFormData => {
                self.ticket_form_data(wanted(arguments.ticket_id.as_deref())?)
                    .await
            }
            Tool::TicketNotes => self.ticket_notes(wanted(arguments.ticket_id.as_deref())?).await,
            Tool::TicketTimeline => {
                self.ticket_timeline(wanted(arguments.ticket_id.as_deref())?)
                    .await
            }
            Tool::TicketApprovals => {
                self.ticket_approvals(wanted(arguments.ticket_id.as_deref())?)
                    .await
            }
            Tool::TicketQuestions => {
                self.ticket_questions(wanted(arguments.ticket_id.as_deref())?)
                    .await
            }
            Tool::TicketFiles => self.ticket_files(wanted(arguments.ticket_id.as_deref())?).await,
            Tool::TicketVersions => {
                self.ticket_versions(wanted(arguments.ticket_id.as_deref())?)
                    .await
            }
            Tool::ChangeRequests => {
                self.change_requests(wanted(arguments.ticket_id.as_deref())?)
                    .await
            }
            Tool::ChangeRequest => {
                self.change_request(wanted(arguments.change_request_id.as_deref())?)
                    .await
            }
            Tool::Catalog => self.catalog(arguments).await,
            Tool::Notifications => self.notifications(arguments).await,
            Tool::Questions => self.questions().await,
            Tool::DailySummary => self.daily_summary().await,
            Tool::MyTasks => self.my_tasks(arguments).await,
            Tool::AgentFigures => self.figures_of(Persona::Agent).await,
            Tool::CompletedTasks => self.completed_tasks(arguments).await,
            Tool::PendingApprovals => self.pending_approvals(arguments).await,
            Tool::Decisions => self.decisions(arguments).await,
            Tool::UnassignedTasks => self.unassigned_tasks(arguments).await,
            Tool::Handovers => self.handovers(arguments).await,
            Tool::Reviews => self.reviews(arguments).await,
            Tool::TeamFigures => self.team_figures().await,
            Tool::Workflows => self.workflows(arguments).await,
            Tool::Workflow => self.workflow(wanted(arguments.workflow_id.as_deref())?).await,
            Tool::SystemFigures => self.figures_of(Persona::Admin).await,
        }
    }

    /// What may be told of a ticket: nothing of one that the caller may not see.
    fn show(&self, ticket: &Ticket) -> Option<TicketBrief> {
        permission_guard::may_see(ticket, self.actor).then(|| TicketBrief::of(ticket, self.actor, self.now))
    }

    /// A row for each of these tickets that may be shown, with `more` facts in it.
    fn rows<'t>(
        &self,
        tickets: impl IntoIterator<Item = (&'t Ticket, Value)>,
    ) -> Vec<(Value, Option<TicketBrief>)> {
        let rows = tickets.into_iter().filter_map(|(ticket, more)| {
            let brief = self.show(ticket)?;
            let mut row = as_json(&brief);
            if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
                row.extend(more);
            }
            Some((row, Some(brief)))
        });
        rows.collect()
    }

    /// The answer as JSON text within its bound; remembers which tickets it shows.
    fn fit(&mut self, found: Found) -> String {
        let mut answer = found.head;
        for brief in found.tickets {
            self.shown.insert(brief.id, brief.title);
        }
        let mut room = LARGEST_ANSWER.saturating_sub(Value::Object(answer.clone()).to_string().len() + 100);
        let (mut rows, mut left_out) = (Vec::new(), 0_usize);
        for (row, brief) in found.rows {
            let size = row.to_string().len() + 1;
            if left_out > 0 || size > room {
                left_out += 1;
                continue;
            }
            room -= size;
            rows.push(row);
            if let Some(brief) = brief {
                self.shown.insert(brief.id, brief.title);
            }
        }
        answer.insert("rows".to_owned(), Value::Array(rows));
        if left_out > 0 {
            answer.insert("left_out".to_owned(), left_out.into());
        }
        json!({ "data": answer }).to_string()
    }
}

/// An argument that the tool cannot do without.
fn wanted(argument: Option<&str>) -> Result<&str, ServiceError> {
    argument.ok_or_else(|| ServiceError::invalid_field("arguments", WRONG_ARGUMENTS))
}

fn refusal(why: &str) -> String {
    json!({ "error": why }).to_string()
}

/// Facts of ours as JSON; they always have that form.
fn as_json(facts: &impl Serialize) -> Value {
    serde_json::to_value(facts).unwrap_or_default()
}
