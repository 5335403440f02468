//! The assistant over HTTP, with the production client against a scripted model server.

mod attacks;
mod chat;
mod failures;
mod load;
mod reports;
mod stage;
mod streaming;
