//! MongoDB: what is stored, how it is found, and which writes are atomic. Knows `domain` only.

pub mod admin_audit_repo;
pub mod admin_audit_search;
pub mod admin_user_repo;
pub mod bootstrap_repo;
pub mod embedded;
pub mod inapp_repo;
pub mod inapp_row;
pub mod indexes;
pub mod lease_repo;
pub mod mongo;
pub mod outbox_repo;
pub mod outbox_row;
pub mod outbox_search;
pub mod statistics_repo;
pub mod system_config_repo;
pub mod template_override_repo;
pub mod transaction;
pub mod user_access_repo;
