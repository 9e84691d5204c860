//! `wasmhost retry JOB`

use super::context::Context;
use super::exit::Exit;
use super::follow::{self, Follow};
use super::reference::JobName;
use super::report;
use crate::output::human::count;
use crate::output::style::Named;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// An id, a unique prefix of one, or `latest`
    job: JobName,
    /// Wait until it ends
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let job = client.retry(&args.job.0).await?;
    if args.wait {
        let followed = follow::job(cx, &client, &job.id.to_string(), Follow::default()).await?;
        return report::followed(cx, &client, followed, None).await;
    }
    cx.out.answer(
        &job,
        |job| job.id.to_string(),
        |job| {
            format!(
                "{} {}: {} to go",
                job.id,
                job.state.painted(),
                count(job.counts.waiting, "task")
            )
        },
    )?;
    Ok(Exit::OK)
}
