//! Tickets over HTTP: what people do, what they see, and what they are refused.

mod actions;
mod change_requests;
mod crowd;
mod exports;
mod lists;
mod plans;
mod races;
pub(crate) mod stage;
