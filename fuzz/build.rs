//! Says `cfg(fuzzing)` to the sources of the service, which then bring what the fuzz targets try.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
    println!("cargo::rustc-cfg=fuzzing");
    println!("cargo::rerun-if-changed=build.rs");
}
