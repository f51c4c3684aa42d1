//! Arguments to configuration to [`wapid::run`] or [`wapid::cli`].

use std::process::ExitCode;

use clap::Parser as _;
use wapid::cli::{self, Arguments};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(cli::run(arguments)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the last words go to whoever typed the command")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("wapid: {error:#}");
    ExitCode::FAILURE
}
