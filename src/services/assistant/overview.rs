//! Answers without a model: what the question seems to be about, told from the person's real tickets, steps and dates.

use super::brief::{self, TicketBrief};
use super::chat::Answer;
use super::explain;
use super::figures;
use super::plain_text::clipped;
use super::reply::tickets_named_in;
use super::tools::EVERY_ROLE;
use super::{Confidence, Services};
use crate::domain::conversation::Persona;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::ticket::{Ticket, TicketStatus};
use crate::domain::work::Shelf;
use crate::services::tickets::{ListOrder, ListQuery, SortBy, Sorting, TicketService};
use crate::services::workflows::CatalogFilter;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Rows of a list in an answer.
const ROWS: usize = 10;
/// Tickets of an overview that are looked through for open ones.
const LOOKED_THROUGH: i64 = 50;

/// What a question seems to be about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Topic {
    Ticket(TicketId),
    Catalog,
    Approvals,
    Tasks,
    Questions,
    OwnTickets,
    Everything,
}

/// Words by which a topic is recognised, the more particular topics first.
const SIGNS: [(&[&str], Topic); 5] = [
    (
        &[
            "catalog",
            "which workflow",
            "new request",
            "raise a",
            "what can i request",
            "available workflow",
        ],
        Topic::Catalog,
    ),
    (
        &["question", "information request", "info request", "asked me"],
        Topic::Questions,
    ),
    (&["approv", "decide", "decision"], Topic::Approvals),
    (
        &["task", "assigned to me", "work on", "workload", "overdue"],
        Topic::Tasks,
    ),
    (
        &["my ticket", "my request", "status", "where is", "progress"],
        Topic::OwnTickets,
    ),
];

fn topic_of(question: &str, persona: Persona) -> Topic {
    if let Some(id) = tickets_named_in(question).into_iter().next() {
        return Topic::Ticket(id);
    }
    let question = question.to_lowercase();
    let found = SIGNS
        .iter()
        .find(|(words, _)| words.iter().any(|word| question.contains(word)));
    let topic = found.map_or(Topic::Everything, |(_, topic)| topic.clone());
    match (topic, persona) {
        // These lists are empty for people without the persona; the question is about their tickets then.
        (Topic::Approvals, Persona::Requester | Persona::Agent | Persona::Designer)
        | (Topic::Tasks, Persona::Requester | Persona::Manager | Persona::Designer) => Topic::OwnTickets,
        (topic, _) => topic,
    }
}

/// What is being written.
#[derive(Debug, Default)]
struct Page {
    text: String,
    cites: BTreeMap<TicketId, String>,
}

impl Page {
    fn say(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A list of tickets under a heading; nothing for none.
    fn list<'t>(
        &mut self,
        heading: &str,
        total: usize,
        tickets: impl IntoIterator<Item = &'t Ticket>,
        actor: &Actor,
        services: &Services,
    ) {
        let now = services.clock.now();
        let briefs: Vec<TicketBrief> = tickets
            .into_iter()
            .take(ROWS)
            .map(|ticket| TicketBrief::of(ticket, actor, now))
            .collect();
        if briefs.is_empty() {
            return;
        }
        self.say(&format!("\n{heading}: {total}"));
        for brief in briefs {
            self.say(&format!("- {}", brief.line()));
            self.cites.insert(brief.id, brief.title);
        }
    }
}

/// The answer to `question` from what is known without a model.
///
/// # Errors
/// The database is unavailable.
pub(super) async fn answer(
    services: &Services,
    actor: &Actor,
    persona: Persona,
    question: &str,
) -> Result<Answer, ServiceError> {
    let mut page = Page::default();
    match topic_of(question, persona) {
        Topic::Ticket(id) => ticket(services, actor, &id, &mut page).await?,
        Topic::Catalog => catalog(services, &mut page).await?,
        Topic::Approvals => approvals(services, actor, &mut page).await?,
        Topic::Tasks => tasks(services, actor, &mut page).await?,
        Topic::Questions => questions(services, actor, &mut page).await?,
        Topic::OwnTickets => own_tickets(services, actor, &mut page).await?,
        Topic::Everything => everything(services, actor, persona, &mut page).await?,
    }
    Ok(Answer::of_facts(page.text.trim(), &page.cites))
}

async fn ticket(
    services: &Services,
    actor: &Actor,
    id: &TicketId,
    page: &mut Page,
) -> Result<(), ServiceError> {
    let detail = match services.tickets.detail(actor, id.as_str()).await {
        Ok(detail) => detail,
        Err(ServiceError::NotFound { .. } | ServiceError::Forbidden { .. }) => {
            page.say("There is no ticket with this id that you may see.");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let explained = explain::from_facts(&detail.opened, actor, services.clock.now());
    page.say(&format!(
        "**{}** “{}”",
        explained.ticket_id,
        explained.title.replace('\n', " ")
    ));
    page.say(&format!("\n{} {}", explained.summary, explained.current_state));
    if let Some(estimate) = &explained.timeline_estimate {
        page.say(estimate);
    }
    if let Some((_, progress)) = explained
        .key_details
        .first()
        .filter(|_| explained.confidence != Confidence::High)
    {
        page.say(&format!("Progress: {progress} steps."));
    }
    for sentence in explained.pending_actions.iter().chain(&explained.next_steps) {
        page.say(&format!("- {sentence}"));
    }
    page.cites.insert(explained.ticket_id, explained.title);
    Ok(())
}

async fn catalog(services: &Services, page: &mut Page) -> Result<(), ServiceError> {
    let limit = i64::try_from(ROWS).unwrap_or(i64::MAX);
    let found = services
        .workflows
        .catalog(&CatalogFilter::default(), 1, limit)
        .await?;
    page.say(&format!(
        "Workflows that you can raise a ticket with: {}",
        found.total
    ));
    for workflow in &found.items {
        let about = workflow
            .description
            .as_deref()
            .map(|text| clipped(&text.replace('\n', " "), 120));
        let about = about
            .filter(|text| !text.is_empty())
            .map(|text| format!(": {text}"));
        page.say(&format!(
            "- **{}**{}",
            brief::name(&workflow.name),
            about.unwrap_or_default()
        ));
    }
    Ok(())
}

async fn approvals(services: &Services, actor: &Actor, page: &mut Page) -> Result<(), ServiceError> {
    let pending = services.tickets.approvals(actor, 1, ROWS).await?;
    if pending.total == 0 {
        page.say("No approval waits for you.");
    }
    let tickets = pending.items.iter().map(|item| &item.opened.ticket);
    page.list(
        "Approvals that wait for you",
        pending.total,
        tickets,
        actor,
        services,
    );
    Ok(())
}

async fn tasks(services: &Services, actor: &Actor, page: &mut Page) -> Result<(), ServiceError> {
    let open = services.tickets.tasks(actor, 1, ROWS).await?;
    if open.total == 0 {
        page.say("No task is assigned to you.");
    }
    let tickets = open.items.iter().map(|item| &item.opened.ticket);
    page.list(
        "Tasks assigned to you, those due first at first",
        open.total,
        tickets,
        actor,
        services,
    );
    Ok(())
}

async fn questions(services: &Services, actor: &Actor, page: &mut Page) -> Result<(), ServiceError> {
    let open = services.tickets.questions(actor, &EVERY_ROLE).await?;
    if open.is_empty() {
        page.say("No question waits for your answer.");
    }
    let tickets = open.iter().map(|question| &question.opened.ticket);
    page.list(
        "Questions that wait for your answer, on",
        open.len(),
        tickets,
        actor,
        services,
    );
    Ok(())
}

async fn own_tickets(services: &Services, actor: &Actor, page: &mut Page) -> Result<(), ServiceError> {
    let counts = services.tickets.status_counts(actor, Shelf::Mine).await?;
    let some: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
    if some.is_empty() {
        page.say("You have not raised a ticket yet. The catalogue shows what you can ask for.");
        return Ok(());
    }
    page.say("Your tickets by status:");
    for (status, count) in some {
        page.say(&format!("- {}: {count}", brief::status(*status)));
    }
    let open: u64 = counts
        .iter()
        .filter(|(status, _)| !status.is_terminal())
        .map(|(_, count)| count)
        .sum();
    let mut filter = TicketService::scope(actor, Shelf::Mine);
    filter.statuses = open_statuses(&counts);
    if filter.statuses.is_empty() {
        return Ok(());
    }
    let query = ListQuery {
        filter,
        q: None,
        sorting: Sorting {
            by: SortBy::UpdatedAt,
            order: ListOrder::Descending,
        },
        page: 1,
        page_size: LOOKED_THROUGH,
    };
    let found = services.tickets.list(&query).await?;
    let tickets = found.items.iter().map(|stored| &stored.ticket);
    let open = usize::try_from(open).unwrap_or(usize::MAX);
    page.list(
        "Open tickets, the last changed first",
        open,
        tickets,
        actor,
        services,
    );
    Ok(())
}

fn open_statuses(counts: &[(TicketStatus, u64)]) -> Vec<TicketStatus> {
    let open = counts
        .iter()
        .filter(|(status, count)| !status.is_terminal() && *count > 0);
    open.map(|(status, _)| *status).collect()
}

/// What a persona wants to know first.
async fn everything(
    services: &Services,
    actor: &Actor,
    persona: Persona,
    page: &mut Page,
) -> Result<(), ServiceError> {
    match persona {
        Persona::Requester => {
            own_tickets(services, actor, page).await?;
            questions(services, actor, page).await
        }
        Persona::Agent => {
            tasks(services, actor, page).await?;
            figures(services, actor, persona, page).await
        }
        Persona::Manager => {
            approvals(services, actor, page).await?;
            figures(services, actor, persona, page).await
        }
        Persona::Designer | Persona::Admin => figures(services, actor, persona, page).await,
    }
}

async fn figures(
    services: &Services,
    actor: &Actor,
    persona: Persona,
    page: &mut Page,
) -> Result<(), ServiceError> {
    let figures = figures::of(services, actor, persona).await?;
    page.say("\nFigures:");
    say_figures("", &figures, page);
    Ok(())
}

fn say_figures(group: &str, figures: &Map<String, Value>, page: &mut Page) {
    for (name, value) in figures {
        let name = name.replace('_', " ");
        match value {
            Value::Object(inner) => say_figures(&format!("{name}, "), inner, page),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                page.say(&format!("- {group}{name}: {value}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::an_id(
        "What about tkt-0123456789AB?",
        Topic::Ticket(TicketId::from_stored("TKT-0123456789ab"))
    )]
    #[case::catalog("Which workflows are in the catalog?", Topic::Catalog)]
    #[case::approvals("What do I have to approve?", Topic::Approvals)]
    #[case::tickets("Where is my ticket?", Topic::OwnTickets)]
    #[case::another_language("Was gibt es Neues?", Topic::Everything)]
    #[case::nothing("", Topic::Everything)]
    fn a_topic_is_recognised_by_its_words(#[case] question: &str, #[case] topic: Topic) {
        assert_eq!(topic_of(question, Persona::Manager), topic);
    }

    #[test]
    fn who_has_no_approvals_is_told_of_tickets() {
        assert_eq!(
            topic_of("When is it approved?", Persona::Requester),
            Topic::OwnTickets
        );
    }
}
