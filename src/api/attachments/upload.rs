//! Uploads: `multipart/form-data` whose parts stream into the store; everything else is in the query string.

use super::view::{FileUploaded, ManyUploaded, UploadFailed, UploadSucceeded};
use crate::api::envelope::{ApiError, ApiResult};
use crate::api::extract::{ApiQuery, Caller, IdempotencyKey};
use crate::api::schema::Word;
use crate::app::App;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::stored_file::FileContext;
use crate::services::attachments::NewFile;
use axum::Json;
use axum::extract::multipart::{Field, MultipartRejection};
use axum::extract::{DefaultBodyLimit, Multipart, State};
use garde::Validate;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Files of one request.
const FILES: usize = 20;
/// Parts of one request that are looked at, files or not.
const PARTS: usize = 100;
/// No body is larger, whatever administrators allow for one file, in bytes.
const MAX_BODY: usize = 2 << 30;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(upload_file))
        .routes(routes!(upload_files))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

type ContextWord = Word<FileContext>;

/// Where a file belongs.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct UploadQuery {
    /// The ticket, when there is one already.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    ticket_id: Option<String>,
    /// The step it is given on.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    ticket_step_id: Option<String>,
    /// Where it is given: `ticket`, `form`, `form_field`, `info_request`, `requester_note`, `approval_note`, `task_note`.
    #[garde(skip)]
    #[param(value_type = Option<ContextWord>, inline)]
    context: Option<FileContext>,
    /// The label of the field it is given in.
    #[garde(length(chars, max = 500))]
    #[param(max_length = 500)]
    field_label: Option<String>,
    /// The name of the step.
    #[garde(length(chars, max = 500))]
    #[param(max_length = 500)]
    step_name: Option<String>,
}

impl UploadQuery {
    fn new_file(&self, field: &Field<'_>, key: Option<&String>, place: usize) -> NewFile {
        NewFile {
            ticket_id: self.ticket_id.clone(),
            ticket_step_id: self.ticket_step_id.clone(),
            step_name: self.step_name.clone(),
            field_label: self.field_label.clone(),
            context: self.context.unwrap_or(FileContext::Ticket),
            filename: field.file_name().unwrap_or_default().to_owned(),
            declared_type: field.content_type().unwrap_or_default().to_owned(),
            marked: key.map(|key| (key.clone(), place)),
        }
    }
}

/// The form of one upload.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only describes the form in the OpenAPI document")]
struct UploadForm {
    /// The file.
    #[schema(format = Binary, value_type = String)]
    file: Vec<u8>,
}

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(format = Binary)]
#[expect(dead_code, reason = "only describes the form in the OpenAPI document")]
struct Bytes(String);

/// The form of several uploads.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only describes the form in the OpenAPI document")]
struct UploadManyForm {
    /// The files, at most 20.
    #[schema(value_type = Vec<Bytes>, min_items = 1, max_items = 20)]
    files: Vec<Vec<u8>>,
}

/// Uploads one file, the part `file`.
#[utoipa::path(post, path = "/upload", tag = "attachments", operation_id = "upload_attachment", params(UploadQuery),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = FileUploaded)))]
async fn upload_file(
    State(app): State<App>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    ApiQuery(query): ApiQuery<UploadQuery>,
    form: Result<Multipart, MultipartRejection>,
) -> ApiResult<Json<FileUploaded>> {
    let mut form = form.map_err(|_| no_form())?;
    for _ in 0..PARTS {
        let Some(field) = form.next_field().await.map_err(|error| broken(&error))? else {
            break;
        };
        if field.name() == Some("file") {
            let new = query.new_file(&field, key.as_ref(), 0);
            let uploaded = app.attachments.upload(&caller, new, field).await?;
            return Ok(Json((&uploaded.file).into()));
        }
    }
    Err(ServiceError::invalid_field("file", "Field required").into())
}

/// Uploads several files, the parts `files`; each succeeds or fails for itself.
#[utoipa::path(post, path = "/upload-multiple", tag = "attachments", operation_id = "upload_attachments",
    params(UploadQuery), request_body(content = UploadManyForm, content_type = "multipart/form-data"),
    responses((status = 200, body = ManyUploaded)))]
async fn upload_files(
    State(app): State<App>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    ApiQuery(query): ApiQuery<UploadQuery>,
    form: Result<Multipart, MultipartRejection>,
) -> ApiResult<Json<ManyUploaded>> {
    let mut form = form.map_err(|_| no_form())?;
    let mut many = ManyUploaded::default();
    for _ in 0..PARTS {
        let Some(field) = form.next_field().await.map_err(|error| broken(&error))? else {
            break;
        };
        if field.name() != Some("files") {
            continue;
        }
        if many.len() >= FILES {
            let text = format!("at most {FILES} files can be uploaded at once");
            return Err(ServiceError::bad_request(ErrorCode::AttachmentError, text).into());
        }
        // Places count from 1, so that a key means the same upload by either route only if it is the same.
        let new = query.new_file(&field, key.as_ref(), many.len() + 1);
        let filename = new.filename.clone();
        match app.attachments.upload(&caller, new, field).await {
            Ok(uploaded) => many.add(UploadSucceeded::of(&uploaded.file)),
            Err(error @ ServiceError::IdempotencyKeyReused) => return Err(error.into()),
            Err(error) => many.fail(UploadFailed::of(filename, &ApiError(error))),
        }
    }
    if many.len() == 0 {
        return Err(ServiceError::invalid_field("files", "Field required").into());
    }
    Ok(Json(many))
}

fn no_form() -> ApiError {
    ServiceError::bad_request(ErrorCode::ValidationError, "the body must be multipart/form-data").into()
}

fn broken(error: &axum::extract::multipart::MultipartError) -> ApiError {
    tracing::debug!(error = %error, "a form could not be read");
    ServiceError::bad_request(ErrorCode::ValidationError, "the form cannot be read").into()
}
