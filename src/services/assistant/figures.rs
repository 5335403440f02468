//! A person's own figures in one persona, and what is to be noticed about them (contract http-workflows 8.5, C7 and C8).

use super::Services;
use super::tools::EVERY_ROLE;
use crate::domain::conversation::Persona;
use crate::domain::error::ServiceError;
use crate::domain::person::Actor;
use crate::domain::ticket::TicketStatus;
use crate::domain::work::Shelf;
use crate::domain::workflow::WorkflowStatus;
use crate::services::tickets::ManagerDashboard;
use serde_json::{Map, Value, json};

/// Something to be noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insight {
    /// How it is meant.
    pub kind: InsightKind,
    /// In a few words.
    pub title: String,
    /// In a sentence.
    pub message: String,
    /// Where to go, a path within the SPA.
    pub action: Option<&'static str>,
}

/// How an insight is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsightKind {
    /// Something waits or is late.
    Warning,
    /// Something can be done.
    Action,
    /// Good to know.
    Info,
}

/// The figures of `actor` as `persona`; numbers by name.
///
/// # Errors
/// The actor lacks the right to them, or the database is unavailable.
pub(super) async fn of(
    services: &Services,
    actor: &Actor,
    persona: Persona,
) -> Result<Map<String, Value>, ServiceError> {
    let figures = match persona {
        Persona::Requester => of_requester(services, actor).await?,
        Persona::Agent => {
            let dashboard = services.tickets.agent_dashboard(actor).await?;
            json!({
                "tasks": dashboard.total, "active_tasks": dashboard.active, "tasks_on_hold": dashboard.on_hold,
                "tasks_waiting_for_answers": dashboard.waiting_for_info, "overdue_tasks": dashboard.overdue_count,
                "questions_to_you": dashboard.questions, "handovers_asked_for": dashboard.pending_handovers.len(),
            })
        }
        Persona::Manager => {
            let dashboard = services.tickets.manager_dashboard(actor).await?;
            return of_manager(services, actor, &dashboard).await;
        }
        Persona::Designer => of_designer(services, actor).await?,
        Persona::Admin => {
            let figures = services.agent_metrics.show(actor).await?;
            return Ok(numbers_of(&figures.values));
        }
    };
    Ok(object(figures))
}

async fn of_requester(services: &Services, actor: &Actor) -> Result<Value, ServiceError> {
    let counts = services.tickets.status_counts(actor, Shelf::Mine).await?;
    let sum = |wanted: &dyn Fn(TicketStatus) -> bool| -> u64 {
        counts
            .iter()
            .filter(|(status, _)| wanted(*status))
            .map(|(_, count)| count)
            .sum()
    };
    let one = |wanted: TicketStatus| sum(&|status| status == wanted);
    let questions = services.tickets.questions(actor, &EVERY_ROLE).await?.len();
    Ok(json!({
        "tickets": sum(&|_| true), "open_tickets": sum(&|status| !status.is_terminal()),
        "waiting_for_you": one(TicketStatus::WaitingForRequester), "completed_tickets": one(TicketStatus::Completed),
        "rejected_tickets": one(TicketStatus::Rejected), "cancelled_tickets": one(TicketStatus::Cancelled),
        "questions_to_you": questions,
    }))
}

/// The manager's figures over a dashboard that is there already.
pub(super) async fn of_manager(
    services: &Services,
    actor: &Actor,
    dashboard: &ManagerDashboard,
) -> Result<Map<String, Value>, ServiceError> {
    let open = dashboard
        .status_counts
        .iter()
        .filter(|(status, _)| !status.is_terminal());
    let tickets: u64 = dashboard.status_counts.iter().map(|(_, count)| count).sum();
    let open: u64 = open.map(|(_, count)| count).sum();
    let approvals = services.tickets.approvals(actor, 1, 1).await?.total;
    let handovers = services.tickets.handovers_to_decide(actor, 1, 1).await?.total;
    let reviews = services.change_requests.count_to_review(actor).await?;
    Ok(object(json!({
        "managed_tickets": tickets, "open_tickets": open, "pending_approvals": approvals,
        "unassigned_tasks": dashboard.unassigned_tasks, "handovers_to_decide": handovers,
        "change_requests_to_review": reviews, "overdue_steps": dashboard.overdue_count,
        "steps_on_hold": dashboard.on_hold_count,
    })))
}

async fn of_designer(services: &Services, actor: &Actor) -> Result<Value, ServiceError> {
    let mut counts = [0_u64; 3];
    let statuses = [
        WorkflowStatus::Draft,
        WorkflowStatus::Published,
        WorkflowStatus::Archived,
    ];
    for (count, status) in counts.iter_mut().zip(statuses) {
        *count = services.workflows.list(actor, Some(status), 1, 1).await?.total;
    }
    let [drafts, published, archived] = counts;
    Ok(json!({
        "workflows": drafts + published + archived, "drafts": drafts, "published_workflows": published,
        "archived_workflows": archived,
    }))
}

/// The numbers among figures over everything, one group deep; names of people are not figures.
fn numbers_of(figures: &Map<String, Value>) -> Map<String, Value> {
    let groups = figures.iter().filter_map(|(name, value)| match value {
        Value::Object(group) => {
            let numbers = group.iter().filter(|(_, value)| value.is_number());
            let numbers: Map<String, Value> = numbers
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            (!numbers.is_empty()).then(|| (name.clone(), Value::Object(numbers)))
        }
        Value::Number(_) => Some((name.clone(), value.clone())),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
    });
    groups.collect()
}

fn object(figures: Value) -> Map<String, Value> {
    match figures {
        Value::Object(figures) => figures,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// What each figure means when it is not zero: how it is meant, its title, what to do, and where.
type Rule = (
    &'static str,
    InsightKind,
    &'static str,
    &'static str,
    &'static str,
);

const REQUESTER: [Rule; 3] = [
    (
        "questions_to_you",
        InsightKind::Warning,
        "Questions wait for you",
        "Answer them so that work can go on",
        "/tickets",
    ),
    (
        "open_tickets",
        InsightKind::Info,
        "Tickets under way",
        "See where each of them stands",
        "/tickets",
    ),
    (
        "rejected_tickets",
        InsightKind::Info,
        "Rejected tickets",
        "Read the reasons before you ask again",
        "/tickets",
    ),
];
const AGENT: [Rule; 4] = [
    (
        "overdue_tasks",
        InsightKind::Warning,
        "Overdue tasks",
        "Complete them first, or tell why they take longer",
        "/agent",
    ),
    (
        "questions_to_you",
        InsightKind::Warning,
        "Questions wait for you",
        "Answer them so that work can go on",
        "/agent",
    ),
    (
        "tasks_on_hold",
        InsightKind::Info,
        "Tasks on hold",
        "Resume them when what they waited for is there",
        "/agent",
    ),
    (
        "active_tasks",
        InsightKind::Action,
        "Tasks to do",
        "Those due first are at the top of your list",
        "/agent",
    ),
];
const MANAGER: [Rule; 5] = [
    (
        "overdue_steps",
        InsightKind::Warning,
        "Overdue steps",
        "Look who works on them",
        "/manager",
    ),
    (
        "pending_approvals",
        InsightKind::Action,
        "Approvals wait for you",
        "The oldest are at the top of your list",
        "/manager",
    ),
    (
        "unassigned_tasks",
        InsightKind::Action,
        "Tasks without an agent",
        "Assign them so that work can begin",
        "/manager",
    ),
    (
        "handovers_to_decide",
        InsightKind::Action,
        "Handovers to decide",
        "An agent asks to hand a task over",
        "/manager",
    ),
    (
        "change_requests_to_review",
        InsightKind::Action,
        "Changes to review",
        "Work waits until they are decided",
        "/manager",
    ),
];
const DESIGNER: [Rule; 2] = [
    (
        "drafts",
        InsightKind::Action,
        "Drafts never published",
        "Publish them, or archive what nobody needs",
        "/studio",
    ),
    (
        "published_workflows",
        InsightKind::Info,
        "Published workflows",
        "Everybody can raise tickets with them",
        "/studio",
    ),
];

/// What is to be noticed about figures; something is always said.
pub(super) fn insights(persona: Persona, figures: &Map<String, Value>) -> Vec<Insight> {
    let rules: &[Rule] = match persona {
        Persona::Requester => &REQUESTER,
        Persona::Agent => &AGENT,
        Persona::Manager => &MANAGER,
        Persona::Designer => &DESIGNER,
        Persona::Admin => return of_everything(figures),
    };
    let mut found = Vec::new();
    for (figure, kind, title, advice, action) in rules {
        let count = figures.get(*figure).and_then(Value::as_u64).unwrap_or(0);
        if count > 0 {
            found.push(Insight {
                kind: *kind,
                title: format!("{title}: {count}"),
                message: format!("{advice}."),
                action: Some(action),
            });
        }
    }
    if found.is_empty() {
        found.push(nothing_to_do());
    }
    found
}

fn of_everything(figures: &Map<String, Value>) -> Vec<Insight> {
    let number = |group: &str, name: &str| {
        let value = figures.get(group).and_then(|group| group.get(name));
        value.and_then(Value::as_i64).unwrap_or(0)
    };
    let rules = [
        (
            number("sla", "overdue"),
            InsightKind::Warning,
            "Overdue tickets",
            "See in the command centre where they are stuck",
        ),
        (
            number("stuck_tickets", "total"),
            InsightKind::Warning,
            "Tickets idle for three days or more",
            "Ask the people who have them",
        ),
        (
            number("notifications", "failed"),
            InsightKind::Warning,
            "Mails that could not be delivered",
            "Look at their errors and send them again",
        ),
        (
            number("tickets", "active"),
            InsightKind::Info,
            "Tickets under way",
            "All of them, over all workflows",
        ),
    ];
    let found: Vec<Insight> = rules
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, kind, title, advice)| Insight {
            kind,
            title: format!("{title}: {count}"),
            message: format!("{advice}."),
            action: Some("/admin"),
        })
        .collect();
    if found.is_empty() {
        vec![nothing_to_do()]
    } else {
        found
    }
}

fn nothing_to_do() -> Insight {
    Insight {
        kind: InsightKind::Info,
        title: "Nothing waits for you".to_owned(),
        message: "No open question, no late step.".to_owned(),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_comes_before_what_can_be_done_and_zero_is_not_mentioned() {
        let figures = object(json!({"active_tasks": 3, "overdue_tasks": 1, "tasks_on_hold": 0}));
        let titles: Vec<_> = insights(Persona::Agent, &figures)
            .into_iter()
            .map(|one| one.title)
            .collect();
        assert_eq!(titles, ["Overdue tasks: 1", "Tasks to do: 3"]);
        let quiet = insights(Persona::Manager, &Map::new());
        assert_eq!(quiet, [nothing_to_do()]);
    }
}
