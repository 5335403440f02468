//! The requests that are measured at growing numbers of tickets: every list, page, dashboard and action.

use crate::http::{Call, Connection};
use crate::people::{Member, People, Requester, TEAM};
use crate::rounds::{at_share, real};
use crate::scale::people_of;
use crate::service::Service;
use crate::shapes::{self, Rehearsal};
use bson::Document;
use mongodb::Database;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;
use workflow_ops::domain::id::{TicketId, random_key};
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::Clock;

/// How many requests each kind of request gets at each size.
const REQUESTS: usize = 400;
/// How many commands of each kind there are at each size, one kind after the other.
const COMMANDS: usize = 600;
/// Over how long they are spread: the server writes a checkpoint every minute, and every size shall meet one.
const WINDOW: Duration = Duration::from_secs(66);
/// Teams whose people's requests are measured: as many managers and agents at every size, each with as many tickets.
const TEAMS: usize = 5;

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

/// A kind of request, one for each of the people in turn.
struct Question {
    name: &'static str,
    calls: Vec<Call>,
}

/// Measures every kind of request at one size.
pub(crate) async fn ask(
    service: &Service,
    people: &People,
    rehearsal: &Rehearsal,
    size: usize,
) -> anyhow::Result<Vec<ScaleFigures>> {
    let (busy, usual) = people_of(size);
    let apart = (usual / TEAM / TEAMS).max(1);
    let readers = people.readers.iter().enumerate().take(usual);
    let asked = readers.filter(|(n, _)| (n / TEAM).is_multiple_of(apart));
    let (numbers, sample): (Vec<usize>, Vec<&Requester>) = asked.take(TEAMS * TEAM).unzip();
    let agents: Vec<&Member> = numbers
        .iter()
        .filter_map(|n| people.agent_of_reader(*n))
        .collect();
    let busiest: Vec<&Requester> = people.actors.iter().take(busy.min(1)).collect();
    let tickets = samples(rehearsal.database(), &sample, &agents).await?;
    let mut figures = Vec::new();
    let mut questions = lists(&sample, &busiest, &agents);
    questions.push(page(&tickets));
    questions.extend(of_administrators(people));
    for question in questions
        .into_iter()
        .filter(|question| !question.calls.is_empty())
    {
        let mut connection = Connection::open(service.address).await?;
        let mut took = Vec::with_capacity(REQUESTS);
        for call in &question.calls {
            let begun = Instant::now();
            connection.send(call).await?;
            took.push(begun.elapsed());
        }
        figures.push(sum_up(size, question.name, &took));
    }
    figures.extend(command(service, commands(&sample, &tickets, rehearsal), size).await?);
    Ok(figures)
}

/// Sends commands of every kind in turn at an even pace.
async fn command(
    service: &Service,
    commands: Vec<Question>,
    size: usize,
) -> anyhow::Result<Vec<ScaleFigures>> {
    let mut connection = Connection::open(service.address).await?;
    let count: usize = commands.iter().map(|kind| kind.calls.len()).sum();
    let mut ticks = tokio::time::interval(WINDOW / u32::try_from(count.max(1))?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut took: Vec<Vec<Duration>> = vec![Vec::new(); commands.len()];
    for n in 0..COMMANDS {
        for (kind, took) in commands.iter().zip(&mut took) {
            let Some(call) = kind.calls.get(n) else { continue };
            ticks.tick().await;
            let begun = Instant::now();
            connection.send(call).await?;
            took.push(begun.elapsed());
        }
    }
    let kinds = commands.iter().zip(&took);
    Ok(kinds.map(|(kind, took)| sum_up(size, kind.name, took)).collect())
}

/// What requests took, without the first fifth, which warms up.
fn sum_up(size: usize, request: &str, took: &[Duration]) -> ScaleFigures {
    let mut measured = took.get(took.len() / 5..).unwrap_or_default().to_vec();
    measured.sort_unstable();
    let one = ScaleFigures {
        tickets: size,
        request: request.to_owned(),
        p50: at_share(&measured, 50),
        p99: at_share(&measured, 99),
    };
    crate::say(&format!(
        "{:>8} {:28} p50 {:7.2} ms  p99 {:7.2} ms  ({:.0} requests)",
        one.tickets,
        one.request,
        one.p50,
        one.p99,
        real(measured.len()),
    ));
    one
}

/// Tickets of the sampled people that wait for approval, and that wait for the agent.
#[derive(Debug, Default)]
struct Samples {
    waiting: Vec<(Requester, TicketId, String)>,
    working: Vec<(Member, TicketId, String)>,
}

async fn samples(database: &Database, people: &[&Requester], agents: &[&Member]) -> anyhow::Result<Samples> {
    use futures::TryStreamExt;
    let mut samples = Samples::default();
    for (person, agent) in people.iter().zip(agents) {
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
            let (id, step) = (ticket.id.clone(), live.id.to_string());
            match ticket.version {
                1 => samples.waiting.push(((*person).clone(), id, step)),
                3 => samples.working.push(((*agent).clone(), id, step)),
                _ => {}
            }
        }
    }
    Ok(samples)
}

/// A list for some people in turn.
fn list<'a>(name: &'static str, path: &str, people: impl IntoIterator<Item = &'a Member>) -> Question {
    let people: Vec<&Member> = people.into_iter().collect();
    let asked = people.iter().cycle().take(REQUESTS);
    Question {
        name,
        calls: asked
            .map(|member| Call::get(format!("/api/v1/{path}"), &member.bearer))
            .collect(),
    }
}

/// Lists and dashboards of people.
fn lists(sample: &[&Requester], busiest: &[&Requester], agents: &[&Member]) -> Vec<Question> {
    let own = |name, path| list(name, path, sample.iter().map(|person| &person.member));
    let managed = |name, path| list(name, path, sample.iter().map(|person| &person.manager));
    let worked = |name, path| list(name, path, agents.iter().copied());
    let busy = |name, path| list(name, path, busiest.iter().map(|person| &person.member));
    let busy_manager = |name, path| list(name, path, busiest.iter().map(|person| &person.manager));
    vec![
        own("my tickets", "tickets?page_size=20"),
        own("my tickets, page 3", "tickets?page_size=20&page=3"),
        own("my tickets by title", "tickets?page_size=20&sort_by=title"),
        own("my tickets with text", "tickets?page_size=20&q=office"),
        own("tickets I may see", "tickets?mine=false&page_size=20"),
        own("my questions", "tickets/my-info-requests"),
        own("my change requests", "change-requests/my-pending"),
        own("bell", "notifications"),
        own("bell's count", "notifications/unread-count"),
        managed("approvals", "tickets/manager/approvals"),
        managed("assignments", "tickets/manager/assignments"),
        managed("handovers", "tickets/manager/handovers"),
        managed("decisions", "tickets/manager/history"),
        managed("manager's dashboard", "tickets/manager/dashboard"),
        worked("tasks", "tickets/agent/tasks"),
        worked("agent's questions", "tickets/agent/info-requests"),
        worked("agent's history", "tickets/agent/history"),
        worked("agent's dashboard", "tickets/agent/dashboard"),
        busy("my tickets (5 000)", "tickets?page_size=20"),
        busy("my tickets with text (5 000)", "tickets?page_size=20&q=office"),
        busy_manager("approvals (5 000 tickets)", "tickets/manager/approvals"),
        busy_manager("decisions (5 000 tickets)", "tickets/manager/history"),
        busy_manager("dashboard (5 000 tickets)", "tickets/manager/dashboard"),
    ]
}

/// A ticket's page.
fn page(tickets: &Samples) -> Question {
    let asked = tickets.waiting.iter().cycle().take(REQUESTS);
    let calls =
        asked.map(|(person, id, _)| Call::get(format!("/api/v1/tickets/{id}"), &person.member.bearer));
    Question {
        name: "ticket",
        calls: calls.collect(),
    }
}

/// Commands of each kind.
fn commands(sample: &[&Requester], tickets: &Samples, rehearsal: &Rehearsal) -> Vec<Question> {
    let waiting = tickets.waiting.iter().take(COMMANDS);
    let working = tickets.working.iter().take(COMMANDS);
    vec![
        Question {
            name: "create",
            calls: sample
                .iter()
                .cycle()
                .take(COMMANDS)
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
                .map(|(agent, id, step)| {
                    let path = format!("/api/v1/tickets/{id}/steps/{step}/complete");
                    let body = json!({"execution_notes": "Done.", "output_values": shapes::output()});
                    Call::post(path, &agent.bearer, &body)
                })
                .collect(),
        },
    ]
}

/// Lists and figures over everything.
fn of_administrators(people: &People) -> Vec<Question> {
    let now = Clock::System.now();
    let (to, from) = (now.to_wire(), now.plus_minutes(-7 * 24 * 60).to_wire());
    let audit = format!("admin/ticket-audit?from_date={from}&to_date={to}");
    let root = |name, path: &str| {
        let mut question = list(name, path, [&people.administrator]);
        question.calls.truncate(40);
        question
    };
    vec![
        root("administrator: all tickets", "tickets?mine=false&page_size=20"),
        root(
            "administrator: by status",
            "tickets?mine=false&status=COMPLETED&page_size=20",
        ),
        root(
            "administrator: by title",
            "tickets?mine=false&sort_by=title&page_size=20",
        ),
        root(
            "administrator: oldest",
            "tickets?mine=false&sort_by=created_at&sort_order=asc&page_size=20",
        ),
        root(
            "administrator: page 40",
            "tickets?mine=false&page_size=20&page=40",
        ),
        root(
            "administrator: with text",
            "tickets?mine=false&q=office&page_size=20",
        ),
        root("administrator: audit of a week", &audit),
        root("administrator: mails", "admin/notifications"),
        root("administrator: mail figures", "admin/notifications/dashboard"),
        root("administrator: mail counts", "admin/notifications/stats"),
        root("administrator: figures", "admin/agent-metrics"),
        root("administrator: dashboard", "admin/dashboard"),
        root("administrator: health", "admin/health"),
    ]
}
