//! The program: installs the one TLS provider, reads the command line and runs it.

use clap::Parser;
use std::process::ExitCode;
use workflow_ops::cli::{self, Cli};

/// Requests allocate many small pieces on several threads; docs/performance.md has the figures that chose this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "workflow-ops: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    // Several libraries bring TLS; one provider, chosen here, keeps them from disagreeing at run time.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(cli::run(cli))
}
