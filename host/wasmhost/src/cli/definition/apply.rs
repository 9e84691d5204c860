//! `wasmhost definition apply FILE`: what a submission would send, to be kept.

use crate::cli::context::Context;
use crate::cli::exit::Fault;
use crate::cli::submit::prepare::{Definition, draft};
use crate::output::definitions;
use std::path::PathBuf;
use wasmhost_proto::api::ApplyRequest;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A job definition (TOML), or - for standard input
    file: PathBuf,
    /// The name to store it under [default: the job's name]
    #[arg(long)]
    name: Option<String>,
    /// What is to be said of this version
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    note: String,
}

pub(super) async fn run(args: Args, cx: &Context) -> anyhow::Result<()> {
    let client = cx.client().await?;
    let definition = Definition::read(&args.file)?;
    let origin = definition.origin();
    let request = ApplyRequest {
        name: args.name,
        note: args.note,
        job: draft(cx, &client, definition).await?,
    };
    let applied = client.apply(&request).await;
    let (view, created) = applied.map_err(|error| Fault::about(error, origin))?;
    let name = definitions::name(&view);
    cx.out.answer(&view, definitions::name, |_| match created {
        true => format!("stored {name}"),
        false => format!("nothing differs from {name}"),
    })?;
    if created {
        cx.out.talk(format!("wasmhost submit {}", view.name));
    }
    Ok(())
}
