//! `wasmhost watch JOB`, `wasmhost watch --all`

use super::context::Context;
use super::exit::Exit;
use super::follow::{self, Follow, Followed};
use super::reference::JobName;
use super::{live, report};
use crate::settings::values::Millis;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// An id, a unique prefix of one, or `latest`
    #[arg(required_unless_present = "all")]
    job: Option<JobName>,
    /// The whole cluster on one screen: jobs, tasks, logs and workers
    #[arg(long, conflicts_with_all = ["job", "follow", "timeout"])]
    all: bool,
    /// Write log lines of its tasks as they come
    #[arg(short, long)]
    follow: bool,
    /// Write the status as a line of JSON at once and at every change
    #[arg(long, conflicts_with = "follow")]
    changes: bool,
    /// Stop watching after this time, with exit code 124
    #[arg(long, value_name = "TIME")]
    timeout: Option<Millis>,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let Some(job) = args.job else {
        return match args.changes {
            true => live::changes(cx).await,
            false => live::run(cx).await,
        };
    };
    let client = cx.client().await?;
    let options = Follow {
        logs: args.follow,
        changes: args.changes,
        timeout: args.timeout,
        ..Follow::default()
    };
    let followed = follow::job(cx, &client, &job.0, options).await?;
    match followed {
        // Everything was said.
        Followed::Ended(job) if args.changes => Ok(Exit::of_job(&job)),
        followed => report::outcome(cx, &client, followed).await,
    }
}
