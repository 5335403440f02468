//! `GET /tickets` (contract http-tickets 4.2).

use super::view::{ListedTicket, Paged};
use super::wanted::WantedTickets;
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiQueries, Caller, PageQuery};
use crate::app::App;
use crate::services::tickets::{ListOrder, ListQuery, SortBy, Sorting};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// What the list is sorted by.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SortQuery {
    /// `updated_at`, `created_at`, `title` or `status`.
    #[garde(length(chars, max = 50))]
    #[param(max_length = 50)]
    sort_by: Option<String>,
    /// `desc` or `asc`.
    #[garde(length(chars, max = 10))]
    #[param(max_length = 10)]
    sort_order: Option<String>,
}

impl From<SortQuery> for Sorting {
    fn from(query: SortQuery) -> Self {
        let by = match query.sort_by.as_deref() {
            Some("created_at") => SortBy::CreatedAt,
            Some("title") => SortBy::Title,
            Some("status") => SortBy::Status,
            Some(_) | None => SortBy::UpdatedAt,
        };
        let order = match query.sort_order.as_deref() {
            None | Some("desc") => ListOrder::Descending,
            Some(_) => ListOrder::Ascending,
        };
        Self { by, order }
    }
}

/// Tickets, the last changed first.
#[utoipa::path(get, path = "", tag = "tickets", operation_id = "list_tickets",
    params(WantedTickets, SortQuery, PageQuery), responses((status = 200, body = Paged<ListedTicket>)))]
pub(super) async fn list_tickets(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((wanted, sorting, page)): ApiQueries<(WantedTickets, SortQuery, PageQuery)>,
) -> ApiResult<Json<Paged<ListedTicket>>> {
    let query = ListQuery {
        filter: wanted.filter(&caller)?,
        q: wanted.text().map(str::to_owned),
        sorting: sorting.into(),
        page: page.page,
        page_size: page.page_size,
    };
    let found = app.tickets.list(&query).await?;
    let opened = app.tickets.open_all(found.items).await?;
    Ok(Json(Paged {
        items: opened.iter().map(Into::into).collect(),
        page: page.page,
        page_size: page.page_size,
        total: found.total,
    }))
}
