//! `user_access`: which personas a person holds, one row per person, `_id` is the lower-cased address.
//!
//! Invariant: a persona that an administrator took away carries the marker `taken_by_admin` and is never given back
//! by a ticket, only by an administrator (design 3, relay; design 8, revoked person).

use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use crate::domain::effect::{GrantSource, GrantedPersona, PersonaGrant};
use crate::domain::id::UserAccessId;
use crate::domain::person::{Email, Person, Personas};
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::{ClientSession, Collection, Database};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The collection's name.
pub const COLLECTION: &str = "user_access";

/// How a persona was obtained (contract http-admin-notifications 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

impl AccessSource {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "MANUAL",
            Self::TaskAssignment => "TASK_ASSIGNMENT",
            Self::ReassignAgent => "REASSIGN_AGENT",
            Self::HandoverAssignment => "HANDOVER_ASSIGNMENT",
            Self::ApprovalAssignment => "APPROVAL_ASSIGNMENT",
            Self::ApprovalReassignment => "APPROVAL_REASSIGNMENT",
            Self::LookupAssignment => "LOOKUP_ASSIGNMENT",
        }
    }
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

    /// The personas that an administrator took away.
    pub const fn taken_away(&self) -> Personas {
        Personas {
            designer: self.designer.taken_by_admin,
            manager: self.manager.taken_by_admin,
            agent: self.agent.taken_by_admin,
        }
    }
}

/// What became of a grant that a ticket wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketGrant {
    /// The persona was given, now or by an earlier run of the same entry.
    Given {
        /// Whether the person had no record before.
        was_new_user: bool,
    },
    /// The person had it already.
    Held,
    /// An administrator took it away; it stays away.
    TakenAway,
}

/// Access to persona records; cheap to clone.
#[derive(Debug, Clone)]
pub struct UserAccessRepo {
    rows: Collection<UserAccessRow>,
}

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let known = doc! {"aad_id": {"$type": "string"}};
    vec![
        IndexSpec::new(COLLECTION, "aad_id", doc! {"aad_id": 1})
            .partial(known)
            .unique(),
        IndexSpec::new(
            COLLECTION,
            "active_personas",
            doc! {
                "is_active": 1, "_id": 1, "designer.granted": 1, "manager.granted": 1, "agent.granted": 1,
            },
        ),
    ]
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

    /// The record with this address, active or not.
    pub async fn by_email(&self, email: &Email) -> Result<Option<UserAccessRow>> {
        self.rows.find_one(doc! {"_id": email.key()}).await
    }

    /// The record that a grant to this person changes, active or not: by address, else by object id.
    pub async fn known(&self, person: &Person) -> Result<Option<UserAccessRow>> {
        match self.by_email(&person.email).await? {
            Some(row) => Ok(Some(row)),
            None => self.by_aad_id(person).await,
        }
    }

    /// The records with these addresses, active or not, by lower-cased address.
    pub async fn by_emails(
        &self,
        emails: impl Iterator<Item = &Email>,
    ) -> Result<BTreeMap<String, UserAccessRow>> {
        let keys: BTreeSet<String> = emails.map(Email::key).collect();
        let keys: Vec<String> = keys.into_iter().collect();
        let rows: Vec<UserAccessRow> = self
            .rows
            .find(doc! {"_id": {"$in": keys}})
            .await?
            .try_collect()
            .await?;
        Ok(rows.into_iter().map(|row| (row.email_key.clone(), row)).collect())
    }

    /// Active records whose name or address contains the text, without regard to case, by address.
    pub async fn search(&self, text: &str, limit: usize) -> Result<Vec<UserAccessRow>> {
        let contains = doc! {"$regex": regex::escape(&text.trim().to_lowercase()), "$options": "i"};
        let filter = doc! {"is_active": true, "$or": [{"_id": &contains}, {"display_name": &contains}]};
        let mut rows = Vec::new();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut cursor = self.rows.find(filter).sort(doc! {"_id": 1}).limit(limit).await?;
        while cursor.advance().await? {
            rows.push(cursor.deserialize_current()?);
        }
        Ok(rows)
    }

    /// The record with this address inside a transaction.
    pub async fn by_email_in(
        &self,
        email: &Email,
        session: &mut ClientSession,
    ) -> Result<Option<UserAccessRow>> {
        self.rows
            .find_one(doc! {"_id": email.key()})
            .session(session)
            .await
    }

    /// Writes a record inside a transaction, whether it is new or not.
    pub async fn put_in(&self, row: &UserAccessRow, session: &mut ClientSession) -> Result<()> {
        self.rows
            .replace_one(doc! {"_id": &row.email_key}, row)
            .upsert(true)
            .session(session)
            .await?;
        Ok(())
    }

    /// A window of the records by address, and how many there are.
    pub async fn list(
        &self,
        include_inactive: bool,
        skip: u64,
        limit: i64,
    ) -> Result<(Vec<UserAccessRow>, u64)> {
        let filter = if include_inactive {
            doc! {}
        } else {
            doc! {"is_active": true}
        };
        let total = self.rows.count_documents(filter.clone()).await?;
        let mut rows = Vec::new();
        let mut cursor = self
            .rows
            .find(filter)
            .sort(doc! {"_id": 1})
            .skip(skip)
            .limit(limit)
            .await?;
        while cursor.advance().await? {
            rows.push(cursor.deserialize_current()?);
        }
        Ok((rows, total))
    }

    /// Gives a persona as a ticket wants it: unless it is there or was taken away by an administrator.
    ///
    /// It may run twice, late and in two processes: the row keeps `key`, so a repeat is recognised and answers as the
    /// first run did (design 3, relay).
    pub async fn grant_from_ticket(&self, key: &str, grant: &PersonaGrant) -> Result<TicketGrant> {
        loop {
            let Some(row) = self.known(&grant.person).await? else {
                if self
                    .insert_absent(&UserAccessRow::from_ticket(key, grant))
                    .await?
                {
                    return Ok(TicketGrant::Given { was_new_user: true });
                }
                continue;
            };
            let state = row.state(grant.persona);
            if state.entry_key.as_deref() == Some(key) {
                return Ok(TicketGrant::Given {
                    was_new_user: state.entry_created_row,
                });
            }
            if state.granted {
                return Ok(TicketGrant::Held);
            }
            if state.taken_by_admin {
                return Ok(TicketGrant::TakenAway);
            }
            let decided_on = doc! {"_id": &row.email_key, "version": row.version};
            let is_nobody_elses = self.is_free(&row, &grant.person).await?;
            let given = row.with_ticket_grant(key, grant, is_nobody_elses);
            match self.rows.replace_one(decided_on, &given).await {
                Ok(result) if result.matched_count == 1 => {
                    return Ok(TicketGrant::Given { was_new_user: false });
                }
                Ok(_) => {}
                // The object id went to another record just now.
                Err(error) if classify(&error) == WriteFault::DuplicateKey => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the person's object id stands in no record but this one.
    async fn is_free(&self, row: &UserAccessRow, person: &Person) -> Result<bool> {
        let holder = self.by_aad_id(person).await?;
        Ok(holder.is_none_or(|holder| holder.email_key == row.email_key))
    }

    async fn by_aad_id(&self, person: &Person) -> Result<Option<UserAccessRow>> {
        let Some(aad_id) = person.aad_id.as_deref().filter(|id| !id.is_empty()) else {
            return Ok(None);
        };
        self.rows
            .find_one(doc! {"aad_id": {"$eq": aad_id, "$type": "string"}})
            .sort(doc! {"_id": 1})
            .await
    }

    async fn insert_absent(&self, row: &UserAccessRow) -> Result<bool> {
        match self.rows.insert_one(row).await {
            Ok(_) => Ok(true),
            Err(error) if classify(&error) == WriteFault::DuplicateKey => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl UserAccessRow {
    /// The state of a persona that tickets give.
    pub const fn state(&self, persona: GrantedPersona) -> &PersonaState {
        match persona {
            GrantedPersona::Manager => &self.manager,
            GrantedPersona::Agent => &self.agent,
        }
    }

    fn from_ticket(key: &str, grant: &PersonaGrant) -> Self {
        let given = PersonaState::from_ticket(key, grant, true);
        let (manager, agent) = match grant.persona {
            GrantedPersona::Manager => (given, PersonaState::default()),
            GrantedPersona::Agent => (PersonaState::default(), given),
        };
        Self {
            email_key: grant.person.email.key(),
            version: 1,
            user_access_id: UserAccessId::random(),
            aad_id: grant.person.aad_id.clone().filter(|id| !id.is_empty()),
            email: grant.person.email.clone(),
            display_name: grant.person.display_name.clone(),
            designer: PersonaState::default(),
            manager,
            agent,
            onboard_source: grant.source.into(),
            onboarded_by: Some(grant.granted_by.email.as_str().to_owned()),
            onboarded_by_display_name: Some(grant.granted_by.display_name.clone()),
            granted_by: grant.granted_by.email.as_str().to_owned(),
            granted_at: grant.at,
            updated_at: None,
            updated_by: None,
            is_active: true,
        }
    }

    fn with_ticket_grant(mut self, key: &str, grant: &PersonaGrant, takes_object_id: bool) -> Self {
        let given = PersonaState::from_ticket(key, grant, false);
        match grant.persona {
            GrantedPersona::Manager => self.manager = given,
            GrantedPersona::Agent => self.agent = given,
        }
        self.version += 1;
        self.is_active = true;
        if takes_object_id {
            self.aad_id = self
                .aad_id
                .or_else(|| grant.person.aad_id.clone().filter(|id| !id.is_empty()));
        }
        self.updated_at = Some(grant.at);
        self.updated_by = Some(grant.granted_by.email.as_str().to_owned());
        self
    }
}

impl PersonaState {
    fn from_ticket(key: &str, grant: &PersonaGrant, created_row: bool) -> Self {
        Self {
            granted: true,
            source: Some(grant.source.into()),
            by: Some(grant.granted_by.email.as_str().to_owned()),
            at: Some(grant.at),
            taken_by_admin: false,
            entry_key: Some(key.to_owned()),
            entry_created_row: created_row,
        }
    }
}

impl From<GrantSource> for AccessSource {
    fn from(source: GrantSource) -> Self {
        match source {
            GrantSource::ApprovalAssignment => Self::ApprovalAssignment,
            GrantSource::TaskAssignment => Self::TaskAssignment,
            GrantSource::ReassignAgent => Self::ReassignAgent,
            GrantSource::HandoverAssignment => Self::HandoverAssignment,
            GrantSource::ApprovalReassignment => Self::ApprovalReassignment,
            GrantSource::LookupAssignment => Self::LookupAssignment,
        }
    }
}

/// Active rows that may be this person's.
pub(super) fn active_filter(person: &Person) -> Document {
    let mut ways = vec![doc! {"_id": person.email.key()}];
    if let Some(aad_id) = person.aad_id.as_deref().filter(|id| !id.is_empty()) {
        // The type is said again because the index covers texts only.
        ways.push(doc! {"aad_id": {"$eq": aad_id, "$type": "string"}});
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
