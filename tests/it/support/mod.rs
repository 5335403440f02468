//! What every test needs: a running service, clients of its people, and the database behind it.

// Each test uses the part it needs.
#![expect(dead_code, reason = "support for tests that are still to come")]

mod app;
mod client;
mod document;
mod mails;
mod model_server;
pub(crate) mod mongo;
mod service_process;
mod smtp;
mod waiting;

pub(crate) use app::{START, TestApp, grant_people_their_rights, issuer_key};
pub(crate) use client::{Reply, TestClient, send as client_send, try_send as client_try_send};
pub(crate) use mails::{mail, mail_to, notice};
pub(crate) use model_server::{Behaviour, ModelServer};
pub(crate) use service_process::{ServiceProcess, program_environment};
pub(crate) use smtp::{AUTHORITY, SmtpServer, TakenMail};
pub(crate) use waiting::{eventually, eventually_within};
