//! The commit path: one document, one write, a mailbox per ticket, and a relay behind it (design 3).

mod commands;
mod crash;
mod creation;
mod lost_answers;
mod oracle;
mod process;
mod relay;
mod stage;
mod two_processes;
