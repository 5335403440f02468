//! Shapes on the wire that several families share.

pub mod audit_trail;
pub mod change_request;
pub mod content_disposition;
pub mod page;
pub mod person;
pub mod records;
pub mod step;
mod step_data;
pub mod ticket;
pub mod validation;
pub mod wire_time;
