//! `wasmhost definition apply | list | show | history | diff | remove`

mod apply;
mod diff;

use super::context::Context;
use super::exit::Exit;
use crate::output::{definitions, human};
use serde_json::json;
use wasmhost_proto::api::{DefinitionView, Page, StoredName};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Verb {
    /// Store a definition: a new version of it, unless nothing differs from the latest
    Apply(apply::Args),
    /// List stored definitions
    List,
    /// Show a version of a stored definition
    Show {
        /// `NAME`, or `NAME@VERSION`
        definition: StoredName,
        /// Write the definition's text alone, as it was stored
        #[arg(long)]
        text: bool,
    },
    /// List the versions of a stored definition, newest first
    History {
        /// Its name
        name: String,
    },
    /// What differs between two versions: the text, modules, files and lists
    Diff(diff::Args),
    /// Remove a stored definition with all its versions; jobs of it go on
    Remove {
        /// Its name
        name: String,
    },
}

pub(crate) async fn run(verb: Verb, cx: &Context) -> anyhow::Result<Exit> {
    match verb {
        Verb::Apply(args) => apply::run(args, cx).await?,
        Verb::Diff(args) => diff::run(args, cx).await?,
        Verb::List => {
            let page = cx.client().await?.definitions().await?;
            let names = |page: &Page<DefinitionView>| {
                let names = page.items.iter().map(|d| format!("{}\n", d.name));
                names.collect()
            };
            cx.out
                .answer(&page, names, |page| definitions::list(page, human::now()))?;
        }
        Verb::Show { definition, text } => {
            let view = cx.client().await?.definition(&definition).await?;
            match text {
                true => cx
                    .out
                    .text(view.definition.as_deref().unwrap_or_default())?,
                false => cx
                    .out
                    .answer(&view, definitions::name, definitions::whole)?,
            }
        }
        Verb::History { name } => {
            let page = cx.client().await?.definition_versions(&name).await?;
            let names = |page: &Page<DefinitionView>| {
                let names = page.items.iter().map(|d| definitions::name(d) + "\n");
                names.collect()
            };
            cx.out.answer(&page, names, |page| {
                definitions::history(page, human::now())
            })?;
        }
        Verb::Remove { name } => {
            cx.client().await?.remove_definition(&name).await?;
            let done = json!({ "removed": name });
            cx.out
                .answer(&done, |_| name.clone(), |_| format!("removed {name}"))?;
        }
    }
    Ok(Exit::OK)
}
