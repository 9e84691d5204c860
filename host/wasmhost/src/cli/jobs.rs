//! `wasmhost jobs`

use super::context::Context;
use super::exit::Exit;
use crate::client::Listing;
use crate::output::{human, lists};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only jobs in this state
    #[arg(long, value_parser = ["queued", "running", "stopping", "succeeded", "failed", "cancelled"])]
    state: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let limit = (!args.all).then_some(args.limit as usize);
    let page = cx
        .client()
        .await?
        .jobs(&Listing {
            limit,
            state: args.state,
            node: None,
        })
        .await?;
    let ids = |page: &wasmhost_proto::api::Page<wasmhost_proto::api::JobView>| {
        page.items
            .iter()
            .map(|job| format!("{}\n", job.id))
            .collect()
    };
    cx.out
        .answer(&page, ids, |page| lists::jobs(page, human::now()))?;
    Ok(Exit::OK)
}
