//! Lists that everybody has, and the designer's.

use super::super::brief::{name, person};
use super::super::figures;
use super::super::plain_text::clipped;
use super::kind::Arguments;
use super::{Found, Toolbox};
use crate::domain::conversation::Persona;
use crate::domain::error::ServiceError;
use crate::domain::ticket::TargetRole;
use crate::domain::work::Shelf;
use crate::domain::workflow::WorkflowTemplate;
use crate::repositories::inapp_repo::BellFilter;
use crate::services::tickets::{ListOrder, ListQuery, SortBy, Sorting, TicketPage, TicketService};
use crate::services::workflows::CatalogFilter;
use serde_json::{Value, json};

/// Longest text that is looked for, in characters.
const LONGEST_SEARCH: usize = 200;
/// Longest description in a list, in characters.
const LONGEST_TEXT: usize = 300;
/// Most steps of a workflow that are told.
const MOST_STEPS: usize = 100;

/// Every part in which somebody can be asked.
pub(in crate::services::assistant) const EVERY_ROLE: [TargetRole; 5] = [
    TargetRole::Requester,
    TargetRole::ApprovalStep,
    TargetRole::TaskStep,
    TargetRole::FormStep,
    TargetRole::Unknown,
];

impl Toolbox<'_> {
    pub(super) async fn my_tickets(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self.page(Shelf::Mine, None, arguments).await?;
        Ok(self.ticket_rows(&page))
    }

    pub(super) async fn search_tickets(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let words = arguments
            .text
            .as_deref()
            .map(|text| clipped(text.trim(), LONGEST_SEARCH));
        let page = self
            .page(Shelf::Visible, words.filter(|text| !text.is_empty()), arguments)
            .await?;
        Ok(self.ticket_rows(&page))
    }

    async fn page(
        &self,
        shelf: Shelf,
        q: Option<String>,
        arguments: &Arguments,
    ) -> Result<TicketPage, ServiceError> {
        let mut filter = TicketService::scope(self.actor, shelf);
        filter.statuses = arguments.status.into_iter().collect();
        let query = ListQuery {
            filter,
            q,
            sorting: Sorting {
                by: SortBy::UpdatedAt,
                order: ListOrder::Descending,
            },
            page: 1,
            page_size: arguments.rows(),
        };
        self.services.tickets.list(&query).await
    }

    fn ticket_rows(&self, page: &TicketPage) -> Found {
        let mut found = Found::of(json!({"total": page.total}));
        found.rows = self.rows(page.items.iter().map(|stored| (&stored.ticket, Value::Null)));
        found
    }

    pub(super) async fn ticket_statistics(&self) -> Result<Found, ServiceError> {
        let counts = self
            .services
            .tickets
            .status_counts(self.actor, Shelf::Mine)
            .await?;
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        Ok(Found::default()
            .with_rows(counts.map(|(status, count)| json!({"status": status, "tickets": count}))))
    }

    pub(super) async fn catalog(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let short = |text: &Option<String>| text.as_deref().map(|text| clipped(text.trim(), LONGEST_SEARCH));
        let filter = CatalogFilter {
            category: short(&arguments.category),
            tags: Vec::new(),
            q: short(&arguments.text),
        };
        let page = self
            .services
            .workflows
            .catalog(&filter, 1, arguments.rows())
            .await?;
        let found = Found::of(json!({"total": page.total}));
        Ok(found.with_rows(page.items.iter().map(template)))
    }

    pub(super) async fn workflows(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let page = self
            .services
            .workflows
            .list(self.actor, None, 1, arguments.rows())
            .await?;
        let found = Found::of(json!({"total": page.total}));
        Ok(found.with_rows(page.items.iter().map(template)))
    }

    pub(super) async fn workflow(&self, id: &str) -> Result<Found, ServiceError> {
        let workflow = self.services.workflows.get(self.actor, id).await?;
        let text = |step: &serde_json::Map<String, Value>, key: &str| {
            step.get(key).and_then(Value::as_str).map(name)
        };
        let steps: Vec<Value> = workflow
            .definition
            .iter()
            .flat_map(|definition| definition.steps().take(MOST_STEPS))
            .map(|step| json!({"step_id": text(step, "step_id"), "name": text(step, "step_name"), "type": text(step, "step_type")}))
            .collect();
        Ok(Found::of(template(&workflow)).with_rows(steps))
    }

    pub(super) async fn notifications(&self, arguments: &Arguments) -> Result<Found, ServiceError> {
        let filter = BellFilter {
            unread_only: arguments.unread_only.unwrap_or(true),
            category: None,
        };
        let limit = u32::try_from(arguments.rows()).unwrap_or(1);
        let page = self
            .services
            .bell
            .list(&self.actor.person, filter, 0, limit)
            .await?;
        let found = Found::of(json!({"total": page.total, "unread": page.unread}));
        Ok(found.with_rows(page.rows.iter().map(|row| {
            json!({"at": row.created_at.to_wire(), "title": clipped(&row.title, LONGEST_TEXT),
                   "message": clipped(&row.message, LONGEST_TEXT), "is_read": row.is_read})
        })))
    }

    pub(super) async fn questions(&self) -> Result<Found, ServiceError> {
        let questions = self.services.tickets.questions(self.actor, &EVERY_ROLE).await?;
        let mut found = Found::of(json!({"total": questions.len()}));
        found.rows = self.rows(questions.iter().take(usize::try_from(super::kind::MOST_ROWS).unwrap_or(0)).map(|question| {
            let info = &question.info;
            let more = json!({"question": clipped(&info.question_text, LONGEST_TEXT), "asked_by": person(&info.requested_by),
                              "asked_at": info.requested_at.to_wire()});
            (&question.opened.ticket, more)
        }));
        Ok(found)
    }

    pub(super) async fn daily_summary(&self) -> Result<Found, ServiceError> {
        self.figures_of(self.persona).await
    }

    pub(super) async fn figures_of(&self, persona: Persona) -> Result<Found, ServiceError> {
        let figures = figures::of(self.services, self.actor, persona).await?;
        Ok(Found::of(Value::Object(figures)))
    }
}

/// A workflow in a list.
fn template(workflow: &WorkflowTemplate) -> Value {
    json!({"workflow_id": workflow.id, "name": name(&workflow.name), "status": workflow.status,
           "category": workflow.category.as_deref().map(name),
           "description": workflow.description.as_deref().map(|text| clipped(text, LONGEST_TEXT))})
}
