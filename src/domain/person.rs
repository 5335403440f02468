//! People: who somebody is, when two records are the same person, and who calls.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The text is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid e-mail address")]
pub struct MalformedEmail;

/// An e-mail address: shown as given with the domain in lower case, compared without regard to case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Longest address accepted, in bytes (RFC 5321 section 4.5.3.1.3).
    pub const MAX_LEN: usize = 254;

    /// Takes stored or already checked text as it is.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The address as shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address for comparison: all lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// The part before the at sign.
    pub fn local_part(&self) -> &str {
        self.0
            .rsplit_once('@')
            .map_or(self.0.as_str(), |(local, _)| local)
    }

    /// A readable name made from the local part: `ann.lee@…` becomes `Ann Lee`.
    pub fn to_display_name(&self) -> String {
        let words = self
            .local_part()
            .split(['.', '_'])
            .filter(|word| !word.is_empty());
        let capitalised = words.map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        });
        let name = capitalised.collect::<Vec<_>>().join(" ");
        if name.is_empty() { self.0.clone() } else { name }
    }
}

impl TryFrom<String> for Email {
    type Error = MalformedEmail;

    fn try_from(text: String) -> Result<Self, MalformedEmail> {
        let trimmed = text.trim();
        let Some((local, domain)) = trimmed.rsplit_once('@') else {
            return Err(MalformedEmail);
        };
        let address = format!("{local}@{}", domain.to_lowercase());
        if address.len() > Self::MAX_LEN || garde::rules::email::parse_email(&address).is_err() {
            return Err(MalformedEmail);
        }
        Ok(Self(address))
    }
}

impl TryFrom<&str> for Email {
    type Error = MalformedEmail;

    fn try_from(text: &str) -> Result<Self, MalformedEmail> {
        Self::try_from(text.to_owned())
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        if self.0.is_ascii() && other.0.is_ascii() {
            self.0.eq_ignore_ascii_case(&other.0)
        } else {
            self.key() == other.key()
        }
    }
}

impl Eq for Email {}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that identifies a person in work queues: `aad:<object id>` or `mail:<lower-cased address>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonKey(String);

impl PersonKey {
    /// The key of a directory object id.
    pub fn of_aad(aad_id: &str) -> Self {
        Self(format!("aad:{aad_id}"))
    }

    /// The key of an address.
    pub fn of_email(email: &Email) -> Self {
        Self(format!("mail:{}", email.key()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<PersonKey> for bson::Bson {
    fn from(key: PersonKey) -> Self {
        Self::String(key.0)
    }
}

/// A person as recorded at some moment (`UserSnapshot` on the wire, contract http-tickets 2.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The directory's object id, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aad_id: Option<String>,
    /// The address.
    pub email: Email,
    /// A name to show, never empty.
    pub display_name: String,
    /// The part the person played when the record was made, for example `requester`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_at_time: Option<String>,
    /// The address of the person's manager, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_email: Option<Email>,
}

impl Person {
    /// A person of whom only the address is known.
    pub fn from_email(email: Email) -> Self {
        let display_name = email.to_display_name();
        Self {
            aad_id: None,
            email,
            display_name,
            role_at_time: None,
            manager_email: None,
        }
    }

    /// Whether both records mean the same person: equal object ids, or equal addresses without regard to case
    /// (contract engine-actions 1.1).
    pub fn is_same(&self, other: &Self) -> bool {
        let same_id = match (&self.aad_id, &other.aad_id) {
            (Some(a), Some(b)) => !a.is_empty() && a == b,
            _ => false,
        };
        same_id || self.email == other.email
    }

    /// The keys under which work of this person is found: the address, and the object id when known.
    pub fn keys(&self) -> Vec<PersonKey> {
        let mut keys = vec![PersonKey::of_email(&self.email)];
        if let Some(aad_id) = self.aad_id.as_deref().filter(|id| !id.is_empty()) {
            keys.push(PersonKey::of_aad(aad_id));
        }
        keys
    }

    /// The same person with `role` as the part played.
    #[must_use]
    pub fn with_role(mut self, role: &str) -> Self {
        self.role_at_time = Some(role.to_owned());
        self
    }
}

/// An administrator's role (contract http-workflows 1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AdminRole {
    /// May design workflows.
    Designer,
    /// May govern everything but the administrators themselves.
    Admin,
    /// May govern everything.
    SuperAdmin,
}

/// The personas a person holds; everybody is a requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Personas {
    /// May design workflows.
    pub designer: bool,
    /// Sees the manager's screens.
    pub manager: bool,
    /// Sees the agent's screens.
    pub agent: bool,
}

/// Who calls: an authenticated person with what the service grants them, or the service itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person.
    pub person: Person,
    /// Application roles of the token (`roles` claim).
    #[serde(default)]
    pub token_roles: Vec<String>,
    /// The personas the person holds.
    #[serde(default)]
    pub personas: Personas,
    /// The administrator's role, if the person has one.
    #[serde(default)]
    pub admin_role: Option<AdminRole>,
}

impl Actor {
    /// A person without personas or roles.
    pub fn plain(person: Person) -> Self {
        Self {
            person,
            token_roles: Vec::new(),
            personas: Personas::default(),
            admin_role: None,
        }
    }

    /// The actor of commands that the service itself sends.
    pub fn system() -> Self {
        Self::plain(Person {
            aad_id: None,
            email: Email::from_stored("system@workflow-ops.invalid"),
            display_name: "System".to_owned(),
            role_at_time: Some("system".to_owned()),
            manager_email: None,
        })
    }

    /// The actor of imports from another database.
    pub fn import() -> Self {
        Self::plain(Person {
            aad_id: None,
            email: Email::from_stored("import@workflow-ops.invalid"),
            display_name: "Import".to_owned(),
            role_at_time: Some("import".to_owned()),
            manager_email: None,
        })
    }

    /// Whether this is an administrator who may govern: `ADMIN` or `SUPER_ADMIN`.
    pub fn is_admin(&self) -> bool {
        matches!(self.admin_role, Some(AdminRole::Admin | AdminRole::SuperAdmin))
    }

    /// Whether this actor may design workflows: the designer persona or any administrator's role.
    pub fn is_designer(&self) -> bool {
        self.personas.designer || self.admin_role.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_the_local_part_and_compare_without_case() {
        let email = Email::try_from("Ann@Contoso.COM").unwrap();
        assert_eq!(email.as_str(), "Ann@contoso.com");
        assert_eq!(email, Email::try_from("ann@contoso.com").unwrap());
        assert_eq!(email.key(), "ann@contoso.com");
        let beyond_ascii = Email::from_stored("JÖRG@contoso.com");
        assert_eq!(beyond_ascii, Email::from_stored("jörg@contoso.com"));
        assert_ne!(beyond_ascii, Email::from_stored("jorg@contoso.com"));
    }

    #[test]
    fn text_that_is_no_address_is_refused() {
        for text in [
            "",
            "ann",
            "@b.example",
            "ann@",
            "a b@c.example",
            "ann@b\r\n.example",
        ] {
            assert!(Email::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_same_person_is_recognised_by_id_or_by_address() {
        let mut ann = Person::from_email(Email::try_from("ann@a.example").unwrap());
        ann.aad_id = Some("1".to_owned());
        let mut alias = Person::from_email(Email::try_from("lee@a.example").unwrap());
        assert!(!ann.is_same(&alias));
        alias.aad_id = Some("1".to_owned());
        assert!(ann.is_same(&alias));
        assert!(ann.is_same(&Person::from_email(Email::try_from("ANN@a.example").unwrap())));
    }
}
