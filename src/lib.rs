//! Workflow-ops: an enterprise workflow and ticketing backend.
//!
//! Data flows one way: `api` -> `services` -> `engine` (pure) and `services` -> `repositories`.
//! `ARCHITECTURE.md` is the map.

pub mod clients;
pub mod config;
pub mod domain;
pub mod engine;
pub mod repositories;
