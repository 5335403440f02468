//! The target `decide`: see `src/engine/fuzzing/decide.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workflow_ops_fuzz::Target;

fuzz_target!(|data: &[u8]| {
    Target::Decide.try_out(data);
});
