//! Integration tests: the whole service over HTTP against a real `mongod`, one database per test.

mod access;
mod commit;
mod http;
mod mail;
mod support;
