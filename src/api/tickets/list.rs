//! `GET /tickets` (contract http-tickets 4.2).

use super::view::{ListedTicket, Paged};
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiQuery, Caller};
use crate::api::schema::{comma_list_of_words, instant, words};
use crate::api::view::wire_time::RequestInstant;
use crate::app::App;
use crate::domain::error::{FieldError, ServiceError};
use crate::domain::person::Actor;
use crate::domain::ticket::TicketStatus;
use crate::domain::work::Shelf;
use crate::repositories::ticket_list_repo::TicketFilter;
use crate::services::tickets::{ListOrder, ListQuery, SortBy, Sorting, TicketService};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

/// What the list is filtered and sorted by.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TicketQuery {
    /// Own tickets, or all that the caller may see.
    #[garde(skip)]
    #[serde(default = "yes")]
    mine: bool,
    /// One status.
    #[garde(skip)]
    #[param(schema_with = words::<TicketStatus>)]
    status: Option<TicketStatus>,
    /// Several statuses, separated by commas; wins over `status`.
    #[garde(length(chars, max = 300))]
    #[param(schema_with = comma_list_of_words::<TicketStatus>)]
    statuses: Option<String>,
    /// Exactly this workflow.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    workflow_id: Option<String>,
    /// Literal text in title, id, description or workflow name.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    q: Option<String>,
    /// Last changed at or after.
    #[garde(skip)]
    #[param(schema_with = instant)]
    date_from: Option<RequestInstant>,
    /// Last changed at or before; a date means its end.
    #[garde(skip)]
    #[param(schema_with = instant)]
    date_to: Option<RequestInstant>,
    /// With or without a pending change request.
    #[garde(skip)]
    has_pending_cr: Option<bool>,
    /// `updated_at`, `created_at`, `title` or `status`.
    #[garde(length(chars, max = 50))]
    #[param(max_length = 50)]
    sort_by: Option<String>,
    /// `desc` or `asc`.
    #[garde(length(chars, max = 10))]
    #[param(max_length = 10)]
    sort_order: Option<String>,
    /// From 1.
    #[garde(range(min = 1, max = 1_000_000))]
    #[serde(default = "first_page")]
    #[param(minimum = 1, maximum = 1_000_000, default = 1)]
    page: u64,
    /// 1 to 100.
    #[garde(range(min = 1, max = 100))]
    #[serde(default = "usual_size")]
    #[param(minimum = 1, maximum = 100, default = 20)]
    page_size: i64,
}

pub(super) const fn yes() -> bool {
    true
}

const fn first_page() -> u64 {
    1
}

const fn usual_size() -> i64 {
    20
}

/// Which tickets are wanted, as lists and exports are asked.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) mine: bool,
    pub(super) status: Option<TicketStatus>,
    pub(super) statuses: Option<String>,
    pub(super) workflow_id: Option<String>,
    pub(super) date_from: Option<RequestInstant>,
    pub(super) date_to: Option<RequestInstant>,
    pub(super) has_pending_cr: Option<bool>,
}

impl Wanted {
    /// The filter that shows the actor nothing but what the actor may see.
    pub(super) fn into_filter(self, actor: &Actor) -> Result<TicketFilter, ServiceError> {
        let shelf = if self.mine { Shelf::Mine } else { Shelf::Visible };
        let mut filter = TicketService::scope(actor, shelf);
        filter.statuses = match self.statuses.as_deref() {
            Some(list) => statuses(list)?,
            None => self.status.into_iter().collect(),
        };
        filter.workflow_id = self.workflow_id;
        filter.from = self.date_from.map(RequestInstant::from);
        filter.until = self.date_to.map(RequestInstant::until);
        filter.has_pending_cr = self.has_pending_cr;
        Ok(filter)
    }
}

impl TicketQuery {
    fn into_query(self, actor: &Actor) -> Result<ListQuery, ServiceError> {
        let wanted = Wanted {
            mine: self.mine,
            status: self.status,
            statuses: self.statuses,
            workflow_id: self.workflow_id,
            date_from: self.date_from,
            date_to: self.date_to,
            has_pending_cr: self.has_pending_cr,
        };
        let filter = wanted.into_filter(actor)?;
        let by = match self.sort_by.as_deref() {
            Some("created_at") => SortBy::CreatedAt,
            Some("title") => SortBy::Title,
            Some("status") => SortBy::Status,
            Some(_) | None => SortBy::UpdatedAt,
        };
        let order = match self.sort_order.as_deref() {
            None | Some("desc") => ListOrder::Descending,
            Some(_) => ListOrder::Ascending,
        };
        let q = self.q.filter(|q| !q.trim().is_empty());
        Ok(ListQuery {
            filter,
            q,
            sorting: Sorting { by, order },
            page: self.page,
            page_size: self.page_size,
        })
    }
}

/// Every status of a comma list; an unknown one is a fault of the field.
fn statuses(list: &str) -> Result<Vec<TicketStatus>, ServiceError> {
    let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
    let parsed = words.map(|word| serde_json::from_value(Value::from(word)));
    parsed.collect::<Result<_, _>>().map_err(|_| {
        ServiceError::InvalidInput(vec![FieldError {
            location: vec!["query".to_owned(), "statuses".to_owned()],
            kind: "enum",
            message: "Input should be a comma list of ticket statuses".to_owned(),
        }])
    })
}

/// Tickets, the last changed first.
#[utoipa::path(get, path = "", tag = "tickets", operation_id = "list_tickets", params(TicketQuery),
    responses((status = 200, body = Paged<ListedTicket>)))]
pub(super) async fn list_tickets(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<TicketQuery>,
) -> ApiResult<Json<Paged<ListedTicket>>> {
    let query = query.into_query(&caller)?;
    let (page, page_size) = (query.page, query.page_size);
    let found = app.tickets.list(&query).await?;
    let opened = app.tickets.open_all(found.items).await?;
    Ok(Json(Paged {
        items: opened.iter().map(Into::into).collect(),
        page,
        page_size,
        total: found.total,
    }))
}
