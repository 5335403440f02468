//! What every test needs: a running service, clients of its people, and the database behind it.

// Each test uses the part it needs.
#![expect(dead_code, reason = "support for tests that are still to come")]

mod app;
mod client;
mod mongo;

pub(crate) use app::{START, TestApp};
pub(crate) use client::{Reply, TestClient, send as client_send};
