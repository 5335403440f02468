//! `/ai-chat`: the assistant (contract http-workflows 8). Nothing here changes a ticket.

mod chat;
mod explanation;
mod reports;

use crate::app::App;
use crate::domain::conversation::Persona;
use crate::domain::error::{FieldError, ServiceError};
use crate::services::assistant::Citation;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(chat::ask_assistant))
        .routes(routes!(chat::get_conversation))
        .routes(routes!(chat::clear_conversation))
        .routes(routes!(reports::get_briefing))
        .routes(routes!(reports::get_full_analysis))
        .routes(routes!(reports::get_insights))
        .routes(routes!(reports::get_stats))
        .routes(routes!(reports::get_suggested_prompts))
        .routes(routes!(explanation::explain_ticket))
}

/// A ticket that an answer is based on; the caller may see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct CitationView {
    /// The ticket.
    #[schema(example = "TKT-0123456789ab")]
    ticket_id: String,
    /// Its title.
    title: String,
}

impl From<Citation> for CitationView {
    fn from(cite: Citation) -> Self {
        Self {
            ticket_id: cite.ticket_id.to_string(),
            title: cite.title,
        }
    }
}

/// The name of a persona, in any case.
#[derive(ToSchema)]
#[schema(
    max_length = 50,
    pattern = r"^([Rr][Ee][Qq][Uu][Ee][Ss][Tt][Ee][Rr]|[Aa][Gg][Ee][Nn][Tt]|[Mm][Aa][Nn][Aa][Gg][Ee][Rr]|[Dd][Ee][Ss][Ii][Gg][Nn][Ee][Rr]|([Ss][Uu][Pp][Ee][Rr])?[Aa][Dd][Mm][Ii][Nn])$",
    example = "requester"
)]
#[expect(dead_code, reason = "describes texts in the OpenAPI document")]
struct PersonaName(String);

/// The persona named in the `origin` of a request; whether the caller holds it is asked where it is used.
fn persona(origin: &str, name: &str) -> Result<Persona, ServiceError> {
    Persona::named(name).ok_or_else(|| {
        ServiceError::InvalidInput(vec![FieldError {
            location: vec![origin.to_owned(), "persona".to_owned()],
            kind: "enum",
            message: "Input should be requester, agent, manager, designer or admin".to_owned(),
        }])
    })
}
