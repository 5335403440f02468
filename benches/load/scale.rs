//! Flatness: the same requests while the tickets become a hundred times more.
//!
//! Tickets are written through the aggregate types: a rehearsed ticket is decoded, becomes another person's, gets its
//! own id, title and times, its work index is derived, and both are encoded as a creation would. Most people have about
//! a hundred tickets, a few have five thousand.

use crate::http::{Call, Connection};
use crate::people::{Headcount, People, Requester};
use crate::rounds::{at_share, real};
use crate::service::{Service, Setup};
use crate::shapes::{self, Journey, Rehearsal};
use crate::stock::insert;
use crate::template::{Copy, Template, new_ticket_id};
use anyhow::Context;
use bson::{Bson, Document, RawDocumentBuf};
use indicatif::{ProgressBar, ProgressStyle};
use mongodb::Database;
use serde_json::json;
use std::time::{Duration, Instant};
use workflow_ops::domain::id::{TicketId, random_key};
use workflow_ops::domain::person::Person;
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::{Clock, Timestamp};
use workflow_ops::engine::{Definitions, work_index};
use workflow_ops::repositories::ticket_repo::{NewTicket, Origin};

/// Tickets of most people.
const USUAL: usize = 100;
/// Tickets of a few.
const MANY: usize = 5_000;
/// How many requests each kind of request gets at each size.
const REQUESTS: usize = 200;
/// People whose requests are measured.
const SAMPLED: usize = 40;
/// How long ago the oldest ticket was touched, in milliseconds.
const YEAR: i64 = 365 * 86_400_000;

/// What a kind of request took at one size.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct ScaleFigures {
    /// How many tickets there were.
    pub(crate) tickets: usize,
    /// Which request.
    pub(crate) request: String,
    /// Half of the requests took at most this, in milliseconds.
    pub(crate) p50: f64,
    /// 99 of 100 took at most this, in milliseconds.
    pub(crate) p99: f64,
}

/// How many people a number of tickets takes: those with many first.
fn people_of(tickets: usize) -> (usize, usize) {
    let busy = (tickets / 100_000).clamp(1, 10);
    (busy, tickets.saturating_sub(busy * MANY) / USUAL)
}

/// The people of the largest size.
pub(crate) fn headcount(sizes: &[usize]) -> Headcount {
    let largest = sizes.iter().copied().max().unwrap_or_default();
    let (_, usual) = people_of(largest);
    Headcount {
        readers: usual,
        actors: 16,
    }
}

/// Writes tickets up to each size in turn and measures every list, page, dashboard and action there.
pub(crate) async fn measure(
    rehearsal: &Rehearsal,
    people: &People,
    setup: &Setup,
    sizes: &[usize],
) -> anyhow::Result<Vec<ScaleFigures>> {
    rehearsal.appoint(&people.administrator).await?;
    let model = people
        .actors
        .first()
        .context("there is nobody to rehearse with")?;
    let agent = people.agents.first().context("there is no agent")?;
    let journey = rehearsal.journey(model, agent).await?;
    let mut press = Press::of(rehearsal, journey).await?;
    let mut all = Vec::new();
    for size in sizes {
        let took = press.print_up_to(people, *size).await?;
        crate::say(&format!(
            "{size} tickets are there; the last ones took {:.0} s",
            took.as_secs_f64()
        ));
        let service = Service::start(setup).await?;
        let figures = ask(&service, people, rehearsal, *size).await?;
        service.stop().await?;
        all.extend(figures);
    }
    Ok(all)
}

/// Writes tickets of many people from the journey of one.
struct Press {
    database: Database,
    journey: Journey,
    /// The rehearsed ticket after each of its commands.
    states: Vec<Document>,
    /// The audit events up to each of them.
    events: Vec<Vec<Document>>,
    definitions: Definitions,
    /// How many people have their tickets: those with many, and the others.
    done: (usize, usize),
}

impl Press {
    async fn of(rehearsal: &Rehearsal, journey: Journey) -> anyhow::Result<Self> {
        let nothing = Copy {
            ticket: new_ticket_id(),
            now: Clock::System.now(),
        };
        let mut states = Vec::new();
        let mut events: Vec<Vec<Document>> = Vec::new();
        for commit in &journey.commits {
            states.push(decoded(&commit.stored, &nothing)?);
            let mut so_far = events.last().cloned().unwrap_or_default();
            for (_, row) in commit.rows.iter().filter(|(name, _)| *name == "audit_events") {
                so_far.push(decoded(row, &nothing)?);
            }
            events.push(so_far);
        }
        let first = states
            .first()
            .context("a journey without commands")?
            .get_document("ticket")?;
        let ticket: Ticket = bson::deserialize_from_document(first.clone())?;
        Ok(Self {
            database: rehearsal.database().clone(),
            definitions: rehearsal.definitions_of(&ticket).await?,
            journey,
            states,
            events,
            done: (0, 0),
        })
    }

    async fn print_up_to(&mut self, people: &People, tickets: usize) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let (busy, usual) = people_of(tickets);
        let bar = ProgressBar::new(tickets as u64).with_style(ProgressStyle::with_template(
            "{bar:40} {pos}/{len} tickets, {per_sec}, {eta} left",
        )?);
        let (busy_before, usual_before) = self.done;
        bar.set_position((busy_before * MANY + usual_before * USUAL) as u64);
        for person in people.actors.iter().take(busy).skip(busy_before) {
            self.print(person, MANY, &bar).await?;
        }
        for person in people.readers.iter().take(usual).skip(usual_before) {
            self.print(person, USUAL, &bar).await?;
        }
        bar.finish_and_clear();
        self.done = (busy, usual);
        Ok(begun.elapsed())
    }

    /// One person's tickets: of twenty, three wait for approval, two for assignment, three for the agent, the rest are done.
    async fn print(&self, person: &Requester, count: usize, bar: &ProgressBar) -> anyhow::Result<()> {
        let plan = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3];
        let mut variants = Vec::new();
        for (state, events) in self.states.iter().zip(&self.events) {
            variants.push(self.variant(state, events, person)?);
        }
        let (mut tickets, mut rows) = (Vec::new(), Vec::new());
        for (n, state) in plan.iter().cycle().take(count).enumerate() {
            let Some(variant) = variants.get(*state) else {
                continue;
            };
            let (ticket, of_ticket) = variant.another(n, &self.definitions)?;
            tickets.push(ticket);
            rows.extend(of_ticket);
            if tickets.len() == 500 || n + 1 == count {
                tokio::try_join!(
                    insert(&self.database, "tickets", &tickets),
                    insert(&self.database, "audit_events", &rows),
                )?;
                bar.inc(tickets.len() as u64);
                tickets.clear();
                rows.clear();
            }
        }
        Ok(())
    }

    fn variant(&self, state: &Document, events: &[Document], person: &Requester) -> anyhow::Result<Variant> {
        let swaps = [
            (
                &self.journey.requester.member.actor.person,
                &person.member.actor.person,
            ),
            (
                &self.journey.requester.manager.actor.person,
                &person.manager.actor.person,
            ),
        ];
        let mut stored = state.clone();
        rename(&mut stored, &swaps);
        let ticket: Ticket = bson::deserialize_from_document(stored.get_document("ticket")?.clone())?;
        let at = ticket.updated_at;
        let rows = events.iter().map(|event| {
            let mut event = event.clone();
            rename(&mut event, &swaps);
            Template::of(&event, &ticket.id, at)
        });
        Ok(Variant {
            rows: rows.collect::<anyhow::Result<_>>()?,
            origin: bson::deserialize_from_bson(stored.get("origin").cloned().unwrap_or(Bson::Null))?,
            ticket,
        })
    }
}

/// A ticket of one person in one state.
struct Variant {
    ticket: Ticket,
    origin: Origin,
    rows: Vec<Template>,
}

impl Variant {
    fn another(
        &self,
        n: usize,
        definitions: &Definitions,
    ) -> anyhow::Result<(RawDocumentBuf, Vec<RawDocumentBuf>)> {
        let now = Clock::System.now().millis();
        let age = i64::try_from(rand::random::<u64>() % 1_000_000).unwrap_or_default() * (YEAR / 1_000_000);
        let mut ticket = self.ticket.clone();
        ticket.id = new_ticket_id();
        ticket.title = format!("A laptop for the new office {n}");
        ticket.updated_at = Timestamp::from_millis(now - age);
        ticket.created_at = ticket.updated_at.plus_millis(-86_400_000);
        let work = work_index::derive(&ticket, definitions);
        let new = NewTicket {
            id: &ticket.id,
            version: ticket.version,
            origin: &self.origin,
            ticket: &ticket,
            work: &work,
            recent_keys: &[],
            tail: &[],
        };
        let copy = Copy {
            ticket: ticket.id.clone(),
            now: ticket.updated_at,
        };
        let rows = self
            .rows
            .iter()
            .map(|row| row.copy(&copy))
            .collect::<anyhow::Result<_>>()?;
        Ok((bson::serialize_to_raw_document_buf(&new)?, rows))
    }
}

fn decoded(template: &Template, copy: &Copy) -> anyhow::Result<Document> {
    Ok(bson::deserialize_from_slice(template.copy(copy)?.as_bytes())?)
}

/// Puts other people in place of the rehearsed ones, wherever they are named.
fn rename(document: &mut Document, swaps: &[(&Person, &Person)]) {
    for (_, value) in document.iter_mut() {
        rename_value(value, swaps);
    }
}

fn rename_value(value: &mut Bson, swaps: &[(&Person, &Person)]) {
    if let Bson::String(text) = value {
        for (old, new) in swaps {
            let ids = (old.aad_id.as_deref(), new.aad_id.as_deref());
            let (Some(old_id), Some(new_id)) = ids else {
                continue;
            };
            for (from, to) in [
                (old_id, new_id),
                (old.email.as_str(), new.email.as_str()),
                (old.display_name.as_str(), new.display_name.as_str()),
            ] {
                if text.contains(from) {
                    *text = text.replace(from, to);
                }
            }
        }
    } else if let Bson::Document(inner) = value {
        rename(inner, swaps);
    } else if let Bson::Array(items) = value {
        for item in items {
            rename_value(item, swaps);
        }
    }
}

/// A kind of request, one for each of the people in turn.
struct Question {
    name: &'static str,
    calls: Vec<Call>,
}

async fn ask(
    service: &Service,
    people: &People,
    rehearsal: &Rehearsal,
    size: usize,
) -> anyhow::Result<Vec<ScaleFigures>> {
    let (busy, usual) = people_of(size);
    let step = (usual / SAMPLED).max(1);
    let sample: Vec<&Requester> = people
        .readers
        .iter()
        .take(usual)
        .step_by(step)
        .take(SAMPLED)
        .collect();
    let busiest: Vec<&Requester> = people.actors.iter().take(busy.min(1)).collect();
    let tickets = samples(rehearsal.database(), &sample).await?;
    let mut figures = Vec::new();
    let mut questions = lists(&sample, &busiest);
    questions.extend(actions(&sample, people, &tickets, rehearsal));
    questions.extend(of_administrators(people));
    for question in questions {
        let mut connection = Connection::open(service.address).await?;
        let mut took = Vec::with_capacity(REQUESTS);
        for (n, call) in question.calls.iter().enumerate() {
            let begun = Instant::now();
            connection.send(call).await?;
            if n >= question.calls.len() / 5 {
                took.push(begun.elapsed());
            }
        }
        took.sort_unstable();
        let one = ScaleFigures {
            tickets: size,
            request: question.name.to_owned(),
            p50: at_share(&took, 50),
            p99: at_share(&took, 99),
        };
        crate::say(&format!(
            "{:>8} {:28} p50 {:7.2} ms  p99 {:7.2} ms  ({:.0} requests)",
            one.tickets,
            one.request,
            one.p50,
            one.p99,
            real(took.len()),
        ));
        figures.push(one);
    }
    Ok(figures)
}

/// Tickets of the sampled people that wait for approval, and that wait for the agent.
#[derive(Debug, Default)]
struct Samples {
    waiting: Vec<(Requester, TicketId, String)>,
    working: Vec<(Requester, TicketId, String)>,
}

async fn samples(database: &Database, people: &[&Requester]) -> anyhow::Result<Samples> {
    use futures::TryStreamExt;
    let mut samples = Samples::default();
    for person in people {
        let keys = person.member.actor.person.keys();
        let shelves: Vec<String> = keys
            .iter()
            .map(|key| workflow_ops::domain::work::Shelf::Mine.key(key))
            .collect();
        let found: Vec<Document> = database
            .collection::<Document>("tickets")
            .find(bson::doc! {"work.shelves": {"$in": shelves}, "work.status": {"$nin": ["COMPLETED"]}})
            .limit(60)
            .await?
            .try_collect()
            .await?;
        for document in found {
            let ticket: Ticket = bson::deserialize_from_document(document.get_document("ticket")?.clone())?;
            let Some(live) = ticket.steps.iter().rfind(|step| step.is_live()) else {
                continue;
            };
            let sample = ((*person).clone(), ticket.id.clone(), live.id.to_string());
            match ticket.version {
                1 => samples.waiting.push(sample),
                3 => samples.working.push(sample),
                _ => {}
            }
        }
    }
    Ok(samples)
}

/// Lists and dashboards of people.
fn lists(sample: &[&Requester], busiest: &[&Requester]) -> Vec<Question> {
    let of = |name: &'static str, path: &str, people: &[&Requester], as_manager: bool| Question {
        name,
        calls: people
            .iter()
            .cycle()
            .take(REQUESTS)
            .map(|person| {
                let who = if as_manager {
                    &person.manager
                } else {
                    &person.member
                };
                Call::get(format!("/api/v1/{path}"), &who.bearer)
            })
            .collect(),
    };
    vec![
        of("my tickets", "tickets?page_size=20", sample, false),
        of("my tickets, page 3", "tickets?page_size=20&page=3", sample, false),
        of(
            "my tickets by title",
            "tickets?page_size=20&sort_by=title",
            sample,
            false,
        ),
        of(
            "my tickets with text",
            "tickets?page_size=20&q=office",
            sample,
            false,
        ),
        of(
            "tickets I may see",
            "tickets?mine=false&page_size=20",
            sample,
            false,
        ),
        of("approvals", "tickets/manager/approvals", sample, true),
        of("assignments", "tickets/manager/assignments", sample, true),
        of("decisions", "tickets/manager/history", sample, true),
        of("manager's dashboard", "tickets/manager/dashboard", sample, true),
        of("bell", "notifications", sample, false),
        of("my tickets (5 000)", "tickets?page_size=20", busiest, false),
        of(
            "approvals (5 000 tickets)",
            "tickets/manager/approvals",
            busiest,
            true,
        ),
        of(
            "dashboard (5 000 tickets)",
            "tickets/manager/dashboard",
            busiest,
            true,
        ),
    ]
}

/// A ticket's page, and commands.
fn actions(
    sample: &[&Requester],
    people: &People,
    tickets: &Samples,
    rehearsal: &Rehearsal,
) -> Vec<Question> {
    let waiting = tickets.waiting.iter().take(REQUESTS);
    let working = tickets.working.iter().take(REQUESTS);
    let agent = people.agents.first();
    vec![
        Question {
            name: "ticket",
            calls: tickets
                .waiting
                .iter()
                .cycle()
                .take(REQUESTS)
                .map(|(person, id, _)| Call::get(format!("/api/v1/tickets/{id}"), &person.member.bearer))
                .collect(),
        },
        Question {
            name: "create",
            calls: sample
                .iter()
                .cycle()
                .take(REQUESTS)
                .map(|person| {
                    let body = json!({
                        "workflow_id": rehearsal.workflow, "title": shapes::title(&random_key()),
                        "initial_form_values": shapes::values(), "initial_form_step_ids": ["ask"],
                    });
                    Call::post("/api/v1/tickets".to_owned(), &person.member.bearer, &body)
                })
                .collect(),
        },
        Question {
            name: "approve",
            calls: waiting
                .map(|(person, id, step)| {
                    let path = format!("/api/v1/tickets/{id}/steps/{step}/approve");
                    Call::post(path, &person.manager.bearer, &json!({"comment": "Fine with me."}))
                })
                .collect(),
        },
        Question {
            name: "complete",
            calls: working
                .filter_map(|(_, id, step)| {
                    let path = format!("/api/v1/tickets/{id}/steps/{step}/complete");
                    let body = json!({"execution_notes": "Done.", "output_values": shapes::output()});
                    Some(Call::post(path, &agent?.bearer, &body))
                })
                .collect(),
        },
    ]
}

/// Lists and figures over everything.
fn of_administrators(people: &People) -> Vec<Question> {
    let root = |name: &'static str, path: &str| Question {
        name,
        calls: (0..40)
            .map(|_| Call::get(format!("/api/v1/{path}"), &people.administrator.bearer))
            .collect(),
    };
    vec![
        root("administrator: all tickets", "tickets?mine=false&page_size=20"),
        root(
            "administrator: by status",
            "tickets?mine=false&status=COMPLETED&page_size=20",
        ),
        root(
            "administrator: page 40",
            "tickets?mine=false&page_size=20&page=40",
        ),
        root("administrator: audit", "admin/ticket-audit"),
        root("administrator: figures", "admin/agent-metrics"),
        root("administrator: dashboard", "admin/dashboard"),
    ]
}
