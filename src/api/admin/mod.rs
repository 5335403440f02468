//! `/admin`: access rights, the set-up of the first administrator, the audit log, mails, wordings, configuration and
//! health.

mod access;
mod admins;
mod agent_metrics;
mod audit_log;
mod bootstrap;
mod config;
mod dashboard;
mod email_templates;
mod health;
mod import_findings;
mod notifications;
mod ticket_audit;
mod user_access;

use super::extract::{Caller, ClientAddress};
use crate::app::App;
use crate::domain::error::ServiceError;
use crate::domain::person::Email;
use crate::services::access::ChangedBy;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(access::router())
        .merge(bootstrap::router())
        .merge(admins::router())
        .merge(user_access::router())
        .merge(audit_log::router())
        .merge(notifications::router())
        .merge(email_templates::router())
        .merge(config::router())
        .merge(health::router())
        .merge(agent_metrics::router())
        .merge(dashboard::router())
        .merge(ticket_audit::router())
        .merge(import_findings::router())
}

/// That it was done.
#[derive(Debug, Serialize, ToSchema)]
struct Done {
    /// What was done, for people.
    message: String,
}

/// Who makes a change, for its audit row.
fn changed_by(caller: &Caller, address: ClientAddress) -> ChangedBy {
    ChangedBy {
        person: caller.person.clone(),
        ip_address: address.0.map(|address| address.to_string()),
    }
}

/// An address of a body.
fn body_email(text: &str) -> Result<Email, ServiceError> {
    Email::try_from(text).map_err(|error| ServiceError::invalid_field("email", error.to_string()))
}

/// An address of a path; nobody has one that is malformed.
fn path_email(text: &str) -> Email {
    Email::try_from(text).unwrap_or_else(|_| Email::from_stored(text))
}
