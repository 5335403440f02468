//! The target `form`: see `src/engine/fuzzing/form.rs`.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use workflow_ops_fuzz::{Target, json_mutation};

fuzz_target!(|data: &[u8]| {
    Target::Form.try_out(data);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json_mutation::mutate(data, size, max_size, seed)
});
