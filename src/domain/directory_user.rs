//! A person as a directory describes one.

use super::person::{Email, Person};

/// What a directory says of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    /// The directory's object id; absent for people known only here.
    pub aad_id: Option<String>,
    /// The address.
    pub email: Email,
    /// The name, never empty.
    pub display_name: String,
    /// What the person does.
    pub job_title: Option<String>,
    /// Where the person works.
    pub department: Option<String>,
    /// The address of the person's manager, when it is known without asking.
    pub manager_email: Option<Email>,
}

impl DirectoryUser {
    /// The person as tickets record it.
    pub fn to_person(&self) -> Person {
        Person {
            aad_id: self.aad_id.clone(),
            email: self.email.clone(),
            display_name: self.display_name.clone(),
            role_at_time: None,
            manager_email: self.manager_email.clone(),
        }
    }
}

impl From<&Person> for DirectoryUser {
    fn from(person: &Person) -> Self {
        Self {
            aad_id: person.aad_id.clone(),
            email: person.email.clone(),
            display_name: person.display_name.clone(),
            job_title: None,
            department: None,
            manager_email: person.manager_email.clone(),
        }
    }
}
