//! `wasmhost status JOB`

use super::context::Context;
use super::exit::Exit;
use super::reference::JobName;
use crate::output::story;
use crate::settings::values::Millis;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// An id, a unique prefix of one, or `latest`
    #[arg(default_value = "latest")]
    job: JobName,
    /// Ask the workers first whose word is older than this
    #[arg(long, value_name = "TIME")]
    max_age: Option<Millis>,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let status = match args.max_age {
        Some(age) => client.fresh_status(&args.job.0, age.0).await?,
        None => client.status(&args.job.0).await?,
    };
    cx.out.answer(
        &status,
        |status| status.job.id.to_string(),
        |status| story::job(status, None),
    )?;
    Ok(Exit::OK)
}
