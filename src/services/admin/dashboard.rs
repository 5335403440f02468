//! The administrators' dashboard (contract http-admin-notifications 10).

use crate::domain::error::ServiceError;
use crate::domain::person::{Actor, AdminRole};
use crate::repositories::admin_audit_repo::{AdminAuditEvent, AdminAuditRepo};
use crate::repositories::admin_audit_search::AdminAuditFilter;
use crate::repositories::admin_user_repo::AdminUserRepo;
use crate::services::access::require_admin;
use mongodb::Database;

/// How many of the newest changes are shown.
const RECENT: i64 = 10;

/// Serves the dashboard; cheap to clone.
#[derive(Debug, Clone)]
pub struct Dashboard {
    admins: AdminUserRepo,
    audit: AdminAuditRepo,
}

/// What the dashboard shows.
#[derive(Debug, Clone)]
pub struct DashboardFigures {
    /// Active super administrators.
    pub super_admins: u64,
    /// Active administrators.
    pub admins: u64,
    /// Active designers by role.
    pub designers: u64,
    /// The newest changes, newest first.
    pub recent: Vec<AdminAuditEvent>,
}

impl Dashboard {
    /// A dashboard over `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            admins: AdminUserRepo::new(database),
            audit: AdminAuditRepo::new(database),
        }
    }

    /// What the dashboard shows.
    pub async fn show(&self, actor: &Actor) -> Result<DashboardFigures, ServiceError> {
        require_admin(actor)?;
        let everything = AdminAuditFilter::default();
        let (super_admins, admins, designers, page) = tokio::try_join!(
            self.admins.count_active(AdminRole::SuperAdmin),
            self.admins.count_active(AdminRole::Admin),
            self.admins.count_active(AdminRole::Designer),
            self.audit.list(&everything, 0, RECENT),
        )?;
        Ok(DashboardFigures {
            super_admins,
            admins,
            designers,
            recent: page.events,
        })
    }
}
