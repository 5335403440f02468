//! MongoDB: what is stored, how it is found, and which writes are atomic. Knows `domain` only.

pub mod admin_user_repo;
pub mod embedded;
pub mod inapp_repo;
pub mod inapp_row;
pub mod indexes;
pub mod mongo;
pub mod outbox_repo;
pub mod outbox_row;
pub mod user_access_repo;
