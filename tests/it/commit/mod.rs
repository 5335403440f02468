//! The commit path: one document, one write, a mailbox per ticket, and a relay behind it (design 3).

mod attachments;
mod bounds;
mod commands;
mod crash;
mod creation;
mod database_killed;
mod lost_answers;
pub(crate) mod oracle;
pub(crate) mod process;
mod reads;
mod relay;
pub(crate) mod stage;
mod timers;
mod two_processes;
