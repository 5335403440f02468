//! `/change-requests` (contract engine-actions 7.3).

use super::envelope::ApiResult;
use super::extract::{ApiJson, ApiPath, ApiQuery, Caller, WindowQuery};
use super::tickets::CommandContext;
use super::view::change_request::{AttachmentChangeView, ChangeRequestView, FieldChangeView};
use super::view::ticket::form_version;
use crate::api::schema::{FileId, words};
use crate::app::App;
use crate::domain::error::ServiceError;
use crate::domain::id::{AttachmentId, ChangeRequestId};
use crate::domain::json::JsonObject;
use crate::domain::ticket::TicketStatus;
use crate::engine::Command;
use crate::services::change_requests::ChangeRequestItem;
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_change_request))
        .routes(routes!(list_to_review))
        .routes(routes!(count_to_review))
        .routes(routes!(get_change_request, cancel_change_request))
        .routes(routes!(approve_change_request))
        .routes(routes!(reject_change_request))
        .routes(routes!(list_form_versions))
        .routes(routes!(compare_form_versions))
        .routes(routes!(list_change_requests))
}

/// A proposal.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateChangeRequest {
    /// The ticket.
    #[garde(length(chars, min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    ticket_id: String,
    /// New values; absent keys stay.
    #[garde(skip)]
    #[schema(value_type = Object)]
    proposed_form_values: Map<String, Value>,
    /// All files; absent leaves them as they are.
    #[garde(inner(length(max = 500)))]
    #[schema(value_type = Option<Vec<FileId>>, max_items = 500)]
    proposed_attachment_ids: Option<Vec<String>>,
    /// Why.
    #[garde(length(chars, min = 1, max = 2000))]
    #[schema(min_length = 1, max_length = 2000)]
    reason: String,
}

/// A decision.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReviewChangeRequest {
    /// `APPROVE` or `REJECT`, as the path says.
    #[garde(length(chars, min = 1, max = 20))]
    #[schema(pattern = "^([Aa][Pp][Pp][Rr][Oo][Vv][Ee]|[Rr][Ee][Jj][Ee][Cc][Tt])$")]
    action: String,
    /// What the reviewer says.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    notes: Option<String>,
}

impl ReviewChangeRequest {
    fn must_be(&self, action: &str) -> Result<(), ServiceError> {
        if self.action.eq_ignore_ascii_case(action) {
            return Ok(());
        }
        Err(ServiceError::invalid_field(
            "action",
            format!("Input should be {action}"),
        ))
    }
}

/// A change request after an action.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeRequestAnswer {
    success: bool,
    change_request: ChangeRequestView,
}

/// A change request with its ticket.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeRequestDetail {
    change_request: ChangeRequestView,
    ticket_title: String,
    #[schema(schema_with = words::<TicketStatus>)]
    ticket_status: TicketStatus,
    workflow_name: String,
}

impl From<&ChangeRequestItem> for ChangeRequestDetail {
    fn from(item: &ChangeRequestItem) -> Self {
        Self {
            change_request: ChangeRequestView::of(&item.ticket, &item.request),
            ticket_title: item.ticket.title.clone(),
            ticket_status: item.ticket.status,
            workflow_name: item.ticket.workflow.name.clone(),
        }
    }
}

/// A change request in the reviewer's list.
#[derive(Debug, Serialize, ToSchema)]
struct ListedChangeRequest {
    #[serde(flatten)]
    change_request: ChangeRequestView,
    ticket_title: String,
    #[schema(schema_with = words::<TicketStatus>)]
    ticket_status: TicketStatus,
    workflow_name: String,
}

impl From<&ChangeRequestItem> for ListedChangeRequest {
    fn from(item: &ChangeRequestItem) -> Self {
        let detail = ChangeRequestDetail::from(item);
        Self {
            change_request: detail.change_request,
            ticket_title: detail.ticket_title,
            ticket_status: detail.ticket_status,
            workflow_name: detail.workflow_name,
        }
    }
}

/// A page of the reviewer's list.
#[derive(Debug, Serialize, ToSchema)]
struct ReviewPage {
    items: Vec<ListedChangeRequest>,
    total: usize,
    skip: u64,
    #[schema(minimum = 1, maximum = 100)]
    limit: i64,
}

/// How many change requests wait.
#[derive(Debug, Serialize, ToSchema)]
struct ReviewCount {
    count: usize,
}

/// Versions of the form data.
#[derive(Debug, Serialize, ToSchema)]
struct FormVersions {
    #[schema(value_type = Vec<Object>)]
    versions: Vec<Value>,
    total: usize,
}

/// What differs between two versions.
#[derive(Debug, Serialize, ToSchema)]
struct Comparison {
    version_1: i32,
    version_2: i32,
    field_changes: Vec<FieldChangeView>,
    attachment_changes: Vec<AttachmentChangeView>,
}

/// All change requests of a ticket.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeRequestHistory {
    items: Vec<ChangeRequestView>,
    total: usize,
}

/// Which versions are compared.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct CompareQuery {
    /// From 1.
    #[garde(range(min = 1))]
    #[param(minimum = 1)]
    version_1: i32,
    /// From 1.
    #[garde(range(min = 1))]
    #[param(minimum = 1)]
    version_2: i32,
}

/// Sends a command on a change request and shows the change request afterwards.
async fn act(
    app: &App,
    context: CommandContext,
    ticket: &str,
    id: Option<ChangeRequestId>,
    body: &impl Serialize,
    command: Command,
) -> ApiResult<Json<ChangeRequestAnswer>> {
    let executed = context.execute(app, ticket, body, None, command).await?;
    let created = executed
        .created
        .as_ref()
        .map(|id| ChangeRequestId::from_stored(id.clone()));
    let request = id
        .or(created)
        .and_then(|id| executed.ticket.change_request(&id).cloned());
    let request =
        request.ok_or_else(|| ServiceError::defect("a change request is missing after its command"))?;
    let change_request = ChangeRequestView::of(&executed.ticket, &request);
    Ok(Json(ChangeRequestAnswer {
        success: true,
        change_request,
    }))
}

/// Proposes new form data for a ticket; work on it pauses until the proposal is decided.
#[utoipa::path(post, path = "", tag = "change requests", operation_id = "create_change_request",
    request_body = CreateChangeRequest, responses((status = 200, body = ChangeRequestAnswer)))]
async fn create_change_request(
    State(app): State<App>,
    context: CommandContext,
    ApiJson(body): ApiJson<CreateChangeRequest>,
) -> ApiResult<Json<ChangeRequestAnswer>> {
    let ids = body.proposed_attachment_ids.as_ref().map(|ids| {
        let parsed = ids.iter().map(|id| AttachmentId::try_from(id.clone()));
        parsed.collect::<Result<Vec<_>, _>>().map_err(|_| {
            ServiceError::invalid_field(
                "proposed_attachment_ids",
                "Input should be a list of attachment ids",
            )
        })
    });
    let command = Command::CreateChangeRequest {
        proposed_form_values: JsonObject::from(body.proposed_form_values.clone()),
        proposed_attachment_ids: ids.transpose()?,
        reason: body.reason.clone(),
    };
    act(&app, context, &body.ticket_id, None, &body, command).await
}

/// Pending change requests that the caller reviews, the newest first.
#[utoipa::path(get, path = "/my-pending", tag = "change requests", operation_id = "list_change_requests_to_review",
    params(WindowQuery), responses((status = 200, body = ReviewPage)))]
async fn list_to_review(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(window): ApiQuery<WindowQuery>,
) -> ApiResult<Json<ReviewPage>> {
    let skip = usize::try_from(window.skipped()).unwrap_or(usize::MAX);
    let found = app
        .change_requests
        .to_review(&caller, skip, window.size())
        .await?;
    let items = found.items.iter().map(Into::into).collect();
    Ok(Json(ReviewPage {
        items,
        total: found.total,
        skip: window.skipped(),
        limit: window.limit,
    }))
}

/// How many change requests wait for the caller.
#[utoipa::path(get, path = "/count", tag = "change requests", operation_id = "count_change_requests_to_review",
    responses((status = 200, body = ReviewCount)))]
async fn count_to_review(State(app): State<App>, caller: Caller) -> ApiResult<Json<ReviewCount>> {
    Ok(Json(ReviewCount {
        count: app.change_requests.count_to_review(&caller).await?,
    }))
}

/// A change request.
#[utoipa::path(get, path = "/{change_request_id}", tag = "change requests", operation_id = "get_change_request",
    params(("change_request_id" = String, Path)), responses((status = 200, body = ChangeRequestDetail)))]
async fn get_change_request(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<ChangeRequestDetail>> {
    let item = app.change_requests.get(&caller, &id).await?;
    Ok(Json((&item).into()))
}

/// Accepts a change request.
#[utoipa::path(post, path = "/{change_request_id}/approve", tag = "change requests",
    operation_id = "approve_change_request", params(("change_request_id" = String, Path)),
    request_body = ReviewChangeRequest, responses((status = 200, body = ChangeRequestAnswer)))]
async fn approve_change_request(
    State(app): State<App>,
    context: CommandContext,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<ReviewChangeRequest>,
) -> ApiResult<Json<ChangeRequestAnswer>> {
    body.must_be("APPROVE")?;
    let item = app.change_requests.get(&context.actor, &id).await?;
    let id = item.request.id;
    let command = Command::ApproveChangeRequest {
        change_request: id.clone(),
        notes: body.notes.clone(),
    };
    act(&app, context, item.ticket.id.as_str(), Some(id), &body, command).await
}

/// Refuses a change request.
#[utoipa::path(post, path = "/{change_request_id}/reject", tag = "change requests",
    operation_id = "reject_change_request", params(("change_request_id" = String, Path)),
    request_body = ReviewChangeRequest, responses((status = 200, body = ChangeRequestAnswer)))]
async fn reject_change_request(
    State(app): State<App>,
    context: CommandContext,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<ReviewChangeRequest>,
) -> ApiResult<Json<ChangeRequestAnswer>> {
    body.must_be("REJECT")?;
    let item = app.change_requests.get(&context.actor, &id).await?;
    let id = item.request.id;
    let command = Command::RejectChangeRequest {
        change_request: id.clone(),
        notes: body.notes.clone(),
    };
    act(&app, context, item.ticket.id.as_str(), Some(id), &body, command).await
}

/// Withdraws a change request; nothing is deleted.
#[utoipa::path(delete, path = "/{change_request_id}", tag = "change requests",
    operation_id = "cancel_change_request", params(("change_request_id" = String, Path)),
    responses((status = 200, body = ChangeRequestAnswer)))]
async fn cancel_change_request(
    State(app): State<App>,
    context: CommandContext,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<ChangeRequestAnswer>> {
    let item = app.change_requests.get(&context.actor, &id).await?;
    let id = item.request.id;
    let command = Command::CancelChangeRequest {
        change_request: id.clone(),
    };
    act(&app, context, item.ticket.id.as_str(), Some(id), &(), command).await
}

/// Versions of a ticket's form data, the oldest first.
#[utoipa::path(get, path = "/tickets/{ticket_id}/versions", tag = "change requests",
    operation_id = "list_form_versions", params(("ticket_id" = String, Path)),
    responses((status = 200, body = FormVersions)))]
async fn list_form_versions(
    State(app): State<App>,
    caller: Caller,
    ApiPath(ticket): ApiPath<String>,
) -> ApiResult<Json<FormVersions>> {
    let versions = app.change_requests.versions(&caller, &ticket).await?;
    Ok(Json(FormVersions {
        total: versions.len(),
        versions: versions.iter().map(form_version).collect(),
    }))
}

/// What differs between two versions, the older one first.
#[utoipa::path(get, path = "/tickets/{ticket_id}/compare", tag = "change requests",
    operation_id = "compare_form_versions", params(("ticket_id" = String, Path), CompareQuery),
    responses((status = 200, body = Comparison)))]
async fn compare_form_versions(
    State(app): State<App>,
    caller: Caller,
    ApiPath(ticket): ApiPath<String>,
    ApiQuery(query): ApiQuery<CompareQuery>,
) -> ApiResult<Json<Comparison>> {
    let (one, other) = (query.version_1, query.version_2);
    let found = app.change_requests.compare(&caller, &ticket, one, other).await?;
    Ok(Json(Comparison {
        version_1: one.min(other),
        version_2: one.max(other),
        field_changes: found.field_changes.iter().map(Into::into).collect(),
        attachment_changes: found.attachment_changes.iter().map(Into::into).collect(),
    }))
}

/// All change requests of a ticket, the newest first.
#[utoipa::path(get, path = "/tickets/{ticket_id}/history", tag = "change requests",
    operation_id = "list_change_requests", params(("ticket_id" = String, Path)),
    responses((status = 200, body = ChangeRequestHistory)))]
async fn list_change_requests(
    State(app): State<App>,
    caller: Caller,
    ApiPath(ticket): ApiPath<String>,
) -> ApiResult<Json<ChangeRequestHistory>> {
    let found = app.change_requests.history(&caller, &ticket).await?;
    let items: Vec<_> = found
        .iter()
        .map(|item| ChangeRequestView::of(&item.ticket, &item.request))
        .collect();
    Ok(Json(ChangeRequestHistory {
        total: items.len(),
        items,
    }))
}
