//! The people of `config/people.json`: the directory of development and tests, and the subjects of the local issuer.

use crate::domain::person::{AdminRole, Email, Person, Personas};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// The same people inside the program, for a start outside of the project's folder.
const BUILT_IN: &str = include_str!("../../config/people.json");

/// A person of the development organisation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevelopmentPerson {
    /// The directory's object id; stable, because tokens and stored tickets name it.
    pub aad_id: String,
    /// The address.
    pub email: Email,
    /// The name.
    pub display_name: String,
    /// What the person does.
    pub job_title: String,
    /// Where the person works.
    pub department: String,
    /// The manager's address; absent at the top.
    pub manager_email: Option<Email>,
    /// The personas that seeding grants.
    pub personas: BTreeSet<SeedPersona>,
    /// The administrator's role that seeding grants.
    pub admin_role: Option<AdminRole>,
}

/// A persona in the people file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedPersona {
    /// May design workflows.
    Designer,
    /// Sees the manager's screens.
    Manager,
    /// Sees the agent's screens.
    Agent,
}

impl DevelopmentPerson {
    /// The person as records show them.
    pub fn to_person(&self) -> Person {
        Person {
            aad_id: Some(self.aad_id.clone()),
            email: self.email.clone(),
            display_name: self.display_name.clone(),
            role_at_time: None,
            manager_email: self.manager_email.clone(),
        }
    }

    /// The personas that seeding grants.
    pub fn granted_personas(&self) -> Personas {
        Personas {
            designer: self.personas.contains(&SeedPersona::Designer),
            manager: self.personas.contains(&SeedPersona::Manager),
            agent: self.personas.contains(&SeedPersona::Agent),
        }
    }
}

/// The development organisation.
#[derive(Debug, Clone)]
pub struct DevelopmentDirectory {
    people: Vec<DevelopmentPerson>,
}

/// Why the people file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the people file {path} is not usable: {reason}")]
pub struct PeopleFileError {
    path: String,
    reason: String,
}

impl DevelopmentDirectory {
    /// Reads the people of `file`, or the ones built in when there is no such file.
    ///
    /// # Errors
    /// The file cannot be read, is malformed, or names people twice or managers it does not list.
    pub fn load(file: &Path) -> Result<Self, PeopleFileError> {
        let refuse = |reason: String| PeopleFileError {
            path: file.display().to_string(),
            reason,
        };
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BUILT_IN.to_owned(),
            Err(error) => return Err(refuse(error.to_string())),
        };
        Self::parse(&text).map_err(refuse)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let people: Vec<DevelopmentPerson> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let directory = Self { people };
        directory.check()?;
        Ok(directory)
    }

    fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for person in &self.people {
            Email::try_from(person.email.as_str()).map_err(|_| format!("{} is no address", person.email))?;
            if !seen.insert(person.email.key()) || !seen.insert(person.aad_id.clone()) {
                return Err(format!("{} is listed twice", person.email));
            }
            if let Some(manager) = &person.manager_email
                && self.by_email(manager).is_none()
            {
                return Err(format!("{manager}, a manager, is not listed"));
            }
        }
        Ok(())
    }

    /// Everybody, in the order of the file.
    pub fn people(&self) -> &[DevelopmentPerson] {
        &self.people
    }

    /// The person with this address, without regard to case.
    pub fn by_email(&self, email: &Email) -> Option<&DevelopmentPerson> {
        self.people.iter().find(|person| person.email == *email)
    }

    /// The person with this object id.
    pub fn by_id(&self, aad_id: &str) -> Option<&DevelopmentPerson> {
        self.people.iter().find(|person| person.aad_id == aad_id)
    }

    /// The manager of the person with this address.
    pub fn manager_of(&self, email: &Email) -> Option<&DevelopmentPerson> {
        let manager = self.by_email(email)?.manager_email.as_ref()?;
        self.by_email(manager)
    }

    /// People whose name or address contains `text`, without regard to case; at most `limit`.
    pub fn search(&self, text: &str, limit: usize) -> Vec<&DevelopmentPerson> {
        let wanted = text.trim().to_lowercase();
        let matches = |person: &&DevelopmentPerson| {
            person.display_name.to_lowercase().contains(&wanted) || person.email.key().contains(&wanted)
        };
        self.people.iter().filter(matches).take(limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_organisation_is_complete() {
        let directory = DevelopmentDirectory::parse(BUILT_IN).unwrap();
        assert!(directory.people().len() >= 12);
        let ann = Email::try_from("Ann.Lee@example.com").unwrap();
        assert_eq!(directory.manager_of(&ann).unwrap().display_name, "Mark Stone");
        assert!(
            directory
                .people()
                .iter()
                .any(|person| person.admin_role == Some(AdminRole::SuperAdmin))
        );
        assert_eq!(directory.search("zoë", 5).len(), 1);
    }

    #[test]
    fn a_manager_that_is_not_listed_is_refused() {
        let text = r#"[{"aad_id":"1","email":"a@b.example","display_name":"A","job_title":"","department":"",
            "manager_email":"x@b.example","personas":[],"admin_role":null}]"#;
        assert!(
            DevelopmentDirectory::parse(text)
                .unwrap_err()
                .contains("x@b.example")
        );
    }
}
