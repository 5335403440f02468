//! The personas and the administrator's role of a caller, from rows at most five seconds old.

use crate::config::BootstrapSettings;
use crate::domain::error::ServiceError;
use crate::domain::person::{Actor, AdminRole, Person, Personas};
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::admin_audit_repo::AdminAuditRepo;
use crate::repositories::admin_user_repo::AdminUserRepo;
use crate::repositories::bootstrap_repo::BootstrapRepo;
use crate::repositories::user_access_repo::UserAccessRepo;
use mongodb::Database;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Changes made by other processes are seen this soon (design 3).
const MAX_AGE_MILLIS: i64 = 5_000;
/// People whose roles are remembered.
const REMEMBERED: usize = 10_000;

/// Access rights; cheap to clone.
#[derive(Debug, Clone)]
pub struct AccessService {
    pub(super) users: UserAccessRepo,
    pub(super) admins: AdminUserRepo,
    pub(super) audit: AdminAuditRepo,
    pub(super) bootstrap: BootstrapRepo,
    pub(super) bootstrap_settings: Option<BootstrapSettings>,
    pub(super) database: Database,
    pub(super) clock: Clock,
    remembered: Arc<Cache<(String, String), Roles>>,
}

#[derive(Debug, Clone, Copy)]
struct Roles {
    personas: Personas,
    admin_role: Option<AdminRole>,
    read_at: Timestamp,
}

impl AccessService {
    /// The service over `database`; without bootstrap settings nobody can log in to the set-up.
    pub fn new(database: &Database, clock: Clock, bootstrap_settings: Option<BootstrapSettings>) -> Self {
        Self {
            users: UserAccessRepo::new(database),
            admins: AdminUserRepo::new(database),
            audit: AdminAuditRepo::new(database),
            bootstrap: BootstrapRepo::new(database),
            bootstrap_settings,
            database: database.clone(),
            clock,
            remembered: Arc::new(Cache::new(REMEMBERED)),
        }
    }

    /// The actor that a proved person is.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn actor_of(&self, person: Person, token_roles: Vec<String>) -> Result<Actor, ServiceError> {
        let key = (person.aad_id.clone().unwrap_or_default(), person.email.key());
        let now = self.clock.now();
        let fresh = self.remembered.get(&key).filter(|roles| {
            let age = now.since(roles.read_at).num_milliseconds();
            (0..MAX_AGE_MILLIS).contains(&age)
        });
        let roles = if let Some(roles) = fresh {
            roles
        } else {
            let roles = self.read(&person, now).await?;
            self.remembered.insert(key, roles);
            roles
        };
        Ok(Actor {
            person,
            token_roles,
            personas: roles.personas,
            admin_role: roles.admin_role,
        })
    }

    /// Forgets what is remembered, after a change made by this process.
    pub fn forget(&self) {
        self.remembered.clear();
    }

    async fn read(&self, person: &Person, read_at: Timestamp) -> Result<Roles, ServiceError> {
        let (access, admin) = tokio::try_join!(self.users.active_of(person), self.admins.active_of(person))?;
        Ok(Roles {
            personas: access.map(|row| row.personas()).unwrap_or_default(),
            admin_role: admin.map(|row| row.role),
            read_at,
        })
    }
}
