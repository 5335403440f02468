//! `/attachments`: files of tickets and forms (contract http-workflows 6).

mod range;
mod upload;
mod view;

use super::envelope::{ApiResult, ErrorBody};
use super::extract::{ApiJson, ApiPath, Caller};
use crate::app::App;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use range::Wanted;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use view::{Extent, FileChange, FileChanged, FileInfo, FileRemoved, TicketFiles};

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(upload::router())
        .routes(routes!(list_ticket_files))
        .routes(routes!(get_file_info))
        .routes(routes!(download_file))
        .routes(routes!(get_file, change_file, remove_file))
}

/// A ticket's files, the newest first, and grouped by where they were given.
#[utoipa::path(get, path = "/ticket/{ticket_id}", tag = "attachments", operation_id = "list_ticket_attachments",
    params(("ticket_id" = String, Path)), responses((status = 200, body = TicketFiles)))]
async fn list_ticket_files(
    State(app): State<App>,
    caller: Caller,
    ApiPath(ticket): ApiPath<String>,
) -> ApiResult<Json<TicketFiles>> {
    let files = app.attachments.of_ticket(&caller, &ticket).await?;
    Ok(Json(TicketFiles::of(ticket, &files)))
}

/// What is recorded of a file.
#[utoipa::path(get, path = "/{attachment_id}/info", tag = "attachments", operation_id = "get_attachment_info",
    params(("attachment_id" = String, Path)), responses((status = 200, body = FileInfo)))]
async fn get_file_info(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<FileInfo>> {
    let file = app.attachments.info(&caller, &id).await?;
    Ok(Json((&file).into()))
}

/// A file's bytes, or the part of them that `Range` names.
#[utoipa::path(get, path = "/{attachment_id}/download", tag = "attachments", operation_id = "download_attachment",
    params(("attachment_id" = String, Path), ("Range" = Option<String>, Header, description = "One range of bytes")),
    responses((status = 200, content_type = "*/*", body = Vec<u8>),
        (status = 206, content_type = "*/*", body = Vec<u8>),
        (status = 416, body = ErrorBody, description = "The file has no such bytes; `Content-Range` names its length")))]
async fn download_file(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    headers: HeaderMap,
) -> ApiResult<Response<Body>> {
    bytes(&app, &caller, &id, &headers).await
}

/// A file's bytes, at its short address.
#[utoipa::path(get, path = "/{attachment_id}", tag = "attachments", operation_id = "get_attachment",
    params(("attachment_id" = String, Path), ("Range" = Option<String>, Header, description = "One range of bytes")),
    responses((status = 200, content_type = "*/*", body = Vec<u8>),
        (status = 206, content_type = "*/*", body = Vec<u8>),
        (status = 416, body = ErrorBody, description = "The file has no such bytes; `Content-Range` names its length")))]
async fn get_file(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    headers: HeaderMap,
) -> ApiResult<Response<Body>> {
    bytes(&app, &caller, &id, &headers).await
}

async fn bytes(app: &App, caller: &Caller, id: &str, headers: &HeaderMap) -> ApiResult<Response<Body>> {
    let file = app.attachments.info(caller, id).await?;
    let size = u64::try_from(file.size_bytes).unwrap_or_default();
    let (part, extent) = match range::wanted(headers, size, &view::tag_of(&file)) {
        Wanted::Whole => (None, Extent::Whole),
        Wanted::Part(part) => (Some(part), Extent::Part),
        Wanted::Nothing => return Ok(view::no_such_bytes(size)),
    };
    let reader = app.attachments.read(&file, part).await?;
    Ok(view::bytes_of(&file, reader, &extent))
}

/// Changes what is recorded of a file; absent fields stay.
#[utoipa::path(patch, path = "/{attachment_id}", tag = "attachments", operation_id = "change_attachment",
    params(("attachment_id" = String, Path)), request_body = FileChange, responses((status = 200, body = FileChanged)))]
async fn change_file(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<FileChange>,
) -> ApiResult<Json<FileChanged>> {
    let names = app.attachments.change(&caller, &id, &body.into()).await?;
    Ok(Json(FileChanged::of(id, &names)))
}

/// Removes a file.
#[utoipa::path(delete, path = "/{attachment_id}", tag = "attachments", operation_id = "remove_attachment",
    params(("attachment_id" = String, Path)), responses((status = 200, body = FileRemoved)))]
async fn remove_file(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<FileRemoved>> {
    app.attachments.remove(&caller, &id).await?;
    Ok(Json(FileRemoved::done()))
}
