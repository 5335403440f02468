//! `/workflows`: drafting, publishing, the catalog and the forms of the request wizard (contract http-workflows 2).

mod request;
mod view;

use super::envelope::ApiResult;
use super::extract::{ApiJson, ApiPath, ApiQueries, ApiQuery, Caller, IfMatch, OptionalJson, PageQuery};
use super::layer::Versioned;
use crate::app::App;
use crate::services::execute::ExpectedVersion;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use request::{
    CatalogQuery, CreateWorkflow, EmbeddingQuery, Expectation, RenameWorkflow, SaveDraft, WorkflowQuery,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use view::{
    ConsecutiveForms, Created, DraftSavedView, Embeddings, InitialForms, Published, TemplatePage,
    TemplateView, ValidationView, VersionPage, VersionView,
};

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_workflows, create_workflow))
        .routes(routes!(list_catalog))
        .routes(routes!(list_embeddable))
        .routes(routes!(get_workflow, delete_workflow))
        .routes(routes!(save_draft))
        .routes(routes!(validate_workflow))
        .routes(routes!(publish_workflow))
        .routes(routes!(list_versions))
        .routes(routes!(get_version))
        .routes(routes!(get_initial_forms))
        .routes(routes!(get_consecutive_forms))
        .routes(routes!(rename_workflow))
        .routes(routes!(archive_workflow))
        .routes(routes!(unarchive_workflow))
}

/// What the caller expects to change: the header wins over the body.
fn expected(header: IfMatch, body: Option<i64>) -> Option<ExpectedVersion> {
    header
        .0
        .map(ExpectedVersion::IfMatch)
        .or(body.map(ExpectedVersion::Body))
}

/// Creates a workflow.
#[utoipa::path(post, path = "", tag = "workflows", operation_id = "create_workflow", request_body = CreateWorkflow,
    responses((status = 201, body = Created)))]
async fn create_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiJson(body): ApiJson<CreateWorkflow>,
) -> ApiResult<(StatusCode, Json<Created>)> {
    let template = app.workflows.create(&caller, body.into()).await?;
    Ok((
        StatusCode::CREATED,
        Json(Created {
            workflow_id: template.id.to_string(),
        }),
    ))
}

/// Workflows for the studio, the last changed first.
#[utoipa::path(get, path = "", tag = "workflows", operation_id = "list_workflows",
    params(WorkflowQuery, PageQuery), responses((status = 200, body = TemplatePage)))]
async fn list_workflows(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((query, page)): ApiQueries<(WorkflowQuery, PageQuery)>,
) -> ApiResult<Json<TemplatePage>> {
    let found = app
        .workflows
        .list(&caller, query.status, page.page, page.page_size)
        .await?;
    Ok(Json(TemplatePage::of(found, page.page, page.page_size)))
}

/// Published workflows that can be requested.
#[utoipa::path(get, path = "/catalog", tag = "workflows", operation_id = "list_catalog",
    params(CatalogQuery, PageQuery), responses((status = 200, body = TemplatePage)))]
async fn list_catalog(
    State(app): State<App>,
    _caller: Caller,
    ApiQueries((query, page)): ApiQueries<(CatalogQuery, PageQuery)>,
) -> ApiResult<Json<TemplatePage>> {
    let PageQuery { page, page_size } = page;
    let found = app.workflows.catalog(&query.into(), page, page_size).await?;
    Ok(Json(TemplatePage::without_drafts(found, page, page_size)))
}

/// Published workflows that may be embedded in another one.
#[utoipa::path(get, path = "/published-for-embedding", tag = "workflows", operation_id = "list_embeddable_workflows",
    params(EmbeddingQuery), responses((status = 200, body = Embeddings)))]
async fn list_embeddable(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<EmbeddingQuery>,
) -> ApiResult<Json<Embeddings>> {
    let found = app
        .workflows
        .embeddable(&caller, query.exclude_workflow_id.as_deref())
        .await?;
    Ok(Json(found.into()))
}

/// A workflow; people who may not design see its newest published definition.
#[utoipa::path(get, path = "/{workflow_id}", tag = "workflows", operation_id = "get_workflow",
    params(("workflow_id" = String, Path)), responses((status = 200, body = TemplateView)))]
async fn get_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Versioned<TemplateView>> {
    let template = app.workflows.get(&caller, &id).await?;
    Ok(Versioned {
        version: template.version,
        body: template.into(),
    })
}

/// Saves the draft, whether or not it could be published.
#[utoipa::path(put, path = "/{workflow_id}/draft", tag = "workflows", operation_id = "save_workflow_draft",
    params(("workflow_id" = String, Path)), request_body = SaveDraft, responses((status = 200, body = DraftSavedView)))]
async fn save_draft(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    if_match: IfMatch,
    ApiJson(body): ApiJson<SaveDraft>,
) -> ApiResult<Versioned<DraftSavedView>> {
    let expected = expected(if_match, body.expected_version);
    let saved = app
        .workflows
        .save_draft(&caller, &id, &body.definition, body.change_summary, expected)
        .await?;
    Ok(Versioned {
        version: saved.template.version,
        body: saved.into(),
    })
}

/// Checks the stored draft.
#[utoipa::path(post, path = "/{workflow_id}/validate", tag = "workflows", operation_id = "validate_workflow",
    params(("workflow_id" = String, Path)), responses((status = 200, body = ValidationView)))]
async fn validate_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<ValidationView>> {
    let report = app.workflows.validate(&caller, &id).await?;
    Ok(Json(report.into()))
}

/// Publishes the draft; without changes the newest version is the answer again.
#[utoipa::path(post, path = "/{workflow_id}/publish", tag = "workflows", operation_id = "publish_workflow",
    params(("workflow_id" = String, Path)), request_body = Option<Expectation>,
    responses((status = 200, body = Published)))]
async fn publish_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    if_match: IfMatch,
    OptionalJson(body): OptionalJson<Expectation>,
) -> ApiResult<Json<Published>> {
    let expected = expected(if_match, body.and_then(|body| body.expected_version));
    let version = app.workflows.publish(&caller, &id, expected).await?;
    Ok(Json(Published {
        workflow_version_id: version.id.to_string(),
        version: version.version_number,
    }))
}

/// Published versions, the newest first.
#[utoipa::path(get, path = "/{workflow_id}/versions", tag = "workflows", operation_id = "list_workflow_versions",
    params(("workflow_id" = String, Path), PageQuery), responses((status = 200, body = VersionPage)))]
async fn list_versions(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> ApiResult<Json<VersionPage>> {
    let versions = app
        .workflows
        .versions(&caller, &id, page.page, page.page_size)
        .await?;
    Ok(Json(VersionPage::of(versions, page.page, page.page_size)))
}

/// One published version.
#[utoipa::path(get, path = "/{workflow_id}/versions/{version_number}", tag = "workflows",
    operation_id = "get_workflow_version",
    params(("workflow_id" = String, Path), ("version_number" = i32, Path)),
    responses((status = 200, body = VersionView)))]
async fn get_version(
    State(app): State<App>,
    caller: Caller,
    ApiPath((id, number)): ApiPath<(String, i32)>,
) -> ApiResult<Json<VersionView>> {
    let version = app.workflows.version(&caller, &id, number).await?;
    Ok(Json(version.into()))
}

/// The forms that raise a ticket.
#[utoipa::path(get, path = "/{workflow_id}/initial-forms", tag = "workflows", operation_id = "get_initial_forms",
    params(("workflow_id" = String, Path)), responses((status = 200, body = InitialForms)))]
async fn get_initial_forms(
    State(app): State<App>,
    _caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<InitialForms>> {
    let chain = app.workflows.initial_forms(&id).await?;
    Ok(Json(chain.into()))
}

/// The forms from a step of a version on.
#[utoipa::path(get, path = "/{workflow_id}/versions/{version_number}/consecutive-forms/{step_id}", tag = "workflows",
    operation_id = "get_consecutive_forms",
    params(("workflow_id" = String, Path), ("version_number" = i32, Path), ("step_id" = String, Path)),
    responses((status = 200, body = ConsecutiveForms)))]
async fn get_consecutive_forms(
    State(app): State<App>,
    _caller: Caller,
    ApiPath((id, number, step)): ApiPath<(String, i32, String)>,
) -> ApiResult<Json<ConsecutiveForms>> {
    let chain = app.workflows.consecutive_forms(&id, number, &step).await?;
    Ok(Json(chain.into()))
}

/// Changes name, description, category or tags.
#[utoipa::path(patch, path = "/{workflow_id}/metadata", tag = "workflows", operation_id = "rename_workflow",
    params(("workflow_id" = String, Path)), request_body = RenameWorkflow,
    responses((status = 200, body = TemplateView)))]
async fn rename_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    if_match: IfMatch,
    ApiJson(body): ApiJson<RenameWorkflow>,
) -> ApiResult<Versioned<TemplateView>> {
    let expected = expected(if_match, body.expected_version);
    let template = app.workflows.rename(&caller, &id, body.into(), expected).await?;
    Ok(Versioned {
        version: template.version,
        body: template.into(),
    })
}

/// Removes a workflow that was never published, archives any other one.
#[utoipa::path(delete, path = "/{workflow_id}", tag = "workflows", operation_id = "delete_workflow",
    params(("workflow_id" = String, Path)), responses((status = 204)))]
async fn delete_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<StatusCode> {
    app.workflows.delete(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hides a workflow from the catalog; running tickets go on.
#[utoipa::path(post, path = "/{workflow_id}/archive", tag = "workflows", operation_id = "archive_workflow",
    params(("workflow_id" = String, Path)), responses((status = 200, body = TemplateView)))]
async fn archive_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<TemplateView>> {
    let template = app.workflows.archive(&caller, &id).await?;
    Ok(Json(template.into()))
}

/// Shows an archived workflow again.
#[utoipa::path(post, path = "/{workflow_id}/unarchive", tag = "workflows", operation_id = "unarchive_workflow",
    params(("workflow_id" = String, Path)), responses((status = 200, body = TemplateView)))]
async fn unarchive_workflow(
    State(app): State<App>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<Json<TemplateView>> {
    let template = app.workflows.unarchive(&caller, &id).await?;
    Ok(Json(template.into()))
}
