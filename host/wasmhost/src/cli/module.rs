//! `wasmhost module push | build | list | show | remove`

use super::context::Context;
use super::exit::{Exit, Fault};
use super::modules::{self, Local};
use crate::output::human::{self, size};
use crate::output::lists::{self, kind, short};
use crate::output::story;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use wasmhost_proto::Digest;
use wasmhost_proto::api::{ModuleView, Page};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Verb {
    /// Push a module: a .wasm or .wat file, a crate's folder, which is built, a script,
    /// which is made one module with its engine, or an image
    Push(Push),
    /// Make the module of a crate, a .wat file, or a script with its engine, and write it to a file
    Build(Build),
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
    /// A .wasm or .wat file, the folder of a crate, a .js or .rhai script,
    /// oci://REGISTRY/NAME:TAG (or @sha256:…), or oci-layout:FOLDER:TAG
    file: PathBuf,
    /// Name it [default: what the module says of itself]
    #[arg(long)]
    name: Option<String>,
    /// Its version [default: what the module says of itself]
    #[arg(long)]
    version: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Build {
    /// The folder of a crate, a .wat file, or a .js or .rhai script
    file: PathBuf,
    /// Where to write it [default: its name and .wasm, here]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(crate) async fn run(verb: Verb, cx: &Context) -> anyhow::Result<Exit> {
    match verb {
        Verb::Push(args) => push(args, cx).await?,
        Verb::Build(args) => build(args, cx).await?,
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
    let Local { bytes, name } = modules::load(cx, &args.file).await?;
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

async fn build(args: Build, cx: &Context) -> anyhow::Result<()> {
    use anyhow::Context as _;
    let Local { bytes, name } = modules::load(cx, &args.file).await?;
    let to = args.to.unwrap_or_else(|| {
        let stem = args.file.file_stem().unwrap_or_default().to_string_lossy();
        format!("{}.wasm", name.unwrap_or_else(|| stem.into_owned())).into()
    });
    std::fs::write(&to, &bytes).with_context(|| format!("cannot write {}", to.display()))?;
    let digest = Digest(Sha256::digest(&bytes).into());
    let done = json!({ "file": to, "digest": digest, "len": bytes.len() });
    cx.out.answer(
        &done,
        |_| digest.to_string(),
        |_| {
            let size = size(bytes.len() as u64);
            format!("wrote {} ({size}, {})", to.display(), short(&digest))
        },
    )
}
