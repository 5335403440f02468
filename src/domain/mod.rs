//! Plain data of the field: ids, times, people, the ticket aggregate, workflows, events and errors.
//!
//! Every other layer uses these types; this module uses none of the others.

pub mod attachment;
pub mod audit;
pub mod conversation;
pub mod directory_user;
pub mod effect;
pub mod error;
pub mod id;
pub mod import;
pub mod json;
pub mod lookup;
pub mod notice;
pub mod person;
pub mod refusal;
pub mod stored_file;
pub mod tail;
pub mod ticket;
pub mod time;
pub mod work;
pub mod workflow;
