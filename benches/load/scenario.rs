//! What is measured, and each piece of it over HTTP and by the bare driver.

use crate::bare::Bare;
use crate::http::{Call, Connection};
use crate::people::Requester;
use crate::shapes::{self, Journey};
use crate::stock::{self, Stocked};
use crate::template::new_ticket_id;
use anyhow::Context;
use clap::ValueEnum;
use mongodb::Database;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use workflow_ops::domain::id::{WorkflowId, random_key};
use workflow_ops::domain::work::{Queue, Shelf};

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// A ticket's page, of tickets that are looked at again and again.
    Detail,
    /// A ticket's page that nobody has looked at before.
    FirstLook,
    /// A manager's pending approvals.
    Inbox,
    /// A manager's dashboard.
    Dashboard,
    /// Raising a ticket.
    Create,
    /// A manager's approval.
    Approve,
    /// An agent's completion of the task.
    Complete,
    /// Create, open, approve, assign, complete.
    Journey,
    /// Nine reads to one approval.
    Mixed,
}

impl Scenario {
    /// The word in tables and flags.
    pub(crate) fn word(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// What a scenario draws on.
#[derive(Debug)]
pub(crate) struct World {
    /// The database.
    pub(crate) database: Database,
    /// The workflow.
    pub(crate) workflow: WorkflowId,
    /// Journeys of people whose tickets are acted on.
    pub(crate) actors: Vec<Arc<Journey>>,
    /// Tickets that are only read.
    pub(crate) pages: Vec<Stocked>,
    /// People whose inboxes are read.
    pub(crate) readers: Vec<Requester>,
}

/// One piece of load.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Detail(Stocked),
    Inbox(Box<Requester>),
    Dashboard(Box<Requester>),
    Create(Arc<Journey>, WorkflowId),
    Approve(Stocked),
    Complete(Stocked),
    Journey(Arc<Journey>, WorkflowId),
}

impl World {
    /// The pieces of one round; tickets to act on are laid in first.
    pub(crate) async fn pieces(&self, scenario: Scenario, count: usize) -> anyhow::Result<Vec<Piece>> {
        let journeys = self.actors.iter().cycle().take(count);
        Ok(match scenario {
            Scenario::Detail => self.details(count),
            Scenario::FirstLook => {
                let stock = self.stock(3, count).await?;
                stock.into_iter().map(Piece::Detail).collect()
            }
            Scenario::Inbox => self.inboxes(count),
            Scenario::Dashboard => self.readers_in_turn(count).map(Piece::Dashboard).collect(),
            Scenario::Create => journeys
                .map(|journey| Piece::Create(Arc::clone(journey), self.workflow.clone()))
                .collect(),
            Scenario::Journey => journeys
                .map(|journey| Piece::Journey(Arc::clone(journey), self.workflow.clone()))
                .collect(),
            Scenario::Approve => self
                .stock(1, count)
                .await?
                .into_iter()
                .map(Piece::Approve)
                .collect(),
            Scenario::Complete => self
                .stock(3, count)
                .await?
                .into_iter()
                .map(Piece::Complete)
                .collect(),
            Scenario::Mixed => {
                let mut approvals = self
                    .stock(1, count.div_ceil(10))
                    .await?
                    .into_iter()
                    .map(Piece::Approve);
                let mut reads = self.details(count).into_iter().zip(self.inboxes(count));
                let piece = |n: usize| {
                    let (detail, inbox) = reads.next()?;
                    match n % 10 {
                        0 => approvals.next(),
                        odd if odd % 2 == 1 => Some(detail),
                        _ => Some(inbox),
                    }
                };
                (0..count).map_while(piece).collect()
            }
        })
    }

    /// After how many pieces the same tickets and people come again; none when each piece is about another ticket.
    pub(crate) fn looked_at_again(&self, scenario: Scenario) -> usize {
        match scenario {
            Scenario::Detail | Scenario::Mixed => self.pages.len(),
            Scenario::Inbox | Scenario::Dashboard => self.readers.len(),
            Scenario::FirstLook
            | Scenario::Create
            | Scenario::Approve
            | Scenario::Complete
            | Scenario::Journey => 0,
        }
    }

    fn details(&self, count: usize) -> Vec<Piece> {
        self.pages
            .iter()
            .cycle()
            .take(count)
            .cloned()
            .map(Piece::Detail)
            .collect()
    }

    fn inboxes(&self, count: usize) -> Vec<Piece> {
        self.readers_in_turn(count).map(Piece::Inbox).collect()
    }

    fn readers_in_turn(&self, count: usize) -> impl Iterator<Item = Box<Requester>> {
        self.readers.iter().cycle().take(count).cloned().map(Box::new)
    }

    async fn stock(&self, commands: usize, count: usize) -> anyhow::Result<Vec<Stocked>> {
        stock::lay_in(&self.database, &self.actors, commands, count).await
    }
}

/// What a journey reads of an answer.
#[derive(Debug, Deserialize)]
struct WithStep {
    current_step: Option<NamedStep>,
}

#[derive(Debug, Deserialize)]
struct NamedStep {
    ticket_step_id: String,
}

#[derive(Debug, Deserialize)]
struct WithTicket {
    ticket_id: String,
}

impl Piece {
    /// Carries it out over HTTP.
    pub(crate) async fn over_http(&self, connection: &mut Connection) -> anyhow::Result<()> {
        match self {
            Self::Detail(stocked) => {
                let path = format!("/api/v1/tickets/{}", stocked.id);
                let bearer = &stocked.journey.requester.member.bearer;
                connection.send(&Call::get(path, bearer)).await?;
            }
            Self::Inbox(reader) => {
                let path = "/api/v1/tickets/manager/approvals?page=1&page_size=20".to_owned();
                connection.send(&Call::get(path, &reader.manager.bearer)).await?;
            }
            Self::Dashboard(reader) => {
                let path = "/api/v1/tickets/manager/dashboard".to_owned();
                connection.send(&Call::get(path, &reader.manager.bearer)).await?;
            }
            Self::Create(journey, workflow) => {
                connection.send(&raise(journey, workflow)).await?;
            }
            Self::Approve(stocked) => {
                connection
                    .send(&approve(
                        &stocked.journey,
                        stocked.id.as_str(),
                        stocked.journey.approval.as_str(),
                    ))
                    .await?;
            }
            Self::Complete(stocked) => {
                connection
                    .send(&complete(
                        &stocked.journey,
                        stocked.id.as_str(),
                        stocked.journey.task.as_str(),
                    ))
                    .await?;
            }
            Self::Journey(journey, workflow) => {
                let raised = connection.send(&raise(journey, workflow)).await?;
                let id = serde_json::from_slice::<WithTicket>(&raised)?.ticket_id;
                let page = Call::get(format!("/api/v1/tickets/{id}"), &journey.requester.member.bearer);
                let approval = step_of(&connection.send(&page).await?)?;
                let approved = connection.send(&approve(journey, &id, &approval)).await?;
                let task = step_of(&approved)?;
                connection.send(&assign(journey, &id, &task)).await?;
                connection.send(&complete(journey, &id, &task)).await?;
            }
        }
        Ok(())
    }

    /// Carries it out by the bare driver.
    pub(crate) async fn bare(&self, bare: &Bare) -> anyhow::Result<()> {
        match self {
            Self::Detail(stocked) => bare.detail(&stocked.id).await,
            Self::Inbox(reader) => {
                let keys = reader.manager.actor.person.keys();
                let queues: Vec<String> = keys.iter().map(|key| Queue::Approvals.key(key)).collect();
                bare.inbox(&queues).await
            }
            Self::Dashboard(reader) => {
                let keys = reader.manager.actor.person.keys();
                let managed: Vec<String> = keys.iter().map(|key| Shelf::Managed.key(key)).collect();
                let queues: Vec<String> = keys.iter().map(|key| Queue::Assignments.key(key)).collect();
                bare.dashboard(&managed, &queues).await
            }
            Self::Create(journey, workflow) => {
                let [created, ..] = &journey.commits;
                bare.create(created, workflow, new_ticket_id()).await
            }
            Self::Approve(stocked) => {
                let [_, approved, ..] = &stocked.journey.commits;
                bare.command(approved, stocked.id.clone()).await
            }
            Self::Complete(stocked) => {
                let [.., completed] = &stocked.journey.commits;
                bare.command(completed, stocked.id.clone()).await
            }
            Self::Journey(journey, workflow) => {
                let [created, approved, assigned, completed] = &journey.commits;
                let id = new_ticket_id();
                bare.create(created, workflow, id.clone()).await?;
                bare.detail(&id).await.or_else(|_| Ok::<(), anyhow::Error>(()))?;
                for commit in [approved, assigned, completed] {
                    bare.command(commit, id.clone()).await?;
                }
                Ok(())
            }
        }
    }
}

fn step_of(answer: &[u8]) -> anyhow::Result<String> {
    let step = serde_json::from_slice::<WithStep>(answer)?.current_step;
    Ok(step.context("a ticket has no current step")?.ticket_step_id)
}

fn raise(journey: &Journey, workflow: &WorkflowId) -> Call {
    let mut word = random_key();
    word.truncate(12);
    let body = json!({
        "workflow_id": workflow, "title": shapes::title(&word),
        "description": "The old one is five years old and does not hold its charge.",
        "initial_form_values": shapes::values(), "initial_form_step_ids": ["ask"],
    });
    Call::post(
        "/api/v1/tickets".to_owned(),
        &journey.requester.member.bearer,
        &body,
    )
}

fn approve(journey: &Journey, id: &str, step: &str) -> Call {
    let path = format!("/api/v1/tickets/{id}/steps/{step}/approve");
    Call::post(
        path,
        &journey.requester.manager.bearer,
        &json!({"comment": "Fine with me."}),
    )
}

fn assign(journey: &Journey, id: &str, step: &str) -> Call {
    let path = format!("/api/v1/tickets/{id}/steps/{step}/assign");
    let body = json!({"agent_email": journey.agent.actor.person.email.as_str()});
    Call::post(path, &journey.requester.manager.bearer, &body)
}

fn complete(journey: &Journey, id: &str, step: &str) -> Call {
    let path = format!("/api/v1/tickets/{id}/steps/{step}/complete");
    let body = json!({"execution_notes": "Handed over.", "output_values": shapes::output()});
    Call::post(path, &journey.agent.bearer, &body)
}
