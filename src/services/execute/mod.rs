//! The only path that changes a ticket: facts are gathered, the ticket's mailbox decides and commits, the relay is told.

mod request;

pub use request::{CommandRequest, CreateRequest, Executed, ExpectedVersion, IdempotencyKey, fingerprint};
