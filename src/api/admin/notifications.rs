//! `/admin/notifications` (contract http-admin-notifications 14). Fixed segments win over `{notification_id}`.

mod views;

use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiJson, ApiPath, ApiQueries, ApiQuery, Caller, ClientAddress, PageQuery};
use crate::api::schema::Word;
use crate::api::view::wire_time::RequestInstant;
use crate::app::App;
use crate::domain::notice::TemplateKey;
use crate::repositories::outbox_row::OutboxStatus;
use crate::repositories::outbox_search::{OutboxFilter, OutboxOrder, PageRequest};
use crate::services::admin::By;
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use views::{Dashboard, FailedPage, MailDetail, MailPage, OutboxCountsView, TicketMails};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_mails))
        .routes(routes!(mail_dashboard))
        .routes(routes!(list_failed_mails))
        .routes(routes!(mail_stats))
        .routes(routes!(list_ticket_mails))
        .routes(routes!(bulk_retry_mails))
        .routes(routes!(get_mail))
        .routes(routes!(retry_mail))
        .routes(routes!(cancel_mail))
}

/// The field a list is ordered by.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SortBy {
    #[default]
    CreatedAt,
    SentAt,
    Status,
    RetryCount,
    TemplateKey,
    NextRetryAt,
}

/// The direction of an order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SortOrder {
    Asc,
    #[default]
    Desc,
}

type StatusWord = Word<OutboxStatus>;
type TemplateWord = Word<TemplateKey>;

/// Which mails are wanted, in which order.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[garde(allow_unvalidated)]
struct ListQuery {
    /// `PENDING`, `SENT`, `FAILED` or `CANCELLED`.
    #[param(value_type = Option<StatusWord>, inline)]
    status: Option<OutboxStatus>,
    /// The ticket.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    ticket_id: Option<String>,
    /// The template.
    #[param(value_type = Option<TemplateWord>, inline)]
    template_key: Option<TemplateKey>,
    /// Text within the recipient's address.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    recipient: Option<String>,
    /// Not older than this.
    #[param(inline)]
    from_date: Option<RequestInstant>,
    /// Not newer than this; a date means its end.
    #[param(inline)]
    to_date: Option<RequestInstant>,
    /// What they are sorted by.
    #[serde(default)]
    #[param(inline, value_type = Option<SortBy>)]
    sort_by: SortBy,
    /// In which direction.
    #[serde(default)]
    #[param(inline, value_type = Option<SortOrder>)]
    sort_order: SortOrder,
}

/// A range of time.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[garde(allow_unvalidated)]
struct RangeQuery {
    /// Not older than this.
    #[param(inline)]
    from_date: Option<RequestInstant>,
    /// Not newer than this; a date means its end.
    #[param(inline)]
    to_date: Option<RequestInstant>,
}

/// Which mails to send again.
#[derive(Debug, Deserialize, Validate, ToSchema)]
struct BulkRetryRequest {
    /// 1 to 100 ids.
    #[garde(length(min = 1, max = 100), inner(length(chars, max = 100)))]
    #[schema(min_items = 1, max_items = 100)]
    notification_ids: Vec<String>,
}

/// How many mails are sent again.
#[derive(Debug, Serialize, ToSchema)]
struct BulkRetryAnswer {
    message: String,
    retried_count: u64,
    requested_count: usize,
}

/// What was done to a mail.
#[derive(Debug, Serialize, ToSchema)]
struct MailAnswer {
    message: &'static str,
    notification_id: String,
}

impl ListQuery {
    fn filter(&self) -> OutboxFilter {
        OutboxFilter {
            status: self.status,
            ticket_id: self.ticket_id.clone(),
            template_key: self.template_key,
            recipient: self.recipient.clone().filter(|text| !text.is_empty()),
            from: self.from_date.map(RequestInstant::from),
            to: self.to_date.map(RequestInstant::until),
        }
    }

    fn page(&self, page: PageQuery) -> PageRequest {
        PageRequest {
            order: match self.sort_by {
                SortBy::CreatedAt => OutboxOrder::CreatedAt,
                SortBy::SentAt => OutboxOrder::SentAt,
                SortBy::Status => OutboxOrder::Status,
                SortBy::RetryCount => OutboxOrder::RetryCount,
                SortBy::TemplateKey => OutboxOrder::TemplateKey,
                SortBy::NextRetryAt => OutboxOrder::NextRetryAt,
            },
            descending: self.sort_order == SortOrder::Desc,
            skip: page.skipped(),
            limit: page.page_size,
        }
    }
}

/// The mails that pass the filter; counting stops at 10 000.
#[utoipa::path(get, path = "/notifications", tag = "admin", operation_id = "list_outbox",
    params(ListQuery, PageQuery), responses((status = 200, body = MailPage)))]
async fn list_mails(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((query, page)): ApiQueries<(ListQuery, PageQuery)>,
) -> ApiResult<Json<MailPage>> {
    let found = app
        .admin
        .outbox
        .list(&caller, &query.filter(), query.page(page))
        .await?;
    Ok(Json(MailPage::new(found, page)))
}

/// The outbox in figures: of more than 10 000 mails they are kept, a few seconds old, more when the mails are many.
///
/// `status_counts`, `template_counts`, `retry_distribution` and the rates are of the range, if one is given; a range is
/// counted at once, and refused when it spans more than 100 000 mails. The other figures are of all mails.
#[utoipa::path(get, path = "/notifications/dashboard", tag = "admin", operation_id = "get_outbox_dashboard",
    params(RangeQuery), responses((status = 200, body = Dashboard)))]
async fn mail_dashboard(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(range): ApiQuery<RangeQuery>,
) -> ApiResult<Json<Dashboard>> {
    let from = range.from_date.map(RequestInstant::from);
    let to = range.to_date.map(RequestInstant::until);
    Ok(Json(app.admin.outbox.figures(&caller, from, to).await?.into()))
}

/// The failed mails, oldest first.
#[utoipa::path(get, path = "/notifications/failed", tag = "admin", operation_id = "list_failed_outbox",
    params(PageQuery), responses((status = 200, body = FailedPage)))]
async fn list_failed_mails(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<FailedPage>> {
    let found = app
        .admin
        .outbox
        .failed(&caller, page.skipped(), page.page_size)
        .await?;
    Ok(Json(FailedPage::new(found, page)))
}

/// How many mails stand where: of more than 10 000 a few seconds ago, longer when the mails are many.
#[utoipa::path(get, path = "/notifications/stats", tag = "admin", operation_id = "get_outbox_stats",
    responses((status = 200, body = OutboxCountsView)))]
async fn mail_stats(State(app): State<App>, caller: Caller) -> ApiResult<Json<OutboxCountsView>> {
    Ok(Json(app.admin.outbox.counts(&caller).await?.into()))
}

/// A ticket's mails, oldest first, at most 200.
#[utoipa::path(get, path = "/notifications/ticket/{ticket_id}", tag = "admin", operation_id = "list_ticket_outbox",
    params(("ticket_id" = String, Path)), responses((status = 200, body = TicketMails)))]
async fn list_ticket_mails(
    State(app): State<App>,
    caller: Caller,
    ApiPath(ticket_id): ApiPath<String>,
) -> ApiResult<Json<TicketMails>> {
    let mails = app.admin.outbox.of_ticket(&caller, &ticket_id).await?;
    Ok(Json(TicketMails::new(ticket_id, mails)))
}

/// One mail with what it says.
#[utoipa::path(get, path = "/notifications/{notification_id}", tag = "admin", operation_id = "get_outbox_entry",
    params(("notification_id" = String, Path)), responses((status = 200, body = MailDetail)))]
async fn get_mail(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<MailDetail>> {
    Ok(Json(app.admin.outbox.detail(&caller, &id).await?.into()))
}

/// Sends a failed mail again, with fresh attempts.
#[utoipa::path(post, path = "/notifications/{notification_id}/retry", tag = "admin",
    operation_id = "retry_outbox_entry", params(("notification_id" = String, Path)),
    responses((status = 200, body = MailAnswer)))]
async fn retry_mail(
    State(app): State<App>,
    caller: Caller,
    ClientAddress(address): ClientAddress,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<MailAnswer>> {
    let by = By {
        actor: &caller,
        address,
    };
    app.admin.outbox.retry(by, &id).await?;
    Ok(Json(MailAnswer {
        message: "The mail will be sent again.",
        notification_id: id,
    }))
}

/// Sends those of the mails again that failed.
#[utoipa::path(post, path = "/notifications/bulk-retry", tag = "admin", operation_id = "bulk_retry_outbox",
    request_body = BulkRetryRequest, responses((status = 200, body = BulkRetryAnswer)))]
async fn bulk_retry_mails(
    State(app): State<App>,
    caller: Caller,
    ClientAddress(address): ClientAddress,
    ApiJson(request): ApiJson<BulkRetryRequest>,
) -> ApiResult<Json<BulkRetryAnswer>> {
    let by = By {
        actor: &caller,
        address,
    };
    let retried_count = app.admin.outbox.retry_many(by, &request.notification_ids).await?;
    Ok(Json(BulkRetryAnswer {
        message: format!("{retried_count} mails will be sent again."),
        retried_count,
        requested_count: request.notification_ids.len(),
    }))
}

/// Takes back a mail that waits and is not being sent.
#[utoipa::path(post, path = "/notifications/{notification_id}/cancel", tag = "admin",
    operation_id = "cancel_outbox_entry", params(("notification_id" = String, Path)),
    responses((status = 200, body = MailAnswer)))]
async fn cancel_mail(
    State(app): State<App>,
    caller: Caller,
    ClientAddress(address): ClientAddress,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<MailAnswer>> {
    let by = By {
        actor: &caller,
        address,
    };
    app.admin.outbox.cancel(by, &id).await?;
    Ok(Json(MailAnswer {
        message: "The mail was cancelled.",
        notification_id: id,
    }))
}
