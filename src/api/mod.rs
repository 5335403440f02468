//! The HTTP surface: extract, call one service method, answer.

pub mod admin;
pub mod assistant;
pub mod attachments;
pub mod change_requests;
pub mod dev;
pub mod directory;
pub mod docs;
pub mod envelope;
pub mod export;
pub mod extract;
pub mod genai;
pub mod health;
pub mod layer;
mod links;
pub mod lookups;
pub mod metrics;
pub mod notifications;
pub mod openapi;
mod parameters;
pub mod router;
mod schema;
mod serve;
pub mod tickets;
pub mod view;
pub mod workflows;

pub use serve::serve;
