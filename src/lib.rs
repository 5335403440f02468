//! Workflow-ops: an enterprise workflow and ticketing backend.
//!
//! Data flows one way: `api` -> `services` -> `engine` (pure) and `services` -> `repositories`.
//! `ARCHITECTURE.md` is the map.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clients;
pub mod config;
pub mod domain;
pub mod engine;
pub mod lifecycle;
pub mod repositories;
pub mod scheduler;
pub mod services;
pub mod telemetry;
