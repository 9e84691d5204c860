//! `wasmhost module push | list | show | remove`

use super::context::Context;
use super::exit::{Exit, Fault};
use super::modules::{self, Local};
use crate::output::human::{self, size};
use crate::output::lists::{self, kind, short};
use crate::output::story;
use serde_json::json;
use std::path::PathBuf;
use wasmhost_proto::api::{ModuleView, Page};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Verb {
    /// Push a module: a .wasm or .wat file, or a crate's folder, which is built
    Push(Push),
    /// List modules
    List,
    /// Show a module: its kind, imports, exports, and the schemas of its input and output
    Show {
        /// `name`, `name:version`, or eight or more digits of its digest
        module: String,
    },
    /// Remove a module
    Remove {
        /// `name`, `name:version`, or eight or more digits of its digest
        module: String,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct Push {
    /// A .wasm or .wat file, or the folder of a crate
    file: PathBuf,
    /// Name it [default: what the module says of itself]
    #[arg(long)]
    name: Option<String>,
    /// Its version [default: what the module says of itself]
    #[arg(long)]
    version: Option<String>,
}

pub(crate) async fn run(verb: Verb, cx: &Context) -> anyhow::Result<Exit> {
    match verb {
        Verb::Push(args) => push(args, cx).await?,
        Verb::List => {
            let page = cx.client().await?.modules().await?;
            let ids = |page: &Page<ModuleView>| {
                page.items
                    .iter()
                    .map(|m| format!("{}\n", m.digest))
                    .collect()
            };
            cx.out
                .answer(&page, ids, |page| lists::modules(page, human::now()))?;
        }
        Verb::Show { module } => {
            let module = cx.client().await?.module(&module).await?;
            cx.out
                .answer(&module, |m| m.digest.to_string(), story::module)?;
        }
        Verb::Remove { module } => {
            let client = cx.client().await?;
            // The name may move on to another digest: say which one went.
            let view = client.module(&module).await?;
            client.remove_module(&module).await?;
            let done = json!({ "removed": view.digest });
            cx.out.answer(
                &done,
                |_| view.digest.to_string(),
                |_| format!("removed {module} ({})", short(&view.digest)),
            )?;
        }
    }
    Ok(Exit::OK)
}

async fn push(args: Push, cx: &Context) -> anyhow::Result<()> {
    let client = cx.client().await?;
    let Local { bytes, name } = modules::load(cx, &args.file)?;
    let name = args.name.or(name);
    let pushed = modules::push(cx, &client, name.as_deref(), args.version.as_deref(), bytes).await;
    let module = pushed.map_err(|error| {
        let mut fault = Fault::of(error.into());
        fault.problem.title = format!("{}: {}", args.file.display(), fault.problem.title);
        fault
    })?;
    cx.out.answer(
        &module,
        |m| m.digest.to_string(),
        |m| {
            let name = m
                .names
                .last()
                .map(String::as_str)
                .unwrap_or("without a name");
            format!(
                "pushed {} ({}, {}, {})",
                name,
                kind(m.kind),
                size(m.len),
                short(&m.digest)
            )
        },
    )
}
