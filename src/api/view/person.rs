//! A person as recorded at some moment.

use crate::domain::person::Person;
use serde::Serialize;
use utoipa::ToSchema;

/// A person (contract http-tickets 2.4); all five keys are always present.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserSnapshot {
    /// The directory's object id, when known.
    pub aad_id: Option<String>,
    /// The address.
    pub email: String,
    /// A name to show.
    pub display_name: String,
    /// The part the person played then.
    pub role_at_time: Option<String>,
    /// The address of the person's manager, when known.
    pub manager_email: Option<String>,
}

impl From<&Person> for UserSnapshot {
    fn from(person: &Person) -> Self {
        Self {
            aad_id: person.aad_id.clone(),
            email: person.email.as_str().to_owned(),
            display_name: person.display_name.clone(),
            role_at_time: person.role_at_time.clone(),
            manager_email: person
                .manager_email
                .as_ref()
                .map(|email| email.as_str().to_owned()),
        }
    }
}
