//! Use cases: load, decide, store, and shape the answer. Called by `api`, `scheduler` and `cli`.

pub mod access;
pub mod admin;
pub mod assistant;
pub mod attachments;
pub mod change_requests;
pub mod definition_cache;
pub mod directory;
pub mod drafting;
pub mod execute;
pub mod exports;
pub mod facts;
pub mod idempotency;
pub mod import;
pub mod lookups;
mod mailbox;
pub mod model;
pub mod notifications;
pub mod relay;
pub mod replay;
pub mod seed;
pub mod statistics;
pub mod system_config;
pub mod templates;
pub mod tickets;
pub mod timers;
pub mod workflows;
