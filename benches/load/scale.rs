//! Flatness: the same requests while the tickets become a hundred times more.
//!
//! Tickets are written through the aggregate types: a rehearsed ticket is decoded, becomes another person's, gets its
//! own id, title and times, its work index is derived, and both are encoded as a creation would. Most people have about
//! a hundred tickets, a few have five thousand.

use crate::people::{Headcount, Member, People, Requester, TEAM};
use crate::questions::{ScaleFigures, ask};
use crate::service::{Service, Setup};
use crate::shapes::{Journey, Rehearsal};
use crate::stock::insert;
use crate::template::{Copy, Template, new_ticket_id};
use anyhow::Context;
use bson::{Bson, Document, RawDocumentBuf, doc};
use indicatif::{ProgressBar, ProgressStyle};
use mongodb::Database;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use workflow_ops::domain::person::Person;
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::{Clock, Timestamp};
use workflow_ops::engine::{Definitions, work_index};
use workflow_ops::repositories::indexes;
use workflow_ops::repositories::ticket_repo::{NewTicket, Origin};

/// Tickets of most people.
const USUAL: usize = 100;
/// Tickets of a few.
const MANY: usize = 5_000;
/// From so many new tickets on, indexes are built when all are written: else the server spends most of its time fetching
/// pages of indexes that its small cache has no room for.
const INDEXED_AFTERWARDS: usize = 20_000;
/// How long ago the oldest ticket was touched, in milliseconds.
const YEAR: i64 = 365 * 86_400_000;

/// What follows a command, where lists read it.
const FOLLOWING: [&str; 4] = [
    "audit_events",
    "work_history",
    "notification_outbox",
    "inapp_notifications",
];

/// How many people a number of tickets takes: those with many first.
pub(crate) fn people_of(tickets: usize) -> (usize, usize) {
    let busy = (tickets / 100_000).clamp(usize::from(tickets >= 2 * MANY), 10);
    (busy, tickets.saturating_sub(busy * MANY) / USUAL)
}

/// The people of the largest size.
pub(crate) fn headcount(sizes: &[usize]) -> Headcount {
    let largest = sizes.iter().copied().max().unwrap_or_default();
    let (busy, usual) = people_of(largest);
    Headcount {
        readers: usual,
        actors: busy.max(1) * TEAM,
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
    /// What follows from the commands up to each of them.
    rows: Vec<Vec<(&'static str, Document)>>,
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
        let mut rows: Vec<Vec<(&'static str, Document)>> = Vec::new();
        for commit in &journey.commits {
            states.push(decoded(&commit.stored, &nothing)?);
            let mut so_far = rows.last().cloned().unwrap_or_default();
            for (name, row) in commit.rows.iter().filter(|(name, _)| FOLLOWING.contains(name)) {
                so_far.push((*name, decoded(row, &nothing)?));
            }
            rows.push(so_far);
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
            rows,
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
        let before = busy_before * MANY + usual_before * USUAL;
        bar.set_position(before as u64);
        if tickets.saturating_sub(before) >= INDEXED_AFTERWARDS {
            for name in ["tickets"].iter().chain(&FOLLOWING) {
                self.database.collection::<Document>(name).drop_indexes().await?;
            }
        }
        // One in a team: no manager and no agent has two of them, however many there are.
        let with_many = people.actors.iter().enumerate().step_by(TEAM);
        for (n, person) in with_many.take(busy).skip(busy_before) {
            self.print(person, people.agent_of_actor(n), MANY, &bar).await?;
        }
        for (n, person) in people.readers.iter().enumerate().take(usual).skip(usual_before) {
            self.print(person, people.agent_of_reader(n), USUAL, &bar).await?;
        }
        bar.finish_and_clear();
        indexes::ensure(&self.database).await?;
        // What is asked next does not pay for writing to disk what was just laid in.
        let admin = self.database.client().database("admin");
        admin.run_command(doc! {"fsync": 1}).await?;
        self.done = (busy, usual);
        Ok(begun.elapsed())
    }

    /// One person's tickets: of twenty, three wait for approval, two for assignment, three for the agent, the rest are done.
    async fn print(
        &self,
        person: &Requester,
        agent: Option<&Member>,
        count: usize,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        let agent = agent.context("there is no agent")?;
        let plan = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3];
        let mut variants = Vec::new();
        for (state, rows) in self.states.iter().zip(&self.rows) {
            variants.push(self.variant(state, rows, person, agent)?);
        }
        let mut tickets = Vec::new();
        let mut rows: BTreeMap<&'static str, Vec<RawDocumentBuf>> = BTreeMap::new();
        for (n, state) in plan.iter().cycle().take(count).enumerate() {
            let Some(variant) = variants.get(*state) else {
                continue;
            };
            let (ticket, of_ticket) = variant.another(n, &self.definitions)?;
            tickets.push(ticket);
            for (name, row) in of_ticket {
                rows.entry(name).or_default().push(row);
            }
            if tickets.len() == 500 || n + 1 == count {
                let following = rows.iter().map(|(name, rows)| insert(&self.database, name, rows));
                tokio::try_join!(
                    insert(&self.database, "tickets", &tickets),
                    futures::future::try_join_all(following),
                )?;
                bar.inc(tickets.len() as u64);
                tickets.clear();
                rows.clear();
            }
        }
        Ok(())
    }

    fn variant(
        &self,
        state: &Document,
        rows: &[(&'static str, Document)],
        person: &Requester,
        agent: &Member,
    ) -> anyhow::Result<Variant> {
        let swaps = [
            (
                &self.journey.requester.member.actor.person,
                &person.member.actor.person,
            ),
            (
                &self.journey.requester.manager.actor.person,
                &person.manager.actor.person,
            ),
            (&self.journey.agent.actor.person, &agent.actor.person),
        ];
        let mut stored = state.clone();
        rename(&mut stored, &swaps);
        let ticket: Ticket = bson::deserialize_from_document(stored.get_document("ticket")?.clone())?;
        let at = ticket.updated_at;
        let rows = rows.iter().map(|(name, row)| {
            let mut row = row.clone();
            rename(&mut row, &swaps);
            Ok((*name, Template::of(&row, &ticket.id, at)?))
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
    rows: Vec<(&'static str, Template)>,
}

impl Variant {
    fn another(
        &self,
        n: usize,
        definitions: &Definitions,
    ) -> anyhow::Result<(RawDocumentBuf, Vec<(&'static str, RawDocumentBuf)>)> {
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
            .map(|(name, row)| Ok((*name, row.copy(&copy)?)))
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
