//! `wasmhost status JOB`

use super::context::Context;
use super::exit::Exit;
use super::reference::JobName;
use crate::output::story;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// An id, a unique prefix of one, or `latest`
    #[arg(default_value = "latest")]
    job: JobName,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let status = cx.client().await?.status(&args.job.0).await?;
    cx.out.answer(
        &status,
        |status| status.job.id.to_string(),
        |status| story::job(status, None),
    )?;
    Ok(Exit::OK)
}
