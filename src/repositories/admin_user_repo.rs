//! `admin_users`: who administers, one row per person, `_id` is the lower-cased address.

use super::indexes::IndexSpec;
use super::user_access_repo::{active_filter, choose};
use crate::domain::id::AdminUserId;
use crate::domain::person::{AdminRole, Email, Person};
use crate::domain::time::Timestamp;
use bson::doc;
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

/// The collection's name.
pub const COLLECTION: &str = "admin_users";

/// An administrator as stored (contract http-admin-notifications 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminUserRow {
    /// The lower-cased address.
    #[serde(rename = "_id")]
    pub email_key: String,
    /// The public id.
    pub admin_user_id: AdminUserId,
    /// The directory's object id, when known.
    pub aad_id: Option<String>,
    /// The address as shown.
    pub email: Email,
    /// The name.
    pub display_name: String,
    /// The role.
    pub role: AdminRole,
    /// The address of who gave it, or `SYSTEM_SETUP`.
    pub granted_by: Option<String>,
    /// When.
    pub granted_at: Timestamp,
    /// Whether it holds.
    pub is_active: bool,
    /// When it was taken away.
    pub deactivated_at: Option<Timestamp>,
    /// The address of who took it away.
    pub deactivated_by: Option<String>,
}

/// Access to administrators; cheap to clone.
#[derive(Debug, Clone)]
pub struct AdminUserRepo {
    rows: Collection<AdminUserRow>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let known = doc! {"aad_id": {"$type": "string"}};
    vec![
        IndexSpec::new(COLLECTION, "aad_id", doc! {"aad_id": 1}).partial(known),
        IndexSpec::new(
            COLLECTION,
            "role_active",
            doc! {"role": 1, "is_active": 1, "granted_at": -1},
        ),
    ]
}

impl AdminUserRepo {
    /// The administrators of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// The active row of a person: by object id, else by address unless that row has another object id.
    pub async fn active_of(&self, person: &Person) -> Result<Option<AdminUserRow>> {
        let mut found = Vec::new();
        let mut cursor = self.rows.find(active_filter(person)).limit(4).await?;
        while cursor.advance().await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(choose(found, person, |row| row.aad_id.as_deref()))
    }
}
