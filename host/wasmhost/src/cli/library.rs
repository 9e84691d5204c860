//! `wasmhost library add | list | remove`

use super::context::Context;
use super::exit::{Exit, Fault};
use super::modules::{self, name_of};
use crate::output::human;
use crate::output::human::size;
use crate::output::lists::{self, short};
use serde_json::json;
use std::path::Path;
use wasmhost_proto::api::{LibraryView, Page};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Verb {
    /// Register a component: tasks that import an interface that it exports get it from it
    Add(Add),
    /// List libraries
    List,
    /// Remove a library; jobs and stored definitions that use it go on with it
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct Add {
    /// A .wasm or .wat file, or a module of the store
    #[arg(value_name = "FILE|MODULE")]
    library: String,
    /// Name it [default: the file's or module's name]
    #[arg(long)]
    name: Option<String>,
}

pub(crate) async fn run(verb: Verb, cx: &Context) -> anyhow::Result<Exit> {
    match verb {
        Verb::Add(args) => add(args, cx).await?,
        Verb::List => {
            let page = cx.client().await?.libraries().await?;
            let names = |page: &Page<LibraryView>| {
                let names = page.items.iter().map(|l| format!("{}\n", l.name));
                names.collect()
            };
            cx.out
                .answer(&page, names, |page| lists::libraries(page, human::now()))?;
        }
        Verb::Remove { name } => {
            cx.client().await?.remove_library(&name).await?;
            let done = json!({ "removed": name });
            cx.out
                .answer(&done, |_| name.clone(), |_| format!("removed {name}"))?;
        }
    }
    Ok(Exit::OK)
}

async fn add(args: Add, cx: &Context) -> anyhow::Result<()> {
    let client = cx.client().await?;
    let path = Path::new(&args.library);
    let is_file = path.exists() || path.extension().is_some_and(|e| e == "wasm" || e == "wat");
    let added = match is_file {
        true => {
            let local = modules::file(path)?;
            let name = args.name.or(local.name).unwrap_or_default();
            client.add_library(&name, None, local.bytes.into()).await
        }
        false => {
            let base = args.library.split(':').next().unwrap_or_default();
            let name = args.name.unwrap_or_else(|| name_of(base));
            let none = reqwest::Body::default();
            client.add_library(&name, Some(&args.library), none).await
        }
    };
    let library = added.map_err(|error| {
        let mut fault = Fault::of(error.into());
        fault.problem.title = format!("{}: {}", args.library, fault.problem.title);
        fault
    })?;
    cx.out.answer(
        &library,
        |l| l.name.clone(),
        |l| {
            format!(
                "added {} ({}, {}): {}",
                l.name,
                size(l.len),
                short(&l.digest),
                human::line(&l.exports.join(", "), 1000)
            )
        },
    )
}
