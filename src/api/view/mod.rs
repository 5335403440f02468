//! Shapes on the wire that several families share.

pub mod change_request;
pub mod page;
pub mod person;
pub mod records;
pub mod step;
pub mod ticket;
pub mod validation;
pub mod wire_time;
