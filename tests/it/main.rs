//! Integration tests: the whole service over HTTP against a real `mongod`, one database per test.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that finds something else than it expects fails, in its helpers too"
)]

mod access;
mod commit;
mod http;
mod mail;
mod support;
