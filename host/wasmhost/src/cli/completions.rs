//! `wasmhost completions SHELL`

use super::Cli;
use super::exit::Exit;
use clap::CommandFactory;
use clap_complete::{Shell, generate};
use std::io::Write;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The shell to complete in
    shell: Shell,
}

pub(crate) fn run(args: Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "wasmhost", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::OK)
}
