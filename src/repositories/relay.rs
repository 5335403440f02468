//! The writes of the relay: each carries tail entries to their target by a repeat that is harmless (design 3).
//!
//! A write may be the second one, late, or side by side with the same write of another process: rows are inserted if
//! absent under their stable keys, personas and links are set under their own conditions, and `$pull` names keys.

use super::admin_audit_repo::{AdminAuditEvent, AdminAuditRepo};
use super::attachment_claims::{AttachmentClaims, Linked};
use super::inapp_repo::InappRepo;
use super::inapp_row::InappRow;
use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use super::outbox_repo::OutboxRepo;
use super::outbox_row::OutboxRow;
use super::relayed::{Relayed, RelayedRepo, RelayedRow};
use super::ticket_repo::COLLECTION as TICKETS;
use super::user_access_repo::{TicketGrant, UserAccessRepo};
use crate::domain::audit::AuditEvent;
use crate::domain::effect::{
    AdminAuditRow, AttachmentLink, Effect, GrantedPersona, PersonaGrant, WorkHistory,
};
use crate::domain::id::{TicketId, hex12};
use crate::domain::tail::{RecordedCommand, StableKey, TailEntry, TailItem};
use crate::domain::ticket::{FormVersion, NoteBody};
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde_json::Value;
use std::collections::BTreeMap;

/// The collection of entries that cannot be carried on.
pub const FAILED: &str = "relay_failed";

/// The indexes of the collection of parked entries.
pub fn indexes() -> Vec<IndexSpec> {
    vec![IndexSpec::new(FAILED, "newest", doc! {"parked_at": -1})]
}

/// The targets, in the order in which entries are carried to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `user_access`, with its row in `admin_audit`.
    UserAccess,
    /// `attachments`.
    Attachments,
    /// `audit_events`.
    AuditEvents,
    /// `ticket_commands`.
    TicketCommands,
    /// `work_history`.
    WorkHistory,
    /// `ticket_notes`.
    TicketNotes,
    /// `form_versions`.
    FormVersions,
    /// `admin_audit`.
    AdminAudit,
    /// `notification_outbox`.
    Outbox,
    /// `inapp_notifications`; with the mail at last, so that who reads a notice finds the rest done.
    Inapp,
}

impl Target {
    /// Every target in order; those of one rank do not depend on each other.
    pub const RANKS: [&'static [Self]; 4] = [
        &[Self::UserAccess],
        &[Self::Attachments],
        &[
            Self::AuditEvents,
            Self::TicketCommands,
            Self::WorkHistory,
            Self::TicketNotes,
            Self::FormVersions,
            Self::AdminAudit,
        ],
        &[Self::Outbox, Self::Inapp],
    ];

    /// Whether an entry has something for this target.
    pub fn takes(self, entry: &TailEntry) -> bool {
        match &entry.item {
            TailItem::Command(_) => self == Self::TicketCommands,
            TailItem::Audit(_) => self == Self::AuditEvents,
            TailItem::Effect(effect) => match effect.as_ref() {
                Effect::Grant(_) => self == Self::UserAccess,
                Effect::Link(_) => self == Self::Attachments,
                Effect::History(_) => self == Self::WorkHistory,
                Effect::Note(_) => self == Self::TicketNotes,
                Effect::FormVersion(_) => self == Self::FormVersions,
                Effect::AdminAudit(_) => self == Self::AdminAudit,
                Effect::Notice(_) => matches!(self, Self::Outbox | Self::Inapp),
            },
        }
    }
}

/// What carrying one entry came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// It is where it belongs.
    Yes,
    /// Not now, through no fault of the entry's; it will be tried again without being counted.
    Later,
    /// The target refuses it; the reason is for people.
    Refused(String),
}

/// The collections that the relay writes to; cheap to clone.
#[derive(Debug, Clone)]
pub struct RelayTargets {
    database: Database,
    access: UserAccessRepo,
    admin_audit: AdminAuditRepo,
    files: AttachmentClaims,
    audit: RelayedRepo<AuditEvent>,
    commands: RelayedRepo<RecordedCommand>,
    history: RelayedRepo<WorkHistory>,
    notes: RelayedRepo<NoteBody>,
    forms: RelayedRepo<FormVersion>,
    outbox: OutboxRepo,
    bells: InappRepo,
    inapp_retention_days: i64,
}

impl RelayTargets {
    /// The targets in `database`; `outbox` is the one whose drain is woken.
    pub fn new(database: &Database, outbox: &OutboxRepo, inapp_retention_days: i64) -> Self {
        Self {
            database: database.clone(),
            access: UserAccessRepo::new(database),
            admin_audit: AdminAuditRepo::new(database),
            files: AttachmentClaims::new(database),
            audit: RelayedRepo::new(database),
            commands: RelayedRepo::new(database),
            history: RelayedRepo::new(database),
            notes: RelayedRepo::new(database),
            forms: RelayedRepo::new(database),
            outbox: outbox.clone(),
            bells: InappRepo::new(database),
            inapp_retention_days,
        }
    }

    /// Whether a target is written entry by entry; the others take many entries at once.
    pub const fn is_single(target: Target) -> bool {
        matches!(
            target,
            Target::UserAccess | Target::Attachments | Target::AdminAudit
        )
    }

    /// Of entries for a target that is written entry by entry, those that still need a write: a persona that is held
    /// already, which nearly every command wishes for, is found out for all of them by one read.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn open<'a>(&self, target: Target, entries: Vec<&'a TailEntry>) -> Result<Vec<&'a TailEntry>> {
        if target != Target::UserAccess || entries.len() < 2 {
            return Ok(entries);
        }
        let grants = entries.iter().filter_map(|entry| grant_of(entry));
        let rows = self
            .access
            .by_emails(grants.map(|grant| &grant.person.email))
            .await?;
        let is_open = |entry: &&TailEntry| {
            let held = grant_of(entry)
                .and_then(|grant| Some((grant, rows.get(&grant.person.email.key())?)))
                .is_some_and(|(grant, row)| {
                    let state = row.state(grant.persona);
                    state.granted && state.entry_key.as_deref() != Some(entry.key.to_string().as_str())
                });
            !held
        };
        Ok(entries.into_iter().filter(is_open).collect())
    }

    /// Carries entries to one target by one write, or one per entry.
    ///
    /// # Errors
    /// The database is unavailable, or it refuses one of several entries: then carry them one by one.
    pub async fn carry(&self, target: Target, entries: &[&TailEntry], now: Timestamp) -> Result<Carried> {
        match target {
            Target::UserAccess | Target::Attachments => {
                for entry in entries {
                    let carried = self.carry_single(entry, now).await?;
                    if carried != Carried::Yes {
                        return Ok(carried);
                    }
                }
            }
            Target::AuditEvents => insert(&self.audit, entries).await?,
            Target::TicketCommands => insert(&self.commands, entries).await?,
            Target::WorkHistory => insert(&self.history, entries).await?,
            Target::TicketNotes => insert(&self.notes, entries).await?,
            Target::FormVersions => insert(&self.forms, entries).await?,
            Target::AdminAudit => {
                let rows: Vec<_> = entries.iter().filter_map(|entry| admin_event_of(entry)).collect();
                self.admin_audit.insert_absent(&rows).await?;
            }
            Target::Outbox => {
                let rows: Vec<_> = entries.iter().filter_map(|entry| mail_of(entry)).collect();
                self.outbox.insert_absent(&rows).await?;
            }
            Target::Inapp => {
                let rows: Vec<_> = entries.iter().filter_map(|entry| self.bell_of(entry)).collect();
                self.bells.insert_absent(&rows).await?;
            }
        }
        Ok(Carried::Yes)
    }

    async fn carry_single(&self, entry: &TailEntry, now: Timestamp) -> Result<Carried> {
        let TailItem::Effect(effect) = &entry.item else {
            return Ok(Carried::Yes);
        };
        match effect.as_ref() {
            Effect::Grant(grant) => self.grant(&entry.key, grant).await,
            Effect::Link(link) => self.link(&entry.key.ticket_id, link, now).await,
            Effect::Notice(_)
            | Effect::Note(_)
            | Effect::FormVersion(_)
            | Effect::History(_)
            | Effect::AdminAudit(_) => Ok(Carried::Yes),
        }
    }

    /// Grants a persona and records it for the administrators under the same key; the row keeps the key, so that a
    /// repeat after a stop between the two writes still makes the second.
    async fn grant(&self, key: &StableKey, grant: &PersonaGrant) -> Result<Carried> {
        let key = key.to_string();
        let outcome = self.access.grant_from_ticket(&key, grant).await?;
        if outcome != TicketGrant::Held {
            let row = onboarding(grant, outcome);
            self.admin_audit.insert_absent(&[admin_event(key, &row)]).await?;
        }
        Ok(Carried::Yes)
    }

    async fn link(&self, ticket_id: &TicketId, link: &AttachmentLink, now: Timestamp) -> Result<Carried> {
        Ok(match self.files.link(link, ticket_id, now).await? {
            Linked::Yes => Carried::Yes,
            Linked::Later => Carried::Later,
            Linked::Never => Carried::Refused("the file is gone or another ticket's".to_owned()),
        })
    }

    fn bell_of(&self, entry: &TailEntry) -> Option<InappRow> {
        let notice = notice_of(entry)?;
        let key = entry.key.to_string();
        InappRow::of(
            notice,
            &key,
            &entry.key.ticket_id,
            entry.at,
            self.inapp_retention_days,
        )
    }

    /// Takes entries out of their tails, without touching the version. Nobody waits for the majority here: a removal
    /// that is lost with a primary only makes the relay carry the entry on again.
    pub async fn pull(&self, keys: &[&StableKey]) -> Result<()> {
        let mut by_ticket: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for key in keys {
            by_ticket
                .entry(key.ticket_id.as_str())
                .or_default()
                .push(key.to_string());
        }
        let statements: Vec<Document> = by_ticket
            .into_iter()
            .map(|(ticket, keys)| {
                doc! {"q": {"_id": ticket}, "u": {"$pull": {"tail": {"key": {"$in": keys}}}}}
            })
            .collect();
        if statements.is_empty() {
            return Ok(());
        }
        let command = doc! {
            "update": TICKETS,
            "updates": statements,
            "ordered": false,
            "writeConcern": {"w": 1},
        };
        let reply = self.database.run_command(command).await?;
        if let Ok(errors) = reply.get_array("writeErrors") {
            return Err(mongodb::error::Error::custom(format!("{errors:?}")));
        }
        Ok(())
    }

    /// Sets an entry aside for good: it is stored among the failed ones, for an operator.
    pub async fn park(&self, entry: &TailEntry, reason: &str, now: Timestamp) -> Result<()> {
        let stored = bson::serialize_to_bson(entry).unwrap_or(Bson::Null);
        self.park_as(&entry.key.to_string(), &entry.key.ticket_id, stored, reason, now)
            .await
    }

    /// Sets aside an element of a tail that cannot be read, and takes it out of the tail.
    pub async fn park_unreadable(&self, ticket_id: &TicketId, element: Bson, now: Timestamp) -> Result<()> {
        let key = format!("{ticket_id}:unreadable:{}", hex12(&element.to_string()));
        self.park_as(&key, ticket_id, element.clone(), "the entry cannot be read", now)
            .await?;
        let tickets = self.database.collection::<Document>(TICKETS);
        tickets
            .update_one(
                doc! {"_id": ticket_id.as_str()},
                doc! {"$pullAll": {"tail": [element]}},
            )
            .await?;
        Ok(())
    }

    async fn park_as(
        &self,
        key: &str,
        ticket_id: &TicketId,
        entry: Bson,
        reason: &str,
        now: Timestamp,
    ) -> Result<()> {
        let row = doc! {"_id": key, "ticket_id": ticket_id.as_str(), "entry": entry, "reason": reason, "parked_at": now};
        match self.failed().insert_one(row).await {
            Err(error) if classify(&error) != WriteFault::DuplicateKey => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// How many entries have been set aside.
    pub async fn count_parked(&self) -> Result<u64> {
        self.failed().estimated_document_count().await
    }

    fn failed(&self) -> Collection<Document> {
        self.database.collection(FAILED)
    }
}

async fn insert<T: Relayed>(repo: &RelayedRepo<T>, entries: &[&TailEntry]) -> Result<()> {
    let rows: Vec<_> = entries
        .iter()
        .filter_map(|entry| RelayedRow::<T>::of(entry))
        .collect();
    repo.insert_absent(&rows).await?;
    Ok(())
}

fn grant_of(entry: &TailEntry) -> Option<&PersonaGrant> {
    match &entry.item {
        TailItem::Effect(effect) => match effect.as_ref() {
            Effect::Grant(grant) => Some(grant),
            Effect::Notice(_)
            | Effect::Link(_)
            | Effect::Note(_)
            | Effect::FormVersion(_)
            | Effect::History(_)
            | Effect::AdminAudit(_) => None,
        },
        TailItem::Audit(_) | TailItem::Command(_) => None,
    }
}

fn notice_of(entry: &TailEntry) -> Option<&crate::domain::notice::Notice> {
    match &entry.item {
        TailItem::Effect(effect) => match effect.as_ref() {
            Effect::Notice(notice) => Some(notice),
            Effect::Grant(_)
            | Effect::Link(_)
            | Effect::Note(_)
            | Effect::FormVersion(_)
            | Effect::History(_)
            | Effect::AdminAudit(_) => None,
        },
        TailItem::Audit(_) | TailItem::Command(_) => None,
    }
}

fn admin_event_of(entry: &TailEntry) -> Option<AdminAuditEvent> {
    match &entry.item {
        TailItem::Effect(effect) => match effect.as_ref() {
            Effect::AdminAudit(row) => Some(admin_event(entry.key.to_string(), row)),
            Effect::Grant(_)
            | Effect::Link(_)
            | Effect::Note(_)
            | Effect::FormVersion(_)
            | Effect::History(_)
            | Effect::Notice(_) => None,
        },
        TailItem::Audit(_) | TailItem::Command(_) => None,
    }
}

fn admin_event(key: String, row: &AdminAuditRow) -> AdminAuditEvent {
    AdminAuditEvent::keyed(key, &row.action, &row.actor, row.details.to_value(), row.at)
        .about(row.target.email.as_str(), Some(&row.target.display_name))
}

fn mail_of(entry: &TailEntry) -> Option<OutboxRow> {
    let notice = notice_of(entry)?;
    let key = entry.key.to_string();
    OutboxRow::of(
        notice,
        &key,
        &entry.key.ticket_id,
        entry.at,
        &entry.correlation_id,
    )
}

/// What the administrators' log says of a persona that a ticket brought (contract http-admin-notifications 7.1).
fn onboarding(grant: &PersonaGrant, outcome: TicketGrant) -> AdminAuditRow {
    let (action, added) = match grant.persona {
        GrantedPersona::Manager => ("AUTO_ONBOARD_MANAGER", "added_manager_to_existing"),
        GrantedPersona::Agent => ("AUTO_ONBOARD_AGENT", "added_agent_to_existing"),
    };
    let mut details = grant.details.clone();
    match outcome {
        TicketGrant::Given { was_new_user } => {
            details.insert("was_new_user".to_owned(), Value::Bool(was_new_user));
            details.insert(added.to_owned(), Value::Bool(!was_new_user));
        }
        TicketGrant::TakenAway => {
            details.insert("withheld".to_owned(), Value::Bool(true));
        }
        TicketGrant::Held => {}
    }
    AdminAuditRow {
        action: action.to_owned(),
        actor: grant.granted_by.clone(),
        target: grant.person.clone(),
        details,
        at: grant.at,
    }
}
