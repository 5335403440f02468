//! Lookup tables: a workflow's keys, each with the people who answer for it (contract http-workflows 4).

use super::id::{LookupEntryId, LookupId, WorkflowId};
use super::person::{Email, Person};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most entries of one table.
pub const ENTRIES: usize = 2_000;
/// Most people of one entry.
pub const USERS: usize = 50;

/// A table; read live, so that a change counts for running tickets at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupTable {
    /// The id.
    #[serde(rename = "_id")]
    pub id: LookupId,
    /// The workflow it belongs to.
    pub workflow_id: WorkflowId,
    /// 1 to 200 characters.
    pub name: String,
    /// At most 2 000 characters.
    pub description: Option<String>,
    /// The form whose field supplies the key.
    pub source_step_id: Option<String>,
    /// The field that supplies the key.
    pub source_field_key: Option<String>,
    /// The entries; no two keys are equal without regard to case.
    pub entries: Vec<LookupEntry>,
    /// Who made it.
    pub created_by: Person,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who changed it last.
    pub updated_by: Option<Person>,
    /// When it changed last.
    pub updated_at: Option<Timestamp>,
    /// False once it is deleted.
    pub is_active: bool,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// One key with its people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupEntry {
    /// The id.
    pub entry_id: LookupEntryId,
    /// 1 to 200 characters; compared exactly when it is looked up.
    pub key: String,
    /// What people see, at most 200 characters.
    pub display_label: Option<String>,
    /// The people; when there are any, exactly one is primary.
    pub users: Vec<LookupPerson>,
    /// Whether it is looked up.
    pub is_active: bool,
}

/// A person of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupPerson {
    /// The directory's object id, when known.
    pub aad_id: Option<String>,
    /// The address.
    pub email: Email,
    /// The name.
    pub display_name: String,
    /// Whether this person answers first.
    pub is_primary: bool,
    /// Where the person stands among the others.
    pub order: i64,
}

impl LookupPerson {
    /// The person as tickets record it.
    pub fn to_person(&self) -> Person {
        Person {
            aad_id: self.aad_id.clone().filter(|id| !id.is_empty()),
            email: self.email.clone(),
            display_name: self.display_name.clone(),
            role_at_time: None,
            manager_email: None,
        }
    }
}

impl LookupEntry {
    /// The people, the primary one first, then by their order.
    pub fn sorted_users(&self) -> Vec<&LookupPerson> {
        let mut users: Vec<&LookupPerson> = self.users.iter().collect();
        users.sort_by_key(|user| (!user.is_primary, user.order));
        users
    }

    /// Drops repeated people and makes exactly one primary: the first that is flagged, else the first.
    pub fn settle_users(&mut self) {
        let mut seen: Vec<String> = Vec::new();
        self.users.retain(|user| {
            let key = user.email.key();
            let is_new = !seen.contains(&key);
            seen.push(key);
            is_new
        });
        let primary = self.users.iter().position(|user| user.is_primary).unwrap_or(0);
        for (at, user) in self.users.iter_mut().enumerate() {
            user.is_primary = at == primary;
        }
    }
}

impl LookupTable {
    /// The people of the active entry with exactly this key, the primary one first; none when there is no such entry.
    pub fn users_of(&self, key: &str) -> Vec<&LookupPerson> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.is_active && entry.key == key);
        entry.map(LookupEntry::sorted_users).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, is_primary: bool, order: i64) -> LookupPerson {
        LookupPerson {
            aad_id: None,
            email: Email::try_from(format!("{name}@a.example")).unwrap(),
            display_name: name.to_owned(),
            is_primary,
            order,
        }
    }

    fn entry(users: Vec<LookupPerson>) -> LookupEntry {
        let mut entry = LookupEntry {
            entry_id: LookupEntryId::derived("e"),
            key: "A".to_owned(),
            display_label: None,
            users,
            is_active: true,
        };
        entry.settle_users();
        entry
    }

    #[test]
    fn one_person_of_an_entry_is_primary_and_comes_first() {
        let none = entry(vec![user("x", false, 1), user("y", false, 0)]);
        assert_eq!(none.sorted_users()[0].display_name, "x");
        let several = entry(vec![user("x", false, 0), user("y", true, 2), user("z", true, 1)]);
        let names: Vec<&str> = several
            .sorted_users()
            .iter()
            .map(|user| user.display_name.as_str())
            .collect();
        assert_eq!(names, ["y", "x", "z"]);
        assert_eq!(
            entry(vec![user("x", true, 0), user("X", false, 1)]).users.len(),
            1
        );
    }
}
