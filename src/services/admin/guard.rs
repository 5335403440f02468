//! The rights of administrators (contract http-admin-notifications 2).

use crate::domain::error::ServiceError;
use crate::domain::person::{Actor, AdminRole};

/// Refuses everybody but `ADMIN` and `SUPER_ADMIN`.
pub fn require_admin(actor: &Actor) -> Result<(), ServiceError> {
    if actor.is_admin() {
        Ok(())
    } else {
        Err(ServiceError::forbidden("this needs the role of an administrator"))
    }
}

/// Refuses everybody but `SUPER_ADMIN`.
pub fn require_super_admin(actor: &Actor) -> Result<(), ServiceError> {
    if actor.admin_role == Some(AdminRole::SuperAdmin) {
        Ok(())
    } else {
        Err(ServiceError::forbidden(
            "this needs the role of a super administrator",
        ))
    }
}
