//! Personas, administrators and their audit log.

use super::stage::{Notes, Stage, subject};
use super::{Importer, Mode, person};
use crate::domain::id::{AdminAuditId, AdminUserId, UserAccessId};
use crate::domain::import::RepairRule;
use crate::domain::person::{Email, Person};
use crate::domain::time::Timestamp;
use crate::repositories::admin_audit_repo::{self, AdminAuditEvent};
use crate::repositories::admin_user_repo::{self, AdminUserRow};
use crate::repositories::bootstrap_repo::BootstrapRepo;
use crate::repositories::legacy::{Fields, LegacyCollection};
use crate::repositories::user_access_repo::{self, AccessSource, PersonaState, UserAccessRow};
use std::collections::BTreeMap;

/// A person whom administrators or work have given access.
#[derive(Debug, Clone)]
pub(super) struct KnownPerson {
    pub(super) person: Person,
    pub(super) is_active: bool,
    /// The document that counts.
    document: String,
    changed_at: Option<Timestamp>,
}

/// Everybody with a record, by address; as many as a company has people.
#[derive(Debug, Default)]
pub(super) struct People(BTreeMap<String, KnownPerson>);

impl People {
    /// Who has this address.
    pub(super) fn by_email(&self, email: &Email) -> Option<&KnownPerson> {
        self.0.get(&email.key())
    }

    fn counts(&self, email: &Email, document: &str) -> bool {
        self.by_email(email)
            .is_none_or(|known| known.document == document)
    }
}

impl Importer {
    /// Reads who has records; of several for one address the one changed last counts.
    pub(super) async fn read_people(&self, collection: LegacyCollection) -> anyhow::Result<People> {
        let mut people = People::default();
        let mut documents = self.legacy.walk(collection, None).await?;
        while documents.advance().await? {
            let document = documents.deserialize_current()?;
            let fields = Fields(&document);
            let Some(recorded) = person::read(fields) else {
                continue;
            };
            let changed = ["updated_at", "deactivated_at", "granted_at"];
            let known = KnownPerson {
                is_active: fields.flag("is_active").unwrap_or(true),
                document: identity(fields),
                changed_at: changed.iter().filter_map(|key| fields.instant(key)).max(),
                person: recorded.person,
            };
            let key = known.person.email.key();
            let newer = people.0.get(&key).is_none_or(|other| {
                (known.changed_at, &known.document) > (other.changed_at, &other.document)
            });
            if newer {
                people.0.insert(key, known);
            }
        }
        Ok(people)
    }

    /// Imports who holds which persona.
    pub(super) async fn user_access(&self) -> anyhow::Result<()> {
        self.walk(
            Stage::UserAccess,
            user_access_repo::COLLECTION,
            |fields, notes| access_row(fields, &self.people, notes).into_iter().collect(),
        )
        .await
    }

    /// Imports administrators; with one in charge nobody can set up another by the bootstrap.
    pub(super) async fn admin_users(&self) -> anyhow::Result<()> {
        let admins = self.read_people(LegacyCollection::AdminUsers).await?;
        self.walk(Stage::AdminUsers, admin_user_repo::COLLECTION, |fields, notes| {
            admin_row(fields, &admins, notes).into_iter().collect()
        })
        .await?;
        let in_charge = bson::doc! {"role": "SUPER_ADMIN", "is_active": true};
        let is_governed = self
            .legacy
            .find_one(LegacyCollection::AdminUsers, in_charge)
            .await?
            .is_some();
        if is_governed && self.mode == Mode::Write {
            BootstrapRepo::new(&self.database).latch(self.started_at).await?;
        }
        Ok(())
    }

    /// Imports the administrators' audit log.
    pub(super) async fn admin_audit(&self) -> anyhow::Result<()> {
        self.walk(Stage::AdminAudit, admin_audit_repo::COLLECTION, |fields, _| {
            vec![audit_row(fields)]
        })
        .await
    }
}

/// What tells documents of one person apart; addresses do not.
fn identity(fields: Fields<'_>) -> String {
    fields.value("_id").map(ToString::to_string).unwrap_or_default()
}

fn access_row(fields: Fields<'_>, people: &People, notes: &mut Notes) -> Option<UserAccessRow> {
    let id = subject(fields, "user_access_id");
    let Some(recorded) = person::read(fields).filter(|recorded| !recorded.lacks_address) else {
        notes.leave(RepairRule::Unreadable, &id, "it has no address", fields.0);
        return None;
    };
    let person = recorded.person;
    if !people.counts(&person.email, &identity(fields)) {
        notes.leave(
            RepairRule::PersonTwice,
            &id,
            "a newer record has the same address",
            fields.0,
        );
        return None;
    }
    let persona = |word: &str| {
        let granted = fields.flag(&format!("has_{word}_access")).unwrap_or(false);
        PersonaState {
            granted,
            source: fields.word(&format!("{word}_source")).filter(|_| granted),
            by: fields.owned(&format!("{word}_granted_by")).filter(|_| granted),
            at: fields.instant(&format!("{word}_granted_at")).filter(|_| granted),
            taken_by_admin: false,
            entry_key: None,
            entry_created_row: false,
        }
    };
    let mut personas = [persona("designer"), persona("manager"), persona("agent")];
    let holds_any = personas.iter().any(|persona| persona.granted);
    let is_active = fields.flag("is_active").unwrap_or(true) && holds_any;
    if !holds_any && fields.flag("is_active").unwrap_or(true) {
        notes.tell(
            RepairRule::EmptyAccess,
            &id,
            "an active record without any persona is inactive",
        );
    }
    if !is_active {
        if holds_any {
            notes.tell(RepairRule::RevokedAccess, &id, "it is revoked and holds nothing");
        }
        for persona in &mut personas {
            // What an administrator took away is not given back by a ticket (A13).
            *persona = PersonaState {
                taken_by_admin: true,
                ..PersonaState::default()
            };
        }
    }
    let [designer, manager, agent] = personas;
    let granted_at = fields.instant("granted_at").unwrap_or(Timestamp::from_millis(0));
    Some(UserAccessRow {
        email_key: person.email.key(),
        version: 1,
        user_access_id: UserAccessId::from_stored(id),
        aad_id: person.aad_id,
        email: person.email,
        display_name: person.display_name,
        designer,
        manager,
        agent,
        onboard_source: fields.word("onboard_source").unwrap_or(AccessSource::Manual),
        onboarded_by: fields.owned("onboarded_by"),
        onboarded_by_display_name: fields.owned("onboarded_by_display_name"),
        granted_by: fields
            .owned("granted_by")
            .unwrap_or_else(|| "SYSTEM_SETUP".to_owned()),
        granted_at,
        updated_at: fields.instant("updated_at"),
        updated_by: fields.owned("updated_by"),
        is_active,
    })
}

fn admin_row(fields: Fields<'_>, admins: &People, notes: &mut Notes) -> Option<AdminUserRow> {
    let id = subject(fields, "admin_user_id");
    let recorded = person::read(fields).filter(|recorded| !recorded.lacks_address);
    let (Some(recorded), Some(role)) = (recorded, fields.word("role")) else {
        notes.leave(
            RepairRule::Unreadable,
            &id,
            "it has no address or no known role",
            fields.0,
        );
        return None;
    };
    let person = recorded.person;
    if !admins.counts(&person.email, &identity(fields)) {
        notes.leave(
            RepairRule::PersonTwice,
            &id,
            "a newer record has the same address",
            fields.0,
        );
        return None;
    }
    Some(AdminUserRow {
        email_key: person.email.key(),
        admin_user_id: AdminUserId::from_stored(id),
        aad_id: person.aad_id,
        email: person.email,
        display_name: person.display_name,
        role,
        granted_by: fields.owned("granted_by"),
        granted_at: fields.instant("granted_at").unwrap_or(Timestamp::from_millis(0)),
        is_active: fields.flag("is_active").unwrap_or(true),
        deactivated_at: fields.instant("deactivated_at"),
        deactivated_by: fields.owned("deactivated_by"),
    })
}

fn audit_row(fields: Fields<'_>) -> AdminAuditEvent {
    let id = subject(fields, "audit_id");
    AdminAuditEvent {
        key: format!("import:{id}"),
        audit_id: AdminAuditId::from_stored(id),
        action: fields.owned("action").unwrap_or_default(),
        actor_email: fields.owned("actor_email").unwrap_or_default(),
        actor_display_name: fields.owned("actor_display_name").unwrap_or_default(),
        target_email: fields.owned("target_email"),
        target_display_name: fields.owned("target_display_name"),
        details: fields.json("details"),
        timestamp: fields.instant("timestamp").unwrap_or(Timestamp::from_millis(0)),
        ip_address: fields.owned("ip_address"),
    }
}
