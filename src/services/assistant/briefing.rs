//! A person's own tickets in a few sentences: the dashboard's briefing and the full analysis (contract http-workflows 8.3
//! and 8.5). The facts choose what is said; the model at most how.

use super::Services;
use super::brief::{TicketBrief, person, state};
use super::figures;
use super::model_words::{Words, ask};
use super::plain_text::clipped;
use super::prompt;
use crate::domain::conversation::Persona;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::ticket::{StepState, TicketStatus};
use crate::domain::time::Timestamp;
use crate::domain::work::Shelf;
use crate::services::model::ModelSession;
use crate::services::tickets::{ListOrder, ListQuery, SortBy, Sorting, TicketService};
use crate::services::workflows::CatalogFilter;
use serde_json::{Map, Value, json};

/// Tickets that a briefing chooses from, the last changed ones.
const LOOKED_AT: i64 = 5;
/// Tickets that a briefing speaks of.
const BRIEFED: usize = 3;
/// Tickets that a full analysis lists, the last changed ones.
const ANALYSED: i64 = 100;
/// Tickets of a full analysis that the model is told of.
const TOLD: usize = 10;
/// Most recommendations.
const MOST_RECOMMENDATIONS: usize = 3;
/// Longest title, in characters.
const LONGEST_TITLE: usize = 50;
/// Longest sentence of the model's, in characters.
const LONGEST_SENTENCE: usize = 300;
/// The highest priority score.
const HIGHEST: u8 = 100;

/// A person's tickets in a few sentences.
#[derive(Debug, Clone)]
pub struct Briefing {
    /// A greeting by name.
    pub greeting: String,
    /// One or two sentences.
    pub overall_summary: String,
    /// The tickets that matter most now.
    pub tickets: Vec<TicketBriefing>,
    /// At most three.
    pub recommendations: Vec<String>,
    /// A sentence about the whole.
    pub productivity: Option<String>,
    /// When this was made.
    pub generated_at: Timestamp,
    /// Whether the model chose the words.
    pub is_by_model: bool,
}

/// One ticket of a briefing.
#[derive(Debug, Clone)]
pub struct TicketBriefing {
    /// The ticket.
    pub ticket_id: TicketId,
    /// At most 50 characters.
    pub title: String,
    /// Its status.
    pub status: TicketStatus,
    /// A sentence.
    pub summary: String,
    /// What the person should do.
    pub action: Option<String>,
    /// How urgent it is, 0 to 100.
    pub priority_score: u8,
    /// How it goes.
    pub sentiment: Sentiment,
}

/// How a ticket goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum Sentiment {
    Positive,
    Neutral,
    Urgent,
}

/// All of a person's newest tickets.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The briefing, about as many tickets as were asked for.
    pub briefing: Briefing,
    /// How many tickets the person has raised.
    pub total: u64,
    /// How many of them have each status.
    pub by_status: Vec<(TicketStatus, u64)>,
    /// The tickets that the briefing does not speak of.
    pub others: Vec<OtherTicket>,
    /// What is to be noticed.
    pub insights: Vec<String>,
}

/// A ticket that is only listed.
#[derive(Debug, Clone)]
pub struct OtherTicket {
    /// The ticket.
    pub ticket_id: TicketId,
    /// At most 50 characters.
    pub title: String,
    /// Its status.
    pub status: TicketStatus,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The dashboard's briefing.
///
/// # Errors
/// The database is unavailable.
pub(super) async fn brief(
    services: &Services,
    actor: &Actor,
    session: Option<&ModelSession>,
) -> Result<Briefing, ServiceError> {
    let mut briefs = newest(services, actor, LOOKED_AT).await?;
    briefs.sort_by_key(|brief| std::cmp::Reverse(judged(brief).0));
    briefs.truncate(BRIEFED);
    let figures = figures::of(services, actor, Persona::Requester).await?;
    let mut briefing = from_facts(services, actor, &briefs, &figures).await?;
    briefing.ask_for_words(session, &briefs, &figures).await?;
    Ok(briefing)
}

/// The full analysis; the briefing speaks of at most `wanted` tickets.
///
/// # Errors
/// The database is unavailable.
pub(super) async fn analyse(
    services: &Services,
    actor: &Actor,
    wanted: usize,
    session: Option<&ModelSession>,
) -> Result<Analysis, ServiceError> {
    let mut briefs = newest(services, actor, ANALYSED).await?;
    let rest = briefs.split_off(wanted.min(briefs.len()));
    let figures = figures::of(services, actor, Persona::Requester).await?;
    let mut briefing = from_facts(services, actor, &briefs, &figures).await?;
    let told = briefs.get(..TOLD.min(briefs.len())).unwrap_or_default();
    briefing.ask_for_words(session, told, &figures).await?;
    let by_status = services.tickets.status_counts(actor, Shelf::Mine).await?;
    Ok(Analysis {
        total: by_status.iter().map(|(_, count)| count).sum(),
        by_status: by_status.into_iter().filter(|(_, count)| *count > 0).collect(),
        insights: figures::insights(Persona::Requester, &figures)
            .into_iter()
            .map(|insight| format!("{}. {}", insight.title, insight.message))
            .collect(),
        others: rest
            .into_iter()
            .map(|brief| OtherTicket {
                ticket_id: brief.id,
                title: clipped(&brief.title, LONGEST_TITLE),
                status: brief.status,
                created_at: brief.created_at,
                updated_at: brief.updated_at,
            })
            .collect(),
        briefing,
    })
}

async fn newest(services: &Services, actor: &Actor, limit: i64) -> Result<Vec<TicketBrief>, ServiceError> {
    let query = ListQuery {
        filter: TicketService::scope(actor, Shelf::Mine),
        q: None,
        sorting: Sorting {
            by: SortBy::UpdatedAt,
            order: ListOrder::Descending,
        },
        page: 1,
        page_size: limit,
    };
    let page = services.tickets.list(&query).await?;
    let now = services.clock.now();
    Ok(page
        .items
        .iter()
        .map(|stored| TicketBrief::of(&stored.ticket, actor, now))
        .collect())
}

/// The briefing without a model.
async fn from_facts(
    services: &Services,
    actor: &Actor,
    briefs: &[TicketBrief],
    figures: &Map<String, Value>,
) -> Result<Briefing, ServiceError> {
    let figure = |name: &str| figures.get(name).and_then(Value::as_u64).unwrap_or(0);
    let recommendations = if figure("tickets") == 0 {
        catalog_hints(services).await?
    } else {
        let insights = figures::insights(Persona::Requester, figures).into_iter();
        insights
            .map(|insight| format!("{}. {}", insight.title, insight.message))
            .take(MOST_RECOMMENDATIONS)
            .collect()
    };
    let (open, completed) = (figure("open_tickets"), figure("completed_tickets"));
    Ok(Briefing {
        greeting: format!("Hello, {}.", person(&actor.person)),
        overall_summary: overall(figure("tickets"), open, figure("questions_to_you")),
        tickets: briefs.iter().map(TicketBriefing::from_facts).collect(),
        recommendations,
        productivity: (completed > 0)
            .then(|| format!("{completed} of your {} tickets are completed.", figure("tickets"))),
        generated_at: services.clock.now(),
        is_by_model: false,
    })
}

fn overall(tickets: u64, open: u64, questions: u64) -> String {
    let tickets = match (tickets, open) {
        (0, _) => "You have not raised a ticket yet.".to_owned(),
        (_, 0) => "None of your tickets is open.".to_owned(),
        (_, 1) => "One of your tickets is open.".to_owned(),
        (_, open) => format!("{open} of your tickets are open."),
    };
    match questions {
        0 => tickets,
        1 => format!("{tickets} One question waits for your answer."),
        questions => format!("{tickets} {questions} questions wait for your answer."),
    }
}

/// What can be asked for, to somebody who has never asked for anything.
async fn catalog_hints(services: &Services) -> Result<Vec<String>, ServiceError> {
    let page = services
        .workflows
        .catalog(&CatalogFilter::default(), 1, 1)
        .await?;
    let example = page.items.first().map(|workflow| {
        format!(
            "For example, raise a ticket with “{}”.",
            super::brief::name(&workflow.name)
        )
    });
    let first = match page.total {
        0 => "There is no published workflow to raise a ticket with yet.".to_owned(),
        1 => "Open the catalogue: there is one workflow to raise tickets with.".to_owned(),
        total => format!("Open the catalogue: there are {total} workflows to raise tickets with."),
    };
    let second = example.unwrap_or_else(|| "Ask a designer to publish one.".to_owned());
    Ok(vec![first, second])
}

/// How urgent a ticket is, and how it goes (contract http-workflows 8.3).
const fn judged(brief: &TicketBrief) -> (u8, Sentiment) {
    match brief.status {
        TicketStatus::WaitingForRequester => (90, Sentiment::Urgent),
        TicketStatus::InProgress => (50, Sentiment::Neutral),
        TicketStatus::Completed => (20, Sentiment::Positive),
        TicketStatus::Open
        | TicketStatus::WaitingForAgent
        | TicketStatus::WaitingForCr
        | TicketStatus::OnHold
        | TicketStatus::Rejected
        | TicketStatus::Skipped
        | TicketStatus::Cancelled => (30, Sentiment::Neutral),
    }
}

impl TicketBriefing {
    fn from_facts(brief: &TicketBrief) -> Self {
        let (priority_score, sentiment) = judged(brief);
        Self {
            ticket_id: brief.id.clone(),
            title: clipped(&brief.title, LONGEST_TITLE),
            status: brief.status,
            summary: sentence(brief),
            action: action(brief),
            priority_score,
            sentiment,
        }
    }
}

fn sentence(brief: &TicketBrief) -> String {
    if brief.status.is_terminal() {
        let on = brief
            .completed_at
            .map(|at| format!(" on {}", super::brief::day(at)))
            .unwrap_or_default();
        return format!("It was {}{on}.", super::brief::status(brief.status));
    }
    let Some(step) = brief.current() else {
        return format!("It is {}.", super::brief::status(brief.status));
    };
    let first_name = step
        .people
        .first()
        .and_then(|name| name.split_whitespace().next());
    let who = first_name
        .map(|name| format!(", with {name}"))
        .unwrap_or_default();
    let due = step.due_at.map(|due| {
        let word = if step.is_overdue { "was due" } else { "due" };
        format!(", {word} {}", super::brief::moment(due))
    });
    format!(
        "“{}” is {}{who}{}.",
        step.name,
        state(step.state),
        due.unwrap_or_default()
    )
}

fn action(brief: &TicketBrief) -> Option<String> {
    let step = brief
        .open_steps
        .iter()
        .find(|step| !step.your_actions.is_empty())?;
    Some(match step.state {
        StepState::WaitingForRequester | StepState::WaitingForAgent => {
            format!("Answer the question on “{}”.", step.name)
        }
        StepState::WaitingForApproval => format!("Decide on “{}”.", step.name),
        StepState::Active
        | StepState::NotStarted
        | StepState::WaitingForBranches
        | StepState::WaitingForCr
        | StepState::Completed
        | StepState::Rejected
        | StepState::Skipped
        | StepState::Cancelled
        | StepState::OnHold => format!("Continue with “{}”.", step.name),
    })
}

impl Briefing {
    /// Takes the model's words where they can be used; each belongs to a ticket by its id, never by its place.
    async fn ask_for_words(
        &mut self,
        session: Option<&ModelSession>,
        told: &[TicketBrief],
        figures: &Map<String, Value>,
    ) -> Result<(), ServiceError> {
        // Without tickets there is nothing to put into words.
        if told.is_empty() {
            return Ok(());
        }
        let facts = json!({"now": self.generated_at.to_wire(), "figures": figures, "tickets": told});
        let known = told.iter().map(|brief| brief.id.clone()).collect();
        if let Some(words) = ask(session, &prompt::briefing(&facts), known).await? {
            self.take_words(&words);
        }
        Ok(())
    }

    fn take_words(&mut self, words: &Words) {
        let Some(overall) = words.text("overall_summary", 2 * LONGEST_SENTENCE) else {
            return;
        };
        self.overall_summary = overall;
        self.is_by_model = true;
        for about in words.objects("ticket_briefings") {
            let id = about.text("ticket_id", 20);
            let ticket = self
                .tickets
                .iter_mut()
                .find(|ticket| Some(ticket.ticket_id.as_str()) == id.as_deref());
            if let (Some(ticket), Some(summary)) = (ticket, about.text("ai_summary", LONGEST_SENTENCE)) {
                ticket.summary = summary;
                ticket.action = about.text("ai_action", LONGEST_SENTENCE).or(ticket.action.take());
                ticket.priority_score = about
                    .score("priority_score", HIGHEST)
                    .unwrap_or(ticket.priority_score);
                ticket.sentiment = match about.text("sentiment", 10).as_deref() {
                    Some("positive") => Sentiment::Positive,
                    Some("neutral") => Sentiment::Neutral,
                    Some("urgent") => Sentiment::Urgent,
                    Some(_) | None => ticket.sentiment,
                };
            }
        }
        let recommendations = words.list("recommendations", MOST_RECOMMENDATIONS, LONGEST_SENTENCE);
        if !recommendations.is_empty() {
            self.recommendations = recommendations;
        }
        if let Some(productivity) = words.text("productivity", LONGEST_SENTENCE) {
            self.productivity = Some(productivity);
        }
    }
}
