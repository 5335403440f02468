//! What the attachment routes take and answer.

use crate::api::envelope::{ApiError, ErrorObject, describe, plain_error};
use crate::api::schema::optional_words;
use crate::api::view::content_disposition;
use crate::api::view::wire_time::wire_time;
use crate::clients::object_store::FileReader;
use crate::domain::error::ErrorCode;
use crate::domain::stored_file::{FileContext, StoredFile};
use crate::services::attachments::ChangeFile;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use garde::Validate;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An uploaded file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FileUploaded {
    /// The file's id.
    attachment_id: String,
    /// Its name when it was uploaded.
    original_filename: String,
    /// Its size, in bytes.
    size_bytes: i64,
    /// What kind of file it is, found out from its content.
    mime_type: String,
}

impl From<&StoredFile> for FileUploaded {
    fn from(file: &StoredFile) -> Self {
        Self {
            attachment_id: file.id.to_string(),
            original_filename: file.original_filename.clone(),
            size_bytes: file.size_bytes,
            mime_type: file.mime_type.clone(),
        }
    }
}

/// An uploaded file among several.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct UploadSucceeded {
    /// The file's id.
    attachment_id: String,
    /// Its name when it was uploaded.
    original_filename: String,
    /// Its size, in bytes.
    size_bytes: i64,
    /// What kind of file it is, found out from its content.
    mime_type: String,
    /// Always true.
    success: bool,
}

impl UploadSucceeded {
    pub(super) fn of(file: &StoredFile) -> Self {
        Self {
            attachment_id: file.id.to_string(),
            original_filename: file.original_filename.clone(),
            size_bytes: file.size_bytes,
            mime_type: file.mime_type.clone(),
            success: true,
        }
    }
}

/// Why one of several files was not uploaded.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct UploadFailed {
    filename: String,
    error: UploadError,
    /// Always false.
    success: bool,
}

/// The error of one of several files.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct UploadError {
    error: ErrorObject,
}

impl UploadFailed {
    pub(super) fn of(filename: String, error: &ApiError) -> Self {
        Self {
            filename,
            error: UploadError {
                error: describe(&error.0),
            },
            success: false,
        }
    }
}

/// What became of several files.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(super) struct ManyUploaded {
    attachments: Vec<UploadSucceeded>,
    errors: Vec<UploadFailed>,
    total_uploaded: usize,
    total_failed: usize,
}

impl ManyUploaded {
    pub(super) fn add(&mut self, uploaded: UploadSucceeded) {
        self.attachments.push(uploaded);
        self.total_uploaded += 1;
    }

    pub(super) fn fail(&mut self, failed: UploadFailed) {
        self.errors.push(failed);
        self.total_failed += 1;
    }

    pub(super) const fn len(&self) -> usize {
        self.total_uploaded + self.total_failed
    }
}

/// What is recorded of a file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FileInfo {
    /// The file's id.
    attachment_id: String,
    /// Its name when it was uploaded.
    original_filename: String,
    /// What kind of file it is, found out from its content.
    mime_type: String,
    /// Its size, in bytes.
    size_bytes: i64,
    /// When it was uploaded.
    uploaded_at: String,
}

impl From<&StoredFile> for FileInfo {
    fn from(file: &StoredFile) -> Self {
        Self {
            attachment_id: file.id.to_string(),
            original_filename: file.original_filename.clone(),
            mime_type: file.mime_type.clone(),
            size_bytes: file.size_bytes,
            uploaded_at: wire_time(file.uploaded_at),
        }
    }
}

/// Who uploaded a file.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FileUploader {
    email: String,
    display_name: String,
}

/// A file of a ticket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FileItem {
    /// The file's id.
    attachment_id: String,
    /// Its name when it was uploaded.
    original_filename: String,
    /// What kind of file it is, found out from its content.
    mime_type: String,
    /// Its size, in bytes.
    size_bytes: i64,
    /// When it was uploaded.
    uploaded_at: String,
    uploaded_by: FileUploader,
    /// What it belongs to.
    context: String,
    /// The form's field it was uploaded to.
    field_label: Option<String>,
    /// The same as `ticket_step_id`.
    step_id: Option<String>,
    /// The step it was uploaded at.
    ticket_step_id: Option<String>,
    /// That step's name.
    step_name: Option<String>,
    /// What was written about it.
    description: Option<String>,
}

impl From<&StoredFile> for FileItem {
    fn from(file: &StoredFile) -> Self {
        Self {
            attachment_id: file.id.to_string(),
            original_filename: file.original_filename.clone(),
            mime_type: file.mime_type.clone(),
            size_bytes: file.size_bytes,
            uploaded_at: wire_time(file.uploaded_at),
            uploaded_by: FileUploader {
                email: file.uploaded_by.email.as_str().to_owned(),
                display_name: file.uploaded_by.display_name.clone(),
            },
            context: file.context.as_str().to_owned(),
            field_label: file.field_label.clone(),
            step_id: file.ticket_step_id.clone(),
            ticket_step_id: file.ticket_step_id.clone(),
            step_name: file.step_name.clone(),
            description: file.description.clone(),
        }
    }
}

/// A ticket's files.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct TicketFiles {
    ticket_id: String,
    total_count: usize,
    /// The newest first.
    attachments: Vec<FileItem>,
    /// By where they were given; notes of a named step under `<step name>::<context>`.
    #[schema(value_type = Object)]
    grouped: IndexMap<String, Vec<FileItem>>,
}

impl TicketFiles {
    pub(super) fn of(ticket_id: String, files: &[StoredFile]) -> Self {
        let attachments: Vec<FileItem> = files.iter().map(Into::into).collect();
        let mut grouped: IndexMap<String, Vec<FileItem>> = IndexMap::new();
        for (file, item) in files.iter().zip(&attachments) {
            grouped.entry(group_of(file)).or_default().push(item.clone());
        }
        Self {
            ticket_id,
            total_count: attachments.len(),
            attachments,
            grouped,
        }
    }
}

fn group_of(file: &StoredFile) -> String {
    let context = file.context.as_str();
    match (file.context, &file.step_name) {
        (FileContext::ApprovalNote | FileContext::TaskNote, Some(step)) => format!("{step}::{context}"),
        _ => context.to_owned(),
    }
}

/// A change of what is recorded of a file.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct FileChange {
    /// What the uploader says of it.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// The step it was given on.
    #[garde(length(chars, max = 100))]
    #[schema(max_length = 100)]
    ticket_step_id: Option<String>,
    /// Where it was given.
    #[garde(skip)]
    #[schema(schema_with = optional_words::<FileContext>)]
    context: Option<FileContext>,
    /// The name of the step.
    #[garde(length(chars, max = 500))]
    #[schema(max_length = 500)]
    step_name: Option<String>,
}

impl From<FileChange> for ChangeFile {
    fn from(body: FileChange) -> Self {
        Self {
            description: body.description,
            ticket_step_id: body.ticket_step_id,
            context: body.context,
            step_name: body.step_name,
        }
    }
}

/// What was changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FileChanged {
    attachment_id: String,
    /// Always true.
    updated: bool,
    fields_updated: Vec<String>,
}

impl FileChanged {
    pub(super) fn of(attachment_id: String, names: &[&str]) -> Self {
        Self {
            attachment_id,
            updated: true,
            fields_updated: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// The file is gone.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct FileRemoved {
    message: String,
}

impl FileRemoved {
    pub(super) fn done() -> Self {
        Self {
            message: "Attachment deleted".to_owned(),
        }
    }
}

/// What a download shows of the file's version: its bytes never change, so the checksum names it.
pub(super) fn tag_of(file: &StoredFile) -> String {
    format!("\"{}\"", file.sha256)
}

/// What is read of a file: all of it or a part.
pub(super) enum Extent {
    /// All bytes.
    Whole,
    /// The part that the client asked for.
    Part,
}

/// A file's bytes with headers that keep a browser from running them.
pub(super) fn bytes_of(file: &StoredFile, reader: FileReader, extent: &Extent) -> Response<Body> {
    let mut response = Response::new(Body::from_stream(reader.bytes));
    let mime = if file.mime_type.starts_with("text/") {
        format!("{}; charset=utf-8", file.mime_type)
    } else {
        file.mime_type.clone()
    };
    let length = reader.range.end.saturating_sub(reader.range.start).to_string();
    let texts: [(HeaderName, &str); 9] = [
        (header::CONTENT_TYPE, &mime),
        (header::CONTENT_LENGTH, &length),
        (
            header::CONTENT_DISPOSITION,
            &content_disposition::attachment(&file.original_filename),
        ),
        (header::ETAG, &tag_of(file)),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "Content-Disposition, Content-Length, Content-Range",
        ),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    }
    if matches!(extent, Extent::Part) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = reader.range.end.saturating_sub(1);
        set_content_range(
            &mut response,
            &format!("bytes {}-{last}/{}", reader.range.start, reader.size),
        );
    }
    response
}

/// The answer to a range that begins behind the end of the file.
pub(super) fn no_such_bytes(size: u64) -> Response<Body> {
    let text = "the file has no such bytes";
    let mut response = plain_error(
        StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorCode::ValidationError,
        text,
    );
    set_content_range(&mut response, &format!("bytes */{size}"));
    response
}

fn set_content_range(response: &mut Response<Body>, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
}
