//! `admin_users`: who administers, one row per person, `_id` is the lower-cased address.

use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use super::user_access_repo::{active_filter, choose};
use crate::domain::id::AdminUserId;
use crate::domain::person::{AdminRole, Email, Person};
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{ClientSession, Collection, Database};
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
    state: Collection<Document>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let known = doc! {"aad_id": {"$type": "string"}};
    vec![
        IndexSpec::new(COLLECTION, "aad_id", doc! {"aad_id": 1})
            .partial(known)
            .unique(),
        IndexSpec::new(COLLECTION, "active", doc! {"is_active": 1}),
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
            state: database.collection(super::bootstrap_repo::STATE_COLLECTION),
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

    /// The row with this address inside a transaction, active or not.
    pub async fn by_email_in(
        &self,
        email: &Email,
        session: &mut ClientSession,
    ) -> Result<Option<AdminUserRow>> {
        self.rows
            .find_one(doc! {"_id": email.key()})
            .session(session)
            .await
    }

    /// Writes a row inside a transaction, whether it is new or not.
    pub async fn put_in(&self, row: &AdminUserRow, session: &mut ClientSession) -> Result<()> {
        self.rows
            .replace_one(doc! {"_id": &row.email_key}, row)
            .upsert(true)
            .session(session)
            .await?;
        Ok(())
    }

    /// How many active super administrators a transaction sees.
    ///
    /// Two transactions that each remove another one would both see enough; so this also writes to one common
    /// document, which makes the second of them start again.
    pub async fn super_admins_in(&self, session: &mut ClientSession) -> Result<u64> {
        self.state
            .update_one(
                doc! {"_id": "super_admin_changes"},
                doc! {"$inc": {"count": 1_i64}},
            )
            .upsert(true)
            .session(&mut *session)
            .await?;
        self.rows
            .count_documents(active_super_admins())
            .session(session)
            .await
    }

    /// Whether there is an active super administrator.
    pub async fn has_super_admin(&self) -> Result<bool> {
        Ok(self.rows.find_one(active_super_admins()).await?.is_some())
    }

    /// Keeps the object id of somebody who was granted by address and has now signed in, unless another row has it.
    pub async fn fill_aad_id(&self, row: &AdminUserRow, aad_id: &str) -> Result<()> {
        let unknown = doc! {"_id": &row.email_key, "aad_id": null};
        let filled = self
            .rows
            .update_one(unknown, doc! {"$set": {"aad_id": aad_id}})
            .await;
        match filled {
            Err(error) if classify(&error) != WriteFault::DuplicateKey => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Keeps the name under which somebody signs in.
    pub async fn refresh_name(&self, row: &AdminUserRow, display_name: &str) -> Result<()> {
        let held = doc! {"_id": &row.email_key, "is_active": true};
        self.rows
            .update_one(held, doc! {"$set": {"display_name": display_name}})
            .await?;
        Ok(())
    }

    /// How many people have this role.
    pub async fn count_active(&self, role: AdminRole) -> Result<u64> {
        let filter = doc! {"role": role_word(role), "is_active": true};
        self.rows.count_documents(filter).await
    }

    /// A window of the rows, and how many there are; highest role first, then newest.
    pub async fn list(
        &self,
        role: Option<AdminRole>,
        include_inactive: bool,
        skip: u64,
        limit: i64,
    ) -> Result<(Vec<AdminUserRow>, u64)> {
        let mut filter = Document::new();
        if let Some(role) = role {
            filter.insert("role", role_word(role));
        }
        if !include_inactive {
            filter.insert("is_active", true);
        }
        let total = self.rows.count_documents(filter.clone()).await?;
        let rank = doc! {"$indexOfArray": [["SUPER_ADMIN", "ADMIN", "DESIGNER"], "$role"]};
        let window = [
            doc! {"$match": filter},
            doc! {"$set": {"rank": rank}},
            doc! {"$sort": {"rank": 1, "granted_at": -1, "_id": 1}},
            doc! {"$skip": i64::try_from(skip).unwrap_or(i64::MAX)},
            doc! {"$limit": limit},
        ];
        let mut rows = Vec::new();
        let mut cursor = self.rows.aggregate(window).with_type::<AdminUserRow>().await?;
        while cursor.advance().await? {
            rows.push(cursor.deserialize_current()?);
        }
        Ok((rows, total))
    }
}

fn active_super_admins() -> Document {
    doc! {"role": role_word(AdminRole::SuperAdmin), "is_active": true}
}

/// The role as stored and on the wire.
pub const fn role_word(role: AdminRole) -> &'static str {
    match role {
        AdminRole::Designer => "DESIGNER",
        AdminRole::Admin => "ADMIN",
        AdminRole::SuperAdmin => "SUPER_ADMIN",
    }
}
