//! Integration tests: the whole service over HTTP against a real `mongod`, one database per test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on says so by a panic, and reads its own environment"
)]

mod access;
mod assistant;
mod attachments;
mod commit;
mod directory;
mod drafting;
mod faults;
mod http;
mod import;
mod lookups;
mod mail;
mod overload;
mod proof;
mod scheduler;
mod start;
mod support;
mod tickets;
mod workflows;
