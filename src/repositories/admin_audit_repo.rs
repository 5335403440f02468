//! `admin_audit`: what administrators did, and what work granted by itself. Rows are inserted and never changed.

use super::indexes::IndexSpec;
use super::outbox_repo::insert_absent;
use super::transaction::{Transaction, TransactionFault};
use crate::domain::id::{AdminAuditId, random_key};
use crate::domain::json::JsonObject;
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use bson::doc;
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The collection's name.
pub const COLLECTION: &str = "admin_audit";

/// One row (contract http-admin-notifications 8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdminAuditEvent {
    /// The stable key: of the tail entry it came from, or drawn.
    #[serde(rename = "_id")]
    pub key: String,
    /// The public id.
    pub audit_id: AdminAuditId,
    /// What was done, for example `UPDATE_USER_ACCESS`.
    pub action: String,
    /// The address of who did it.
    pub actor_email: String,
    /// The name of who did it.
    pub actor_display_name: String,
    /// The address of whom it concerns.
    #[serde(default)]
    pub target_email: Option<String>,
    /// The name of whom it concerns.
    #[serde(default)]
    pub target_display_name: Option<String>,
    /// Facts.
    #[serde(default)]
    pub details: JsonObject,
    /// When.
    pub timestamp: Timestamp,
    /// From where, as far as trusted proxies say.
    #[serde(default)]
    pub ip_address: Option<String>,
}

impl AdminAuditEvent {
    /// Something `actor` did now; `details` is taken when it is an object.
    pub fn new(action: &str, actor: &Person, details: Value, at: Timestamp) -> Self {
        Self::keyed(random_key(), action, actor, details, at)
    }

    /// The same under a key that makes a repeat harmless.
    pub fn keyed(key: String, action: &str, actor: &Person, details: Value, at: Timestamp) -> Self {
        let details = if let Value::Object(map) = details {
            JsonObject::from(map)
        } else {
            JsonObject::new()
        };
        Self {
            audit_id: AdminAuditId::derived(&key),
            key,
            action: action.to_owned(),
            actor_email: actor.email.to_string(),
            actor_display_name: actor.display_name.clone(),
            target_email: None,
            target_display_name: None,
            details,
            timestamp: at,
            ip_address: None,
        }
    }

    /// The same, naming whom it concerns.
    #[must_use]
    pub fn about(mut self, email: &str, display_name: Option<&str>) -> Self {
        self.target_email = Some(email.to_owned());
        self.target_display_name = display_name.map(ToOwned::to_owned);
        self
    }

    /// The same, naming from where it was asked for.
    #[must_use]
    pub fn from_address(mut self, address: Option<String>) -> Self {
        self.ip_address = address;
        self
    }
}

/// Access to the log; cheap to clone.
#[derive(Debug, Clone)]
pub struct AdminAuditRepo {
    pub(super) rows: Collection<AdminAuditEvent>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let index = |name, keys| IndexSpec::new(COLLECTION, name, keys);
    vec![
        index("newest", doc! {"timestamp": -1, "audit_id": -1}),
        index(
            "action_newest",
            doc! {"action": 1, "timestamp": -1, "audit_id": -1},
        ),
        index("by_actor", doc! {"actor_email": 1, "timestamp": -1}),
        index("by_target", doc! {"target_email": 1, "timestamp": -1}),
    ]
}

impl AdminAuditRepo {
    /// The log in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// Adds a row to a transaction and makes all of it take effect: a change and its row, or neither.
    ///
    /// # Errors
    /// See [`Transaction::commit`].
    pub async fn commit_with(
        &self,
        mut transaction: Transaction,
        event: &AdminAuditEvent,
    ) -> std::result::Result<(), TransactionFault> {
        self.rows.insert_one(event).session(transaction.session()).await?;
        transaction.commit().await
    }

    /// Adds the rows whose key is new; returns how many were.
    pub async fn insert_absent(&self, events: &[AdminAuditEvent]) -> Result<usize> {
        insert_absent(&self.rows, events).await
    }
}
