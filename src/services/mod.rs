//! Use cases: load, decide, store, and shape the answer. Called by `api`, `scheduler` and `cli`.

pub mod access;
pub mod admin;
pub mod execute;
pub mod notifications;
pub mod system_config;
pub mod templates;
