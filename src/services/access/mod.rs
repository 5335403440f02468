//! Who may do what beside tickets: personas, administrators, their audit log, and the bootstrap of the first one.
//!
//! Invariant: every change of a right is one small transaction with its audit row.

mod admins;
mod audit;
mod bootstrap;
mod personas;
mod roles;

pub use admins::GrantAdmin;
pub use audit::AuditQuery;
pub use bootstrap::{BootstrapLogin, SetupRequest, SetupStatus};
pub use personas::{GrantPersonas, PersonaFlags};
pub use roles::AccessService;

use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::{Email, Person};
use crate::repositories::mongo::{WriteFault, classify};
use crate::repositories::transaction::TransactionFault;
use serde_json::{Map, json};

/// Who makes a change, and from where; for the audit row.
#[derive(Debug, Clone)]
pub struct ChangedBy {
    /// Who.
    pub person: Person,
    /// From where, as far as trusted proxies name it.
    pub ip_address: Option<String>,
}

impl ChangedBy {
    /// The operator at the command line.
    pub fn operator() -> Self {
        let nameless = Person::from_email(Email::from_stored("operator@workflow-ops.invalid"));
        Self {
            person: Person {
                display_name: "Operator (command line)".to_owned(),
                ..nameless
            },
            ip_address: None,
        }
    }
}

/// Only administrators.
///
/// # Errors
/// [`ServiceError::Forbidden`].
pub fn require_admin(actor: &crate::domain::person::Actor) -> Result<(), ServiceError> {
    if actor.is_admin() {
        return Ok(());
    }
    Err(ServiceError::forbidden("only administrators may do this"))
}

/// Only super administrators.
///
/// # Errors
/// [`ServiceError::Forbidden`].
pub fn require_super_admin(actor: &crate::domain::person::Actor) -> Result<(), ServiceError> {
    if actor.admin_role == Some(crate::domain::person::AdminRole::SuperAdmin) {
        return Ok(());
    }
    Err(ServiceError::forbidden("only super administrators may do this"))
}

/// What a record that could not be written means: its object id stands in another one.
fn of_record(error: mongodb::error::Error) -> TransactionFault {
    if classify(&error) != WriteFault::DuplicateKey {
        return error.into();
    }
    let text = "this person has a record under another address already; change that one";
    ServiceError::conflict(ErrorCode::Conflict, text).into()
}

/// A fault of one field that is known only after looking (contract http-admin-notifications 6).
fn refused_field(field: &str, message: &str) -> ServiceError {
    ServiceError::BadRequest {
        code: ErrorCode::ValidationError,
        message: message.to_owned(),
        details: Map::from_iter([("field".to_owned(), json!(field))]),
    }
}
