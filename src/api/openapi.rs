//! The OpenAPI document, derived from the handlers.

use super::envelope::{ErrorBody, LookupErrorBody};
use axum::http::StatusCode;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Workflow Ops",
        description = "Workflows, approvals, tasks and tickets.\n\nSend `Authorization: Bearer <token>` with every call; \
            in development `POST /dev/token` gives tokens. Every answer carries `X-Correlation-Id`; quote it when \
            something goes wrong. Errors have one form, see the schema `ErrorBody`."
    ),
    components(schemas(ErrorBody, LookupErrorBody)),
    security(("bearer" = [])),
    modifiers(&BearerScheme)
)]
struct Base;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, document: &mut Document) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some("JWT".to_owned());
        scheme.description = Some("An access token; in development one of `POST /dev/token`.".to_owned());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// What the document says of the service as a whole.
pub fn base() -> Document {
    Base::openapi()
}

/// Adds to every operation the errors that any of them can answer.
pub fn finish(mut document: Document) -> Document {
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.patch,
        ];
        for operation in operations.into_iter().flatten() {
            add_errors(operation);
        }
    }
    document
}

/// `401` where a token is needed, and `default` for everything else that can go wrong.
fn add_errors(operation: &mut Operation) {
    let is_public = operation.security.is_some();
    if !is_public {
        add(operation, "401", "No or no valid token");
        add(operation, "403", "The caller lacks the right");
    }
    if operation.request_body.is_some() || operation.parameters.is_some() {
        add(
            operation,
            "400",
            "Parameters or body are not valid; every failing field is listed",
        );
    }
    add(operation, "default", "Any other error");
    describe(operation);
}

/// Every response must have a description; handlers name one only where there is more to say than the status does.
fn describe(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let reason = status
                .parse()
                .ok()
                .and_then(|code| StatusCode::from_u16(code).ok());
            let text = reason
                .and_then(|code| code.canonical_reason())
                .unwrap_or("Answer");
            text.clone_into(&mut response.description);
        }
    }
}

fn add(operation: &mut Operation, status: &str, text: &str) {
    let schema = RefOr::Ref(Ref::from_schema_name("ErrorBody"));
    let response = ResponseBuilder::new()
        .description(text)
        .content("application/json", Content::new(Some(schema)))
        .build();
    let responses = &mut operation.responses.responses;
    responses.entry(status.to_owned()).or_insert(RefOr::T(response));
}

/// The whole document.
pub fn document() -> Document {
    finish(super::router::routes().into_openapi())
}

/// The whole document as JSON text.
///
/// # Errors
/// It cannot be written as JSON, which would be a defect.
pub fn document_json() -> anyhow::Result<String> {
    Ok(document().to_pretty_json()?)
}
