//! Rules that hold for every call: errors, CORS, slashes, correlation, caching, documentation.

mod authorization;
mod browser;
mod caching;
mod documentation;
mod envelopes;
mod idempotency;
mod operations;
mod sign_in;
