//! `/lookups`: a workflow's tables of keys and people (contract http-workflows 4). Errors keep `detail` a plain text.

mod body;

use super::envelope::LookupApiError;
use super::extract::{ApiJson, ApiPath, ApiQuery, Caller, IfMatch};
use super::layer::Versioned;
use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use body::{
    EntryBody, EntryChange, EntryList, ListQuery, LookupBody, LookupChange, LookupList, LookupView,
    ResolveQuery, Resolved, UserList, new_users,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

type LookupResult<T> = Result<T, LookupApiError>;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_lookups, create_lookup))
        .routes(routes!(resolve_lookup))
        .routes(routes!(get_lookup, change_lookup, delete_lookup))
        .routes(routes!(replace_entries, add_entry))
        .routes(routes!(change_entry, remove_entry))
        .routes(routes!(replace_users))
}

/// Makes a lookup table for a workflow.
#[utoipa::path(post, path = "/{workflow_id}", tag = "lookups", operation_id = "create_lookup",
    params(("workflow_id" = String, Path)), request_body = LookupBody, responses((status = 201, body = LookupView)))]
async fn create_lookup(
    State(app): State<App>,
    caller: Caller,
    ApiPath(workflow): ApiPath<String>,
    ApiJson(body): ApiJson<LookupBody>,
) -> LookupResult<(StatusCode, Json<LookupView>)> {
    let table = app.lookups.create(&caller, &workflow, body.into()).await?;
    Ok((StatusCode::CREATED, Json((&table).into())))
}

/// The lookup tables of a workflow, the newest first.
#[utoipa::path(get, path = "/{workflow_id}", tag = "lookups", operation_id = "list_lookups",
    params(("workflow_id" = String, Path), ListQuery), responses((status = 200, body = LookupList)))]
async fn list_lookups(
    State(app): State<App>,
    caller: Caller,
    ApiPath(workflow): ApiPath<String>,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> LookupResult<Json<LookupList>> {
    let tables = app
        .lookups
        .list(&caller, &workflow, query.include_inactive)
        .await?;
    let items = tables.iter().map(LookupView::from).collect();
    Ok(Json(LookupList { items }))
}

/// The people who answer for a field's value; none when nothing matches.
#[utoipa::path(get, path = "/{workflow_id}/resolve", tag = "lookups", operation_id = "resolve_lookup",
    params(("workflow_id" = String, Path), ResolveQuery), responses((status = 200, body = Resolved)))]
async fn resolve_lookup(
    State(app): State<App>,
    _caller: Caller,
    ApiPath(workflow): ApiPath<String>,
    ApiQuery(query): ApiQuery<ResolveQuery>,
) -> LookupResult<Json<Resolved>> {
    let users = app
        .lookups
        .resolve(&workflow, &query.step_id, &query.field_key, &query.field_value)
        .await?;
    let users = users.iter().map(Into::into).collect();
    Ok(Json(Resolved { users }))
}

/// A lookup table, deleted or not.
#[utoipa::path(get, path = "/{workflow_id}/{lookup_id}", tag = "lookups", operation_id = "get_lookup",
    params(("workflow_id" = String, Path), ("lookup_id" = String, Path)), responses((status = 200, body = LookupView)))]
async fn get_lookup(
    State(app): State<App>,
    caller: Caller,
    ApiPath((workflow, id)): ApiPath<(String, String)>,
) -> LookupResult<Versioned<LookupView>> {
    let table = app.lookups.get(&caller, &workflow, &id).await?;
    Ok(Versioned {
        version: table.version,
        body: (&table).into(),
    })
}

/// Changes a lookup table's own fields; absent ones stay, empty texts are cleared.
#[utoipa::path(patch, path = "/{workflow_id}/{lookup_id}", tag = "lookups", operation_id = "change_lookup",
    params(("workflow_id" = String, Path), ("lookup_id" = String, Path)), request_body = LookupChange,
    responses((status = 200, body = LookupView)))]
async fn change_lookup(
    State(app): State<App>,
    caller: Caller,
    ApiPath((workflow, id)): ApiPath<(String, String)>,
    if_match: IfMatch,
    ApiJson(body): ApiJson<LookupChange>,
) -> LookupResult<Json<LookupView>> {
    let change = body.expecting(if_match);
    let table = app.lookups.change(&caller, &workflow, &id, &change).await?;
    Ok(Json((&table).into()))
}

/// Deletes a lookup table; running tickets find nobody in it any more.
#[utoipa::path(delete, path = "/{workflow_id}/{lookup_id}", tag = "lookups", operation_id = "delete_lookup",
    params(("workflow_id" = String, Path), ("lookup_id" = String, Path)), responses((status = 204)))]
async fn delete_lookup(
    State(app): State<App>,
    caller: Caller,
    ApiPath((workflow, id)): ApiPath<(String, String)>,
) -> LookupResult<StatusCode> {
    app.lookups.delete(&caller, &workflow, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces all entries of a lookup table.
#[utoipa::path(put, path = "/{workflow_id}/{lookup_id}/entries", tag = "lookups", operation_id = "replace_lookup_entries",
    params(("workflow_id" = String, Path), ("lookup_id" = String, Path)), request_body = EntryList,
    responses((status = 200, body = LookupView)))]
async fn replace_entries(
    State(app): State<App>,
    caller: Caller,
    ApiPath((workflow, id)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<EntryList>,
) -> LookupResult<Json<LookupView>> {
    let entries = body.into_entries()?;
    let table = app
        .lookups
        .replace_entries(&caller, &workflow, &id, &entries)
        .await?;
    Ok(Json((&table).into()))
}

/// Adds an entry to a lookup table.
#[utoipa::path(post, path = "/{workflow_id}/{lookup_id}/entries", tag = "lookups", operation_id = "add_lookup_entry",
    params(("workflow_id" = String, Path), ("lookup_id" = String, Path)), request_body = EntryBody,
    responses((status = 200, body = LookupView)))]
async fn add_entry(
    State(app): State<App>,
    caller: Caller,
    ApiPath((workflow, id)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<EntryBody>,
) -> LookupResult<Json<LookupView>> {
    let entry = body.into_entry()?;
    let table = app.lookups.add_entry(&caller, &workflow, &id, &entry).await?;
    Ok(Json((&table).into()))
}

/// Changes an entry's own fields; absent ones stay.
#[utoipa::path(patch, path = "/{workflow_id}/{lookup_id}/entries/{entry_id}", tag = "lookups",
    operation_id = "change_lookup_entry",
    params(("workflow_id" = String, Path), ("lookup_id" = String, Path), ("entry_id" = String, Path)),
    request_body = EntryChange, responses((status = 200, body = LookupView)))]
async fn change_entry(
    State(app): State<App>,
    caller: Caller,
    ApiPath((workflow, id, entry)): ApiPath<(String, String, String)>,
    ApiJson(body): ApiJson<EntryChange>,
) -> LookupResult<Json<LookupView>> {
    let table = app
        .lookups
        .change_entry(&caller, &workflow, &id, &entry, &body.into())
        .await?;
    Ok(Json((&table).into()))
}

/// Removes an entry; an unknown one is as good as removed.
#[utoipa::path(delete, path = "/{workflow_id}/{lookup_id}/entries/{entry_id}", tag = "lookups",
    operation_id = "remove_lookup_entry",
    params(("workflow_id" = String, Path), ("lookup_id" = String, Path), ("entry_id" = String, Path)),
    responses((status = 200, body = LookupView)))]
async fn remove_entry(
    State(app): State<App>,
    caller: Caller,
    ApiPath((workflow, id, entry)): ApiPath<(String, String, String)>,
) -> LookupResult<Json<LookupView>> {
    let table = app.lookups.remove_entry(&caller, &workflow, &id, &entry).await?;
    Ok(Json((&table).into()))
}

/// Replaces the people of an entry.
#[utoipa::path(put, path = "/{workflow_id}/{lookup_id}/entries/{entry_id}/users", tag = "lookups",
    operation_id = "replace_lookup_users",
    params(("workflow_id" = String, Path), ("lookup_id" = String, Path), ("entry_id" = String, Path)),
    request_body = UserList, responses((status = 200, body = LookupView)))]
async fn replace_users(
    State(app): State<App>,
    caller: Caller,
    ApiPath((workflow, id, entry)): ApiPath<(String, String, String)>,
    ApiJson(body): ApiJson<UserList>,
) -> LookupResult<Json<LookupView>> {
    let users = new_users(body.users)?;
    let table = app
        .lookups
        .replace_users(&caller, &workflow, &id, &entry, &users)
        .await?;
    Ok(Json((&table).into()))
}
