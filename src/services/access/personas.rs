//! Personas as administrators give and take them (contract http-admin-notifications 7).

use super::{AccessService, ChangedBy, of_record};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::UserAccessId;
use crate::domain::person::Email;
use crate::domain::time::Timestamp;
use crate::repositories::admin_audit_repo::AdminAuditEvent;
use crate::repositories::transaction::{Transaction, TransactionFault, settled};
use crate::repositories::user_access_repo::{AccessSource, PersonaState, UserAccessRow};
use serde_json::{Value, json};

/// Whom an administrator grants what.
#[derive(Debug, Clone)]
pub struct GrantPersonas {
    /// The address.
    pub email: Email,
    /// The name.
    pub display_name: String,
    /// The directory's object id, when known.
    pub aad_id: Option<String>,
    /// The personas; what is not named here is taken away.
    pub flags: PersonaFlags,
}

/// Personas to be set; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct PersonaFlags {
    /// May design workflows.
    pub designer: Option<bool>,
    /// Sees the manager's screens.
    pub manager: Option<bool>,
    /// Sees the agent's screens.
    pub agent: Option<bool>,
}

/// What to do with a record.
enum Change<'a> {
    Grant(&'a GrantPersonas),
    Update(&'a Email, PersonaFlags),
    Revoke(&'a Email),
}

impl AccessService {
    /// A window of the persona records by address, and how many there are.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn list_personas(
        &self,
        include_inactive: bool,
        skip: u64,
        limit: i64,
    ) -> Result<(Vec<UserAccessRow>, u64), ServiceError> {
        Ok(self.users.list(include_inactive, skip, limit).await?)
    }

    /// The active record with this address.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn personas_of(&self, email: &Email) -> Result<Option<UserAccessRow>, ServiceError> {
        Ok(self.users.by_email(email).await?.filter(|row| row.is_active))
    }

    /// Gives exactly the named personas; a revoked person is taken in again.
    ///
    /// # Errors
    /// No persona is named, or the database is unavailable.
    pub async fn grant_personas(
        &self,
        grant: &GrantPersonas,
        by: &ChangedBy,
    ) -> Result<UserAccessRow, ServiceError> {
        let flags = [grant.flags.designer, grant.flags.manager, grant.flags.agent];
        if !flags.contains(&Some(true)) {
            let text = "name at least one persona: designer, manager or agent";
            return Err(ServiceError::bad_request(ErrorCode::ValidationError, text));
        }
        self.change(&Change::Grant(grant), by).await
    }

    /// Sets the named personas of an active record; all false is a revocation.
    ///
    /// # Errors
    /// There is no active record with this address, or the database is unavailable.
    pub async fn update_personas(
        &self,
        email: &Email,
        flags: PersonaFlags,
        by: &ChangedBy,
    ) -> Result<UserAccessRow, ServiceError> {
        self.change(&Change::Update(email, flags), by).await
    }

    /// Takes all personas away; tickets do not give them back.
    ///
    /// # Errors
    /// There is no active record with this address, or the database is unavailable.
    pub async fn revoke_personas(
        &self,
        email: &Email,
        by: &ChangedBy,
    ) -> Result<UserAccessRow, ServiceError> {
        self.change(&Change::Revoke(email), by).await
    }

    async fn change(&self, change: &Change<'_>, by: &ChangedBy) -> Result<UserAccessRow, ServiceError> {
        let row = settled(|| self.try_change(change, by)).await?;
        self.forget();
        Ok(row)
    }

    async fn try_change(
        &self,
        change: &Change<'_>,
        by: &ChangedBy,
    ) -> Result<UserAccessRow, TransactionFault> {
        let mut transaction = Transaction::begin(&self.database).await?;
        let known = self
            .users
            .by_email_in(change.email(), transaction.session())
            .await?;
        let now = self.clock.now();
        let Some((row, details)) = change.apply(known, by, now) else {
            transaction.abort().await;
            let text = "nobody with this address has active access";
            return Err(ServiceError::not_found(ErrorCode::NotFound, text).into());
        };
        let event = AdminAuditEvent::new("UPDATE_USER_ACCESS", &by.person, details, now)
            .about(row.email.as_str(), Some(&row.display_name))
            .from_address(by.ip_address.clone());
        let put = self.users.put_in(&row, transaction.session()).await;
        put.map_err(of_record)?;
        self.audit.commit_with(transaction, &event).await?;
        Ok(row)
    }
}

impl Change<'_> {
    const fn email(&self) -> &Email {
        match self {
            Self::Grant(grant) => &grant.email,
            Self::Update(email, _) | Self::Revoke(email) => email,
        }
    }

    /// The record after the change and the audit row's details; `None` when there is nothing to change.
    fn apply(
        &self,
        known: Option<UserAccessRow>,
        by: &ChangedBy,
        now: Timestamp,
    ) -> Option<(UserAccessRow, Value)> {
        let administrator = by.person.email.as_str();
        match self {
            Self::Grant(grant) => {
                let flags = [grant.flags.designer, grant.flags.manager, grant.flags.agent];
                let flags = flags.map(|flag| Some(flag.unwrap_or(false)));
                let row = known.map_or_else(|| new_row(grant, administrator, now), |row| renamed(row, grant));
                Some(set(row, flags, administrator, now))
            }
            Self::Update(_, flags) => {
                let row = known.filter(|row| row.is_active)?;
                Some(set(
                    row,
                    [flags.designer, flags.manager, flags.agent],
                    administrator,
                    now,
                ))
            }
            Self::Revoke(_) => {
                let row = known.filter(|row| row.is_active)?;
                Some(revoke(row, administrator, now))
            }
        }
    }
}

/// Sets personas; a record that keeps none is revoked.
fn set(
    mut row: UserAccessRow,
    flags: [Option<bool>; 3],
    administrator: &str,
    now: Timestamp,
) -> (UserAccessRow, Value) {
    let states = [&mut row.designer, &mut row.manager, &mut row.agent];
    for (state, flag) in states.into_iter().zip(flags) {
        match flag {
            Some(true) if !state.granted => *state = given(administrator, now),
            Some(false) if state.granted => *state = taken(state),
            Some(_) | None => {}
        }
    }
    if !(row.designer.granted || row.manager.granted || row.agent.granted) {
        return revoke(row, administrator, now);
    }
    row.is_active = true;
    touch(&mut row, administrator, now);
    let held = row.personas();
    let details = json!({"designer": held.designer, "manager": held.manager, "agent": held.agent});
    (row, details)
}

/// Takes everything away; the marker also covers personas not held, so that no ticket brings the person back.
fn revoke(mut row: UserAccessRow, administrator: &str, now: Timestamp) -> (UserAccessRow, Value) {
    for state in [&mut row.designer, &mut row.manager, &mut row.agent] {
        *state = taken(state);
    }
    row.is_active = false;
    touch(&mut row, administrator, now);
    (row, json!({"action": "revoked_all_access"}))
}

fn given(administrator: &str, now: Timestamp) -> PersonaState {
    PersonaState {
        granted: true,
        source: Some(AccessSource::Manual),
        by: Some(administrator.to_owned()),
        at: Some(now),
        ..PersonaState::default()
    }
}

/// The wire fields are cleared; the relayed entry stays known, so that its late repeat is recognised.
fn taken(state: &PersonaState) -> PersonaState {
    PersonaState {
        taken_by_admin: true,
        entry_key: state.entry_key.clone(),
        entry_created_row: state.entry_created_row,
        ..PersonaState::default()
    }
}

fn touch(row: &mut UserAccessRow, administrator: &str, now: Timestamp) {
    row.version += 1;
    row.updated_at = Some(now);
    row.updated_by = Some(administrator.to_owned());
}

fn renamed(mut row: UserAccessRow, grant: &GrantPersonas) -> UserAccessRow {
    row.display_name.clone_from(&grant.display_name);
    row.email = grant.email.clone();
    if grant.aad_id.is_some() {
        row.aad_id.clone_from(&grant.aad_id);
    }
    row
}

fn new_row(grant: &GrantPersonas, administrator: &str, now: Timestamp) -> UserAccessRow {
    UserAccessRow {
        email_key: grant.email.key(),
        version: 0,
        user_access_id: UserAccessId::random(),
        aad_id: grant.aad_id.clone(),
        email: grant.email.clone(),
        display_name: grant.display_name.clone(),
        designer: PersonaState::default(),
        manager: PersonaState::default(),
        agent: PersonaState::default(),
        onboard_source: AccessSource::Manual,
        onboarded_by: None,
        onboarded_by_display_name: None,
        granted_by: administrator.to_owned(),
        granted_at: now,
        updated_at: None,
        updated_by: None,
        is_active: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> UserAccessRow {
        let grant = GrantPersonas {
            email: Email::try_from("ann@a.example").unwrap(),
            display_name: "Ann".to_owned(),
            aad_id: None,
            flags: PersonaFlags::default(),
        };
        new_row(&grant, "root@a.example", Timestamp::from_millis(0))
    }

    #[test]
    fn only_what_changes_gets_a_new_origin() {
        let now = Timestamp::from_millis(1);
        let (first, details) = set(row(), [Some(true), Some(false), None], "root@a.example", now);
        assert_eq!(first.designer.source, Some(AccessSource::Manual));
        assert!(
            !first.manager.taken_by_admin,
            "what was never held was not taken away"
        );
        assert_eq!(
            details,
            json!({"designer": true, "manager": false, "agent": false})
        );
        let later = Timestamp::from_millis(2);
        let (second, _) = set(
            first.clone(),
            [Some(true), Some(true), None],
            "x@a.example",
            later,
        );
        assert_eq!(second.designer, first.designer);
        assert_eq!(second.manager.by.as_deref(), Some("x@a.example"));
    }

    #[test]
    fn taking_the_last_persona_away_is_a_revocation() {
        let now = Timestamp::from_millis(1);
        let (held, _) = set(row(), [None, Some(true), None], "root@a.example", now);
        let (gone, details) = set(held, [None, Some(false), None], "root@a.example", now);
        assert!(!gone.is_active && gone.agent.taken_by_admin && gone.manager.source.is_none());
        assert_eq!(details, json!({"action": "revoked_all_access"}));
    }
}
