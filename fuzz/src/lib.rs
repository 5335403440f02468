//! The pure parts of the service under the fuzzer: `domain` and `engine` as they stand in the service's own folder. That
//! they compile here, without a network and without a database, is what `ARCHITECTURE.md` says of them.

#![expect(dead_code, reason = "the service uses what the targets do not")]

#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/engine/mod.rs"]
pub mod engine;
#[cfg(feature = "libfuzzer")]
pub mod json_mutation;

pub use engine::fuzzing::Target;
