//! Shapes on the wire that several families share.

pub mod page;
pub mod person;
pub mod wire_time;
