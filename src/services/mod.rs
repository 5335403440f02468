//! Use cases: load, decide, commit, and shape the answer. The only callers of the engine.

pub mod access;
