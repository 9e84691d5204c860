//! `wasmhost watch JOB`

use super::context::Context;
use super::exit::Exit;
use super::follow::{self, Follow};
use super::reference::JobName;
use super::report;
use crate::settings::values::Millis;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// An id, a unique prefix of one, or `latest`
    job: JobName,
    /// Write log lines of its tasks as they come
    #[arg(short, long)]
    follow: bool,
    /// Stop watching after this time, with exit code 124
    #[arg(long, value_name = "TIME")]
    timeout: Option<Millis>,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let options = Follow {
        logs: args.follow,
        timeout: args.timeout,
        ..Follow::default()
    };
    let followed = follow::job(cx, &client, &args.job.0, options).await?;
    report::outcome(cx, &client, followed).await
}
