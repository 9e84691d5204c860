//! `wasmhost check FILE|NAME`: the mistakes that a submission would find, without
//! building, uploading or running anything. Goes as far as it can without a primary.

use super::context::Context;
use super::exit::{Exit, Fault};
use super::params::{Given, Params};
use super::shelf::Shelf;
use super::submit::prepare::{Definition, Outlook, outlook};
use super::submit::target::Target;
use super::submit::whole::{Kept, Whole};
use crate::client::ClientError;
use crate::output::human::{duration, line, memory, number};
use crate::output::lists::short;
use crate::output::table::{render, table};
use std::path::PathBuf;
use wasmhost_jobc::params;
use wasmhost_proto::api::{CheckView, StoredName, SubmitRequest};
use wasmhost_proto::limits::MAX_NAME;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A job definition (TOML), - for standard input, or the NAME or NAME@VERSION of a
    /// stored one
    #[arg(value_name = "FILE|NAME")]
    definition: String,
    #[command(flatten)]
    params: Params,
    /// A library that the primary would have (.wasm or .wat), besides those that it has
    #[arg(long = "library", value_name = "FILE")]
    libraries: Vec<PathBuf>,
}

impl Args {
    /// What is known of the definition that is named.
    pub(super) async fn look(&self, cx: &Context) -> anyhow::Result<Looked> {
        let target = Target::of(&self.definition, cx)?;
        look(
            Whole::read(&target, self.params.values()?)?,
            &self.libraries,
            cx,
        )
        .await
    }
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let looked = args.look(cx).await?;
    cx.out
        .answer(&looked.view, |view| view.name.clone(), text)?;
    let name = &args.definition;
    cx.out.talk(match looked.unchecked {
        None => format!("{name} is right: wasmhost submit {name}"),
        Some(unchecked) => format!("{name} is right as far as it can be told: {unchecked}"),
    });
    Ok(Exit::OK)
}

/// What was found out about a definition.
pub(crate) struct Looked {
    /// What it would do.
    pub(crate) view: CheckView,
    /// What could not be checked, in a sentence.
    pub(crate) unchecked: Option<String>,
}

/// Checks a definition: what this machine has, then what the primary has.
pub(crate) async fn look(
    whole: Whole,
    libraries: &[PathBuf],
    cx: &Context,
) -> anyhow::Result<Looked> {
    match whole {
        Whole::Given(definition) => given(definition, libraries, cx).await,
        Whole::Stored(name, params) => stored(&name, params, cx).await,
    }
}

/// A stored definition: only the primary has it.
async fn stored(name: &StoredName, given: Given, cx: &Context) -> anyhow::Result<Looked> {
    let client = cx.client().await?;
    let kept = Kept::fetch(&client, name).await?;
    params::known(&kept.parsed, &given.values)
        .map_err(|mistakes| given.refused(kept.origin(), mistakes))?;
    let request = SubmitRequest {
        stored: Some(kept.exact()),
        params: given.values,
        ..SubmitRequest::default()
    };
    let checked = client.check(&request).await;
    Ok(Looked {
        view: checked.map_err(|error| Fault::about(error, kept.origin()))?,
        unchecked: None,
    })
}

async fn given(
    definition: Definition,
    libraries: &[PathBuf],
    cx: &Context,
) -> anyhow::Result<Looked> {
    let origin = definition.origin();
    let Outlook { request, modules } = outlook(definition)?;
    // Mistakes that need no primary are told whether there is one or not.
    let alone = wasmhost_jobc::outline(&request)
        .map_err(|errors| Fault::refused(origin.clone(), errors))?;
    let (mut view, unchecked) = match ask(cx, &request).await {
        Ok(view) => (view, None),
        Err(ClientError::Unreachable { addr, .. }) => (
            alone,
            Some(format!(
                "no primary answers at {addr}, so that nothing is known of modules and libraries in its store"
            )),
        ),
        Err(error) => return Err(Fault::about(error, origin).into()),
    };
    let shelf = Shelf::of(libraries, &modules, cx, unchecked.is_none()).await?;
    shelf
        .judge(&request.definition, &modules)
        .map_err(|errors| Fault::refused(origin, errors))?;
    shelf.complete(&mut view, &modules);
    Ok(Looked { view, unchecked })
}

async fn ask(cx: &Context, request: &SubmitRequest) -> Result<CheckView, ClientError> {
    cx.client().await?.check(request).await
}

fn text(view: &CheckView) -> String {
    let mut out = table(&["NODE", ">TASKS", "MODULE", ">TIME", ">MEMORY", ">OUTPUT"]);
    for node in &view.nodes {
        let count = match (node.count, &node.items_of) {
            (Some(count), _) => number(count.into()),
            (None, Some(of)) => of.clone(),
            (None, None) => "parameters".to_owned(),
        };
        out.add_row([
            line(&node.name, MAX_NAME),
            count,
            node.module.as_ref().map_or("not known yet".into(), short),
            duration(node.limits.wall_ms),
            memory(node.limits.memory),
            memory(node.limits.output),
        ]);
    }
    render(&out)
}
