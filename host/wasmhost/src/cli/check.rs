//! `wasmhost check FILE`: the mistakes that a submission would find, without
//! building, uploading or running anything.

use super::context::Context;
use super::exit::{Exit, Fault};
use super::submit::prepare::{Definition, outlook};
use crate::output::human::{duration, line, memory, number};
use crate::output::lists::short;
use crate::output::table::{render, table};
use std::path::PathBuf;
use wasmhost_proto::api::CheckView;
use wasmhost_proto::limits::MAX_NAME;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A job definition (TOML), or - for standard input
    file: PathBuf,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let definition = Definition::read(&args.file)?;
    let (name, origin) = (definition.name.clone(), definition.origin());
    // Most mistakes are found without a primary.
    let request = outlook(definition)?;
    let view = cx
        .client()
        .await?
        .check(&request)
        .await
        .map_err(|error| Fault::about(error, origin))?;
    cx.out.answer(&view, |view| view.name.clone(), text)?;
    cx.out
        .talk(format!("{name} is right: wasmhost submit {name}"));
    Ok(Exit::OK)
}

fn text(view: &CheckView) -> String {
    let mut out = table(&["NODE", ">TASKS", "MODULE", ">TIME", ">MEMORY", ">OUTPUT"]);
    for node in &view.nodes {
        out.add_row([
            line(&node.name, MAX_NAME),
            number(node.count.into()),
            node.module.as_ref().map_or("not built yet".into(), short),
            duration(node.limits.wall_ms),
            memory(node.limits.memory),
            memory(node.limits.output),
        ]);
    }
    render(&out)
}
