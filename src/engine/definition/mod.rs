//! Workflow definitions as the engine sees them: compiled once per published version, then only read.
//!
//! [`model`] has the typed views, `compile` builds them from opaque JSON, `validate` refuses at publish what could
//! strand a ticket.

mod autofix;
mod branch_membership;
mod compile;
mod execution_order;
mod forms;
pub mod model;
mod published;
mod steps;
pub mod validate;

pub use compile::{SchemaFinding, compile};
pub use model::*;
pub use published::PublishedField;
