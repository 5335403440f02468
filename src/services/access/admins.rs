//! Administrators' roles, given and taken (contract http-admin-notifications 6).

use super::{AccessService, ChangedBy, of_record, refused_field};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::AdminUserId;
use crate::domain::person::{Actor, AdminRole, Email};
use crate::repositories::admin_audit_repo::AdminAuditEvent;
use crate::repositories::admin_user_repo::{AdminUserRow, role_word};
use crate::repositories::transaction::{Transaction, TransactionFault, settled};
use serde_json::json;

/// Whom to give which role.
#[derive(Debug, Clone)]
pub struct GrantAdmin {
    /// The address.
    pub email: Email,
    /// The name.
    pub display_name: String,
    /// The directory's object id, when known.
    pub aad_id: Option<String>,
    /// The role.
    pub role: AdminRole,
}

/// What to do with a row.
enum Change<'a> {
    Grant(&'a GrantAdmin),
    /// Take the role away; `Some` only if it is this one.
    Revoke(&'a Email, Option<AdminRole>),
}

impl AccessService {
    /// A window of the administrators (of one role, or all), and how many there are.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn list_admins(
        &self,
        role: Option<AdminRole>,
        include_inactive: bool,
        skip: u64,
        limit: i64,
    ) -> Result<(Vec<AdminUserRow>, u64), ServiceError> {
        Ok(self.admins.list(role, include_inactive, skip, limit).await?)
    }

    /// Gives a role. Nobody is moved down, and the same role of an administrator is not given twice; a designer's
    /// grant may be repeated and refreshes the name.
    ///
    /// # Errors
    /// The person has this or a higher role, or the database is unavailable.
    pub async fn grant_admin(
        &self,
        grant: &GrantAdmin,
        by: &ChangedBy,
    ) -> Result<AdminUserRow, ServiceError> {
        self.change_admin(&Change::Grant(grant), by).await
    }

    /// Takes a designer's role away.
    ///
    /// # Errors
    /// There is no active row (404), its role is another (409), or the database is unavailable.
    pub async fn revoke_designer(&self, email: &Email, by: &ChangedBy) -> Result<AdminUserRow, ServiceError> {
        self.change_admin(&Change::Revoke(email, Some(AdminRole::Designer)), by)
            .await
    }

    /// Takes a role away.
    ///
    /// # Errors
    /// It is the caller's own (400), there is no active row (404), nobody would be left to govern (409), or the
    /// database is unavailable.
    pub async fn revoke_admin(&self, email: &Email, by: &ChangedBy) -> Result<AdminUserRow, ServiceError> {
        self.change_admin(&Change::Revoke(email, None), by).await
    }

    /// The caller's own row, after filling in what the token knows and the grant did not.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn note_sign_in(&self, actor: &Actor) -> Result<(), ServiceError> {
        let Some(row) = self.admins.active_of(&actor.person).await? else {
            return Ok(());
        };
        if let (None, Some(aad_id)) = (&row.aad_id, &actor.person.aad_id) {
            self.admins.fill_aad_id(&row, aad_id).await?;
        }
        if row.display_name != actor.person.display_name {
            self.admins.refresh_name(&row, &actor.person.display_name).await?;
        }
        Ok(())
    }

    async fn change_admin(&self, change: &Change<'_>, by: &ChangedBy) -> Result<AdminUserRow, ServiceError> {
        let row = settled(|| self.try_change_admin(change, by)).await?;
        self.forget();
        Ok(row)
    }

    async fn try_change_admin(
        &self,
        change: &Change<'_>,
        by: &ChangedBy,
    ) -> Result<AdminUserRow, TransactionFault> {
        let mut transaction = Transaction::begin(&self.database).await?;
        let known = self
            .admins
            .by_email_in(change.email(), transaction.session())
            .await?;
        let was_super = known
            .as_ref()
            .is_some_and(|row| row.is_active && row.role == AdminRole::SuperAdmin);
        let (row, event) = match change.apply(known, by, self.clock.now()) {
            Ok(changed) => changed,
            Err(refusal) => {
                transaction.abort().await;
                return Err(refusal.into());
            }
        };
        if was_super && self.admins.super_admins_in(transaction.session()).await? <= 1 {
            transaction.abort().await;
            let text = "this is the last super administrator; name another one first";
            return Err(ServiceError::conflict(ErrorCode::Conflict, text).into());
        }
        let put = self.admins.put_in(&row, transaction.session()).await;
        put.map_err(of_record)?;
        self.audit.commit_with(transaction, &event).await?;
        Ok(row)
    }
}

impl Change<'_> {
    const fn email(&self) -> &Email {
        match self {
            Self::Grant(grant) => &grant.email,
            Self::Revoke(email, _) => email,
        }
    }

    /// The row after the change and its audit event.
    fn apply(
        &self,
        known: Option<AdminUserRow>,
        by: &ChangedBy,
        now: crate::domain::time::Timestamp,
    ) -> Result<(AdminUserRow, AdminAuditEvent), ServiceError> {
        let (row, action, details) = match self {
            Self::Grant(grant) => {
                check_grant(grant, known.as_ref())?;
                let row = granted(grant, known, by.person.email.as_str(), now);
                let details = json!({"role": role_word(grant.role)});
                (row, grant_action(grant.role), details)
            }
            Self::Revoke(email, only) => {
                let mut row = check_revoke(email, *only, known, by)?;
                row.is_active = false;
                row.deactivated_at = Some(now);
                row.deactivated_by = Some(by.person.email.as_str().to_owned());
                let details = json!({"role": role_word(row.role)});
                let action = revoke_action(row.role);
                (row, action, details)
            }
        };
        let event = AdminAuditEvent::new(action, &by.person, details, now)
            .about(row.email.as_str(), Some(&row.display_name))
            .from_address(by.ip_address.clone());
        Ok((row, event))
    }
}

const fn grant_action(role: AdminRole) -> &'static str {
    match role {
        AdminRole::Designer => "GRANT_DESIGNER_ACCESS",
        AdminRole::Admin => "GRANT_ADMIN_ACCESS",
        AdminRole::SuperAdmin => "SUPER_ADMIN_CREATED",
    }
}

const fn revoke_action(role: AdminRole) -> &'static str {
    match role {
        AdminRole::Designer => "REVOKE_DESIGNER_ACCESS",
        AdminRole::Admin | AdminRole::SuperAdmin => "REVOKE_ADMIN_ACCESS",
    }
}

fn check_grant(grant: &GrantAdmin, known: Option<&AdminUserRow>) -> Result<(), ServiceError> {
    let Some(held) = known.filter(|row| row.is_active).map(|row| row.role) else {
        return Ok(());
    };
    if held > grant.role {
        return Err(refused_field(
            "target_email",
            "this person already has a higher role",
        ));
    }
    if held == grant.role && held != AdminRole::Designer {
        return Err(refused_field("target_email", "this person already has this role"));
    }
    Ok(())
}

fn granted(
    grant: &GrantAdmin,
    known: Option<AdminUserRow>,
    administrator: &str,
    now: crate::domain::time::Timestamp,
) -> AdminUserRow {
    let (id, known_aad_id) = match known {
        Some(row) => (row.admin_user_id, row.aad_id),
        None => (AdminUserId::random(), None),
    };
    AdminUserRow {
        email_key: grant.email.key(),
        admin_user_id: id,
        aad_id: grant.aad_id.clone().or(known_aad_id),
        email: grant.email.clone(),
        display_name: grant.display_name.clone(),
        role: grant.role,
        granted_by: Some(administrator.to_owned()),
        granted_at: now,
        is_active: true,
        deactivated_at: None,
        deactivated_by: None,
    }
}

fn check_revoke(
    email: &Email,
    only: Option<AdminRole>,
    known: Option<AdminUserRow>,
    by: &ChangedBy,
) -> Result<AdminUserRow, ServiceError> {
    let row = known.filter(|row| row.is_active).ok_or_else(|| {
        ServiceError::not_found(ErrorCode::NotFound, "nobody with this address has an active role")
    })?;
    if only.is_some_and(|role| role != row.role) {
        let text = "this person administers; take the role away under administrators";
        return Err(ServiceError::conflict(ErrorCode::Conflict, text));
    }
    let same_id = row.aad_id.is_some() && row.aad_id == by.person.aad_id;
    if only.is_none() && (*email == by.person.email || same_id) {
        return Err(refused_field(
            "target_email",
            "you cannot take your own role away",
        ));
    }
    Ok(row)
}
