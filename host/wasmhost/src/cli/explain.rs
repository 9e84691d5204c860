//! `wasmhost explain FILE`: what would run, in full, without running it.

use super::check::look;
use super::context::Context;
use super::exit::Exit;
use crate::output::explain;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A job definition (TOML), or - for standard input
    file: PathBuf,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let looked = look(&args.file, cx).await?;
    cx.out
        .answer(&looked.view, |view| view.name.clone(), explain::text)?;
    if let Some(unchecked) = looked.unchecked {
        cx.out.talk(unchecked);
    }
    Ok(Exit::OK)
}
