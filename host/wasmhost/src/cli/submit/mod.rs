//! `wasmhost submit FILE`, or `wasmhost submit --module M` and flags.

mod files;
mod inline;
mod many;
pub(crate) mod prepare;

use super::context::Context;
use super::exit::{Exit, Fault};
use super::follow::{self, Follow};
use super::report;
use crate::client::{Client, ClientError};
use crate::output::style::Named;
use crate::output::{human::count, story};
use crate::settings::values::Millis;
use inline::Inline;
use prepare::Definition;
use std::path::PathBuf;
use std::time::Duration;
use wasmhost_proto::api::JobView;

#[derive(clap::Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    /// A job definition (TOML), see docs/definition.md; of several, all are submitted
    /// or none is
    #[arg(
        value_name = "FILE",
        required_unless_present = "module",
        conflicts_with = "module"
    )]
    files: Vec<PathBuf>,
    /// Wait until the job ends, then give its result; the exit code tells how it went
    #[arg(short, long)]
    wait: bool,
    /// Wait, and write log lines of its tasks as they come
    #[arg(short, long)]
    follow: bool,
    /// Wait, and write the result to this file
    #[arg(long, value_name = "FILE")]
    result_to: Option<PathBuf>,
    /// Stop waiting after this time, with exit code 124; the job goes on
    #[arg(long, value_name = "TIME")]
    timeout: Option<Millis>,
    /// Submitting again with this key gives the first job
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    #[command(flatten)]
    inline: Inline,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let definition = match &*args.files {
        [] => args.inline.definition()?,
        [file] => Definition::read(file)?,
        files => {
            for (given, flag) in [
                (args.follow, "--follow"),
                (args.result_to.is_some(), "--result-to"),
                (args.timeout.is_some(), "--timeout"),
            ] {
                if given {
                    let title = format!("{flag} is for one definition, not for {}", files.len());
                    let fault = Fault::new(Exit::USAGE, "usage", title);
                    return Err(fault.help("submit them one by one, or with --wait").into());
                }
            }
            return many::run(cx, &client, files, args.key, args.wait).await;
        }
    };
    let job = submit(cx, &client, definition, args.key).await?;
    let waits = args.wait || args.follow || args.result_to.is_some() || args.timeout.is_some();
    if !waits {
        cx.out.answer(&job, |job| job.id.to_string(), text)?;
        cx.out.talk(story::next(&job));
        return Ok(Exit::OK);
    }
    if cx.out.quiet && !cx.out.is_json() {
        cx.out.text(&format!("{}\n", job.id))?;
    }
    cx.out.talk(text(&job));
    let options = Follow {
        logs: args.follow,
        timeout: args.timeout,
        known: true,
        ..Follow::default()
    };
    let followed = follow::job(cx, &client, &job.id.to_string(), options).await?;
    report::followed(cx, &client, followed, args.result_to.as_deref()).await
}

fn text(job: &JobView) -> String {
    format!(
        "{} {} {} with {}",
        job.id,
        job.name,
        job.state.painted(),
        count(job.counts.total, "task")
    )
}

/// Resolves a definition and submits it.
pub(crate) async fn submit(
    cx: &Context,
    client: &Client,
    definition: Definition,
    key: Option<String>,
) -> anyhow::Result<JobView> {
    let origin = definition.origin();
    let request = prepare::prepare(cx, client, definition).await?;
    let key = match key {
        Some(key) => key,
        None => random_key()?,
    };
    Ok(retrying(async || client.submit(&request, &key).await)
        .await
        .map_err(|error| Fault::about(error, origin))?)
}

/// Tries to submit, past the first.
const TRIES: u32 = 5;

/// A key makes it safe to try again when the answer is lost.
async fn retrying<T>(send: impl AsyncFn() -> Result<T, ClientError>) -> Result<T, ClientError> {
    let mut pause = Duration::from_millis(100);
    for _ in 0..TRIES {
        match send().await {
            Err(error) if error.is_passing() => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 2;
    }
    send().await
}

fn random_key() -> anyhow::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
