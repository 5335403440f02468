//! The OpenAPI document, derived from the handlers.

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

#[derive(OpenApi)]
#[openapi(info(
    title = "Workflow Ops",
    description = "Workflows, approvals, tasks and tickets."
))]
struct Base;

/// What the document says of the service as a whole.
pub fn base() -> Document {
    Base::openapi()
}

/// The whole document.
pub fn document() -> Document {
    super::router::routes().into_openapi()
}

/// The whole document as JSON text.
///
/// # Errors
/// It cannot be written as JSON, which would be a defect.
pub fn document_json() -> anyhow::Result<String> {
    Ok(document().to_pretty_json()?)
}
