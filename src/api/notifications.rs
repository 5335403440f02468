//! `/notifications`: the caller's bell (contract http-admin-notifications 15).

use super::envelope::ApiResult;
use super::extract::{ApiPath, ApiQuery, Caller};
use super::view::wire_time::wire_time;
use crate::api::schema::{Word, words};
use crate::app::App;
use crate::domain::id::NotificationId;
use crate::domain::notice::NoticeCategory;
use crate::repositories::inapp_repo::BellFilter;
use crate::repositories::inapp_row::InappRow;
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_notifications))
        .routes(routes!(count_unread))
        .routes(routes!(read_all))
        .routes(routes!(read_one))
        .routes(routes!(delete_one))
}

type CategoryWord = Word<NoticeCategory>;

/// Which notices are wanted.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[garde(allow_unvalidated)]
struct BellQuery {
    /// How many to leave out.
    #[garde(range(max = 100_000))]
    #[serde(default)]
    #[param(value_type = Option<u32>, default = 0, maximum = 100_000)]
    skip: u32,
    /// 1 to 100.
    #[garde(range(min = 1, max = 100))]
    #[serde(default = "twenty")]
    #[param(value_type = Option<u32>, default = 20, minimum = 1, maximum = 100)]
    limit: u32,
    /// Only those not read yet.
    #[serde(default)]
    #[param(value_type = Option<bool>, default = false)]
    unread_only: bool,
    /// `APPROVAL`, `TASK`, `INFO_REQUEST`, `TICKET` or `SYSTEM`.
    #[param(value_type = Option<CategoryWord>, inline)]
    category: Option<NoticeCategory>,
}

const fn twenty() -> u32 {
    20
}

/// A window of the caller's bell.
#[derive(Debug, Serialize, ToSchema)]
struct BellView {
    /// Newest first.
    items: Vec<NoticeView>,
    /// How many are unread, whatever the filter.
    unread_count: u64,
    /// How many pass the filter.
    total: u64,
}

/// One notice.
#[derive(Debug, Serialize, ToSchema)]
struct NoticeView {
    /// The notice's id.
    notification_id: String,
    /// Where it is listed.
    #[schema(schema_with = words::<NoticeCategory>)]
    category: NoticeCategory,
    /// Plain text.
    title: String,
    /// Plain text.
    message: String,
    /// The ticket it is about.
    ticket_id: Option<String>,
    /// A path within the SPA.
    action_url: Option<String>,
    /// Who caused it.
    actor_email: Option<String>,
    /// Their name.
    actor_display_name: Option<String>,
    /// Whether it has been read.
    is_read: bool,
    /// When it came to be.
    created_at: String,
}

impl From<InappRow> for NoticeView {
    fn from(row: InappRow) -> Self {
        Self {
            notification_id: row.notification_id.to_string(),
            category: row.category,
            title: row.title,
            message: row.message,
            ticket_id: row.ticket_id.map(|id| id.to_string()),
            action_url: row.action_url,
            actor_email: row.actor_email,
            actor_display_name: row.actor_display_name,
            is_read: row.is_read,
            created_at: wire_time(row.created_at),
        }
    }
}

/// How many notices are unread.
#[derive(Debug, Serialize, ToSchema)]
struct UnreadCount {
    unread_count: u64,
}

/// How many notices were marked.
#[derive(Debug, Serialize, ToSchema)]
struct MarkedCount {
    success: bool,
    marked_count: u64,
}

/// Which notice was removed.
#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    success: bool,
    deleted: String,
}

/// The caller's notices, newest first.
#[utoipa::path(get, path = "", tag = "notifications", operation_id = "list_notifications", params(BellQuery),
    responses((status = 200, body = BellView)))]
async fn list_notifications(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<BellQuery>,
) -> ApiResult<Json<BellView>> {
    let filter = BellFilter {
        unread_only: query.unread_only,
        category: query.category,
    };
    let bell = &app.notifications.bell;
    let page = bell
        .list(&caller.person, filter, u64::from(query.skip), query.limit)
        .await?;
    Ok(Json(BellView {
        items: page.rows.into_iter().map(Into::into).collect(),
        unread_count: page.unread,
        total: page.total,
    }))
}

/// How many of the caller's notices are unread.
#[utoipa::path(get, path = "/unread-count", tag = "notifications", operation_id = "count_unread_notifications",
    responses((status = 200, body = UnreadCount)))]
async fn count_unread(State(app): State<App>, caller: Caller) -> ApiResult<Json<UnreadCount>> {
    let unread_count = app.notifications.bell.unread_count(&caller.person).await?;
    Ok(Json(UnreadCount { unread_count }))
}

/// Marks one of the caller's notices as read.
#[utoipa::path(post, path = "/{notification_id}/read", tag = "notifications", operation_id = "read_notification",
    params(("notification_id" = String, Path)), responses((status = 200, body = NoticeView)))]
async fn read_one(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<NoticeView>> {
    let id = NotificationId::from_stored(id);
    Ok(Json(
        app.notifications
            .bell
            .mark_read(&caller.person, &id)
            .await?
            .into(),
    ))
}

/// Marks all of the caller's notices as read.
#[utoipa::path(post, path = "/read-all", tag = "notifications", operation_id = "read_all_notifications",
    responses((status = 200, body = MarkedCount)))]
async fn read_all(State(app): State<App>, caller: Caller) -> ApiResult<Json<MarkedCount>> {
    let marked_count = app.notifications.bell.mark_all_read(&caller.person).await?;
    Ok(Json(MarkedCount {
        success: true,
        marked_count,
    }))
}

/// Takes one of the caller's notices out of the bell.
#[utoipa::path(delete, path = "/{notification_id}", tag = "notifications", operation_id = "delete_notification",
    params(("notification_id" = String, Path)), responses((status = 200, body = Deleted)))]
async fn delete_one(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<Deleted>> {
    let notification_id = NotificationId::from_stored(id.clone());
    app.notifications
        .bell
        .dismiss(&caller.person, &notification_id)
        .await?;
    Ok(Json(Deleted {
        success: true,
        deleted: id,
    }))
}
