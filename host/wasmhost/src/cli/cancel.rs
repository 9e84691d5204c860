//! `wasmhost cancel JOB`

use super::context::Context;
use super::exit::Exit;
use super::reference::JobName;
use crate::output::style::Named;
use crate::settings::values::Millis;
use wasmhost_proto::api::CancelRequest;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// An id, a unique prefix of one, or `latest`
    job: JobName,
    /// From telling running tasks to ending them [default: the primary's, 2s]
    #[arg(long, value_name = "TIME")]
    grace: Option<Millis>,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let request = CancelRequest {
        grace_ms: args.grace.map(|grace| grace.0),
    };
    let job = cx.client().await?.cancel(&args.job.0, &request).await?;
    cx.out.answer(
        &job,
        |job| job.id.to_string(),
        |job| format!("{} {}", job.id, job.state.painted()),
    )?;
    Ok(Exit::OK)
}
