//! The OpenAPI document, derived from the handlers.
//!
//! A handler says what it answers when all goes well and what is its own; what every operation of its kind can answer
//! besides (`COMMON_ERRORS`) and the headers that every operation of its kind reads are added here, in one place.

use super::envelope::{ErrorBody, LookupErrorBody};
use super::{links, parameters};
use axum::http::StatusCode;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Required, Response, ResponseBuilder};
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

/// Adds to every operation what all operations of its kind have: headers, errors, and links to what can be done next.
pub fn finish(mut document: Document) -> Document {
    for item in document.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            let kind = Kind::of(method, operation);
            add_headers(operation, &kind);
            for error in COMMON_ERRORS.iter().filter(|error| (error.is_answered_by)(&kind)) {
                error.add_to(operation, &kind);
            }
            parameters::describe(operation);
            describe(operation);
        }
    }
    links::add(&mut document);
    document
}

/// The operations of a path with their methods.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Verb, &mut Operation)> {
    let all = [
        (Verb::Get, &mut item.get),
        (Verb::Post, &mut item.post),
        (Verb::Change, &mut item.put),
        (Verb::Change, &mut item.patch),
        (Verb::Change, &mut item.delete),
    ];
    all.into_iter()
        .filter_map(|(verb, operation)| operation.as_mut().map(|operation| (verb, operation)))
}

/// What a method is to clients: a read, an action that a repeated `Idempotency-Key` carries out once, or another change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Change,
}

/// What decides which errors an operation has.
struct Kind {
    verb: Verb,
    is_public: bool,
    is_health: bool,
    has_input: bool,
    has_body: bool,
    reads_version: bool,
    family: String,
}

impl Kind {
    fn of(verb: Verb, operation: &Operation) -> Self {
        let family = operation
            .tags
            .iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or_default();
        let named = operation.operation_id.as_deref().unwrap_or_default();
        let is_public = operation.security.is_some();
        let is_command = matches!(family.as_str(), "tickets" | "change requests");
        Self {
            verb,
            is_public,
            is_health: family == "health",
            has_input: operation.request_body.is_some()
                || operation.parameters.is_some()
                || verb == Verb::Post,
            has_body: operation.request_body.is_some(),
            reads_version: (verb != Verb::Get && is_command && named != "create_ticket")
                || WITH_IF_MATCH.contains(&named),
            family,
        }
    }

    /// Whether something else than our own database is asked.
    fn asks_others(&self) -> bool {
        matches!(
            self.family.as_str(),
            "attachments" | "directory" | "genai" | "assistant"
        )
    }
}

/// Operations on other documents than tickets that read `If-Match`.
const WITH_IF_MATCH: [&str; 4] = [
    "save_workflow_draft",
    "publish_workflow",
    "rename_workflow",
    "change_lookup",
];

/// An error that every operation of some kind can answer.
struct CommonError {
    status: StatusCode,
    text: &'static str,
    is_answered_by: fn(&Kind) -> bool,
}

/// The statuses of `envelope::status`, and who answers them.
const COMMON_ERRORS: [CommonError; 13] = [
    CommonError {
        status: StatusCode::BAD_REQUEST,
        text: "Parameters or body are not valid; every failing field is listed",
        is_answered_by: |kind| kind.has_input,
    },
    CommonError {
        status: StatusCode::UNAUTHORIZED,
        text: "No or no valid token",
        is_answered_by: |kind| !kind.is_public,
    },
    CommonError {
        status: StatusCode::FORBIDDEN,
        text: "The caller lacks the right",
        is_answered_by: |kind| !kind.is_public,
    },
    CommonError {
        status: StatusCode::NOT_FOUND,
        text: "What the request names does not exist",
        is_answered_by: |kind| !kind.is_public && kind.has_input,
    },
    CommonError {
        status: StatusCode::CONFLICT,
        text: "Not in this state, or not together with a change that came first",
        is_answered_by: |kind| !kind.is_public && kind.verb != Verb::Get,
    },
    CommonError {
        status: StatusCode::PRECONDITION_FAILED,
        text: "The document is no longer the version of `If-Match`",
        is_answered_by: |kind| kind.reads_version,
    },
    CommonError {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        text: "The body is larger than this operation takes",
        is_answered_by: |kind| kind.has_body,
    },
    CommonError {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        text: "The `Idempotency-Key` was used with another body",
        is_answered_by: |kind| !kind.is_public && kind.verb == Verb::Post,
    },
    CommonError {
        status: StatusCode::TOO_MANY_REQUESTS,
        text: "Too many requests, of this person or of all",
        is_answered_by: |kind| !kind.is_health,
    },
    CommonError {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        text: "A defect of this service",
        is_answered_by: |_| true,
    },
    CommonError {
        status: StatusCode::BAD_GATEWAY,
        text: "A service behind this one does not do its part",
        is_answered_by: Kind::asks_others,
    },
    CommonError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "Busy, or the database is unavailable; nothing was done, or a repeat under the same key tells",
        is_answered_by: |_| true,
    },
    CommonError {
        status: StatusCode::NOT_MODIFIED,
        text: "Unchanged since the answer that `If-None-Match` names",
        is_answered_by: |kind| kind.verb == Verb::Get,
    },
];

impl CommonError {
    fn add_to(&self, operation: &mut Operation, kind: &Kind) {
        let status = self.status.as_str().to_owned();
        let responses = &mut operation.responses.responses;
        responses
            .entry(status)
            .or_insert_with(|| RefOr::T(self.response(kind)));
    }

    fn response(&self, kind: &Kind) -> Response {
        let response = ResponseBuilder::new().description(self.text);
        let text = |text: &str| {
            let schema = ObjectBuilder::new().schema_type(Type::String);
            HeaderBuilder::new()
                .schema(Some(schema))
                .description(Some(text))
                .build()
        };
        let response = match self.status {
            StatusCode::UNAUTHORIZED => response.header("WWW-Authenticate", text("The scheme to sign in by")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                response.header("Retry-After", text("Seconds to wait"))
            }
            StatusCode::PRECONDITION_FAILED => response.header("ETag", text("The version it is now")),
            _ => response,
        };
        if self.status == StatusCode::NOT_MODIFIED {
            return response.build();
        }
        let schema = error_body(self.status, &kind.family);
        response
            .content("application/json", Content::new(Some(schema)))
            .build()
    }
}

/// The body of an error: lookup routes keep `detail` a text where the error is not one that all routes share.
fn error_body(status: StatusCode, family: &str) -> RefOr<Schema> {
    let common = Ref::from_schema_name("ErrorBody");
    if family != "lookups" || status == StatusCode::UNAUTHORIZED {
        return RefOr::Ref(common);
    }
    let either = OneOfBuilder::new()
        .item(Ref::from_schema_name("LookupErrorBody"))
        .item(common);
    RefOr::T(either.build().into())
}

/// The headers that every operation of a kind reads.
fn add_headers(operation: &mut Operation, kind: &Kind) {
    let parameters = operation.parameters.get_or_insert_default();
    if kind.verb == Verb::Post && !kind.is_public {
        let text = "Names this action: a repeat under the same key is answered as the first time, and not done again";
        parameters.push(header("Idempotency-Key", text, Some("^[!-~]{1,255}$")));
    }
    if kind.reads_version {
        let text = "The version that the change is based on, quoted; it is refused when there is a newer one";
        parameters.push(header("If-Match", text, Some("^[ -~]*$")));
    }
    if kind.verb == Verb::Get {
        let text = "The `ETag` of the answer that the caller has";
        parameters.push(header("If-None-Match", text, None));
    }
    if parameters.is_empty() {
        operation.parameters = None;
    }
}

fn header(name: &str, text: &str, pattern: Option<&str>) -> RefOr<Parameter> {
    let schema = ObjectBuilder::new().schema_type(Type::String).pattern(pattern);
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(schema));
    RefOr::T(parameter.build())
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
