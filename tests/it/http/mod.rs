//! Rules that hold for every call: errors, CORS, slashes, correlation, caching, documentation.

mod abuse;
mod authorization;
mod bounds;
mod browser;
mod caching;
mod connections;
mod contract;
mod documentation;
mod envelopes;
mod health;
mod idempotency;
mod operations;
mod sign_in;
