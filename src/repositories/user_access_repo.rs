//! `user_access`: which personas a person holds, one row per person, `_id` is the lower-cased address.
//!
//! Invariant: a persona that an administrator took away carries the marker `taken_by_admin` and is never given back
//! by a ticket, only by an administrator (design 3, relay; design 8, revoked person).

use super::indexes::IndexSpec;
use crate::domain::id::UserAccessId;
use crate::domain::person::{Email, Person, Personas};
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

/// The collection's name.
pub const COLLECTION: &str = "user_access";

/// How a persona was obtained (contract http-admin-notifications 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum AccessSource {
    Manual,
    TaskAssignment,
    ReassignAgent,
    HandoverAssignment,
    ApprovalAssignment,
    ApprovalReassignment,
    LookupAssignment,
}

/// One persona of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonaState {
    /// Whether the person holds it.
    pub granted: bool,
    /// How it was obtained.
    pub source: Option<AccessSource>,
    /// The address of who gave it.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// An administrator took it away; tickets must not give it back.
    #[serde(default)]
    pub taken_by_admin: bool,
    /// The relayed entry that gave it, so that a repeat of the entry is recognised.
    #[serde(default)]
    pub entry_key: Option<String>,
    /// Whether that entry created the row.
    #[serde(default)]
    pub entry_created_row: bool,
}

/// A persona record as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAccessRow {
    /// The lower-cased address.
    #[serde(rename = "_id")]
    pub email_key: String,
    /// Counts changes, so that each change is made to the state it was decided on.
    pub version: i64,
    /// The public id.
    pub user_access_id: UserAccessId,
    /// The directory's object id, when known.
    pub aad_id: Option<String>,
    /// The address as shown.
    pub email: Email,
    /// The name.
    pub display_name: String,
    /// May design workflows.
    pub designer: PersonaState,
    /// Sees the manager's screens.
    pub manager: PersonaState,
    /// Sees the agent's screens.
    pub agent: PersonaState,
    /// Where the record came from first.
    pub onboard_source: AccessSource,
    /// The address of who triggered an automatic entry.
    pub onboarded_by: Option<String>,
    /// The name of who triggered an automatic entry.
    pub onboarded_by_display_name: Option<String>,
    /// The address of who gave the first persona.
    pub granted_by: String,
    /// When.
    pub granted_at: Timestamp,
    /// When the row changed last.
    pub updated_at: Option<Timestamp>,
    /// The address of who changed it.
    pub updated_by: Option<String>,
    /// Whether any persona is held; false after a revocation.
    pub is_active: bool,
}

impl UserAccessRow {
    /// The personas held.
    pub const fn personas(&self) -> Personas {
        Personas {
            designer: self.designer.granted,
            manager: self.manager.granted,
            agent: self.agent.granted,
        }
    }
}

/// Access to persona records; cheap to clone.
#[derive(Debug, Clone)]
pub struct UserAccessRepo {
    rows: Collection<UserAccessRow>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let known = doc! {"aad_id": {"$type": "string"}};
    vec![IndexSpec::new(COLLECTION, "aad_id", doc! {"aad_id": 1}).partial(known)]
}

impl UserAccessRepo {
    /// The records of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// The active record of a person: by object id, else by address unless that record has another object id.
    pub async fn active_of(&self, person: &Person) -> Result<Option<UserAccessRow>> {
        let mut found = Vec::new();
        let mut cursor = self.rows.find(active_filter(person)).limit(4).await?;
        while cursor.advance().await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(choose(found, person, |row| row.aad_id.as_deref()))
    }
}

/// Active rows that may be this person's.
pub(super) fn active_filter(person: &Person) -> Document {
    let mut ways = vec![doc! {"_id": person.email.key()}];
    if let Some(aad_id) = person.aad_id.as_deref().filter(|id| !id.is_empty()) {
        ways.push(doc! {"aad_id": aad_id});
    }
    doc! {"$or": ways, "is_active": true}
}

/// The row that is this person's. An address alone opens nothing that belongs to another object id: addresses change
/// hands (contract http-admin-notifications 2).
pub(super) fn choose<T>(rows: Vec<T>, person: &Person, aad_id: impl Fn(&T) -> Option<&str>) -> Option<T> {
    let own_id = person.aad_id.as_deref().filter(|id| !id.is_empty());
    let mut by_address = None;
    for row in rows {
        match (aad_id(&row), own_id) {
            (Some(id), Some(own)) if id == own => return Some(row),
            (Some(_), Some(_)) => {}
            _ => by_address = Some(row),
        }
    }
    by_address
}
