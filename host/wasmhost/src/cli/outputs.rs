//! `wasmhost outputs JOB[.NODE[.INDEX]] [NAME]`

use super::context::Context;
use super::exit::{Exit, Fault};
use super::reference::Reference;
use super::result;
use crate::output::outputs;
use std::path::PathBuf;
use wasmhost_proto::api::OutputView;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// JOB, JOB.INDEX, JOB.NODE or JOB.NODE.INDEX; JOB may be `latest`
    #[arg(default_value = "latest")]
    what: Reference,
    /// Write this one to standard output; lists all without
    name: Option<String>,
    /// Write it to this file
    #[arg(long, value_name = "FILE", requires = "name")]
    to: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let Reference { job, node, index } = &args.what;
    let mut page = client.outputs(job).await?;
    let named = match node {
        Some(node) => Some(client.task(job, node, index.unwrap_or(0)).await?.node),
        None => None,
    };
    page.items.retain(|of| {
        named.as_ref().is_none_or(|node| of.node == *node)
            && index.is_none_or(|index| of.index == index)
            && args.name.as_ref().is_none_or(|name| of.name == *name)
    });
    let Some(name) = &args.name else {
        let names = |of: &OutputView| format!("{}.{} {}\n", of.node, of.index, of.name);
        cx.out.answer(
            &page,
            |page| page.items.iter().map(names).collect(),
            outputs::list,
        )?;
        return Ok(Exit::OK);
    };
    let (node, index) = match &page.items[..] {
        [of] => (of.node.clone(), of.index),
        [] => {
            let title = format!("there is no output '{name}'");
            let fault = Fault::new(Exit::REFUSED, "no_output", title);
            return Err(fault.help(format!("see `wasmhost outputs {job}`")).into());
        }
        [first, ..] => {
            let title = format!("{} tasks have an output '{name}'", page.items.len());
            let fault = Fault::new(Exit::REFUSED, "many_outputs", title);
            let help = format!("name one, such as {job}.{}.{}", first.node, first.index);
            return Err(fault.help(help).into());
        }
    };
    let response = client.output(job, &node, index, name).await?;
    result::write(cx, response, args.to.as_deref()).await?;
    Ok(Exit::OK)
}
