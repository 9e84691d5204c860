//! `wasmhost submit FILE`, `wasmhost submit NAME` of a stored definition, or
//! `wasmhost submit --module M` and flags.

mod files;
mod folders;
mod inline;
mod many;
pub(crate) mod prepare;
mod scripts;
pub(crate) mod target;
pub(crate) mod whole;

use super::check;
use super::context::Context;
use super::exit::{Exit, Fault};
use super::follow::{self, Follow};
use super::params::Params;
use super::report;
use crate::cli::Cli;
use crate::client::{Client, ClientError};
use crate::output::style::Named;
use crate::output::{self, explain, human::count, story};
use crate::settings::values::Millis;
use clap::CommandFactory;
use inline::Inline;
pub(crate) use inline::read_input;
use prepare::Definition;
use std::path::PathBuf;
use std::time::Duration;
use target::Target;
use wasmhost_proto::api::{JobState, JobView, SubmitRequest};
use whole::{Origin, Whole};

#[derive(clap::Args, Debug)]
#[command(arg_required_else_help = true, disable_help_flag = true)]
pub(crate) struct Args {
    /// A job definition (TOML, see docs/definition.md), or the NAME or NAME@VERSION of a
    /// stored one; of several, all are submitted or none is
    #[arg(
        value_name = "FILE|NAME",
        required_unless_present_any = ["module", "help"],
        conflicts_with = "module"
    )]
    files: Vec<String>,
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
    /// Submit it even when no connected worker could run it, for one that is to come
    #[arg(long)]
    wait_for_capacity: bool,
    /// Say what would run, in full, and submit nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    params: Params,
    /// Print this help, or the parameters of the definition that is named
    #[arg(short, long)]
    help: bool,
    #[command(flatten)]
    inline: Inline,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    if args.help && args.files.is_empty() {
        cx.out.text(&help())?;
        return Ok(Exit::OK);
    }
    let client = cx.client().await?;
    let targets = args.files.iter().map(|text| Target::of(text, cx));
    let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
    let whole = match &*targets {
        [] => Whole::Given(args.inline.definition()?),
        [target] => Whole::read(target, args.params.values()?)?,
        targets => {
            for (given, flag) in [
                (args.follow, "--follow"),
                (args.result_to.is_some(), "--result-to"),
                (args.timeout.is_some(), "--timeout"),
                (args.dry_run, "--dry-run"),
                (args.help, "--help"),
                (!args.params.is_empty(), "--param"),
            ] {
                if given {
                    let title = format!("{flag} is for one definition, not for {}", targets.len());
                    let fault = Fault::new(Exit::USAGE, "usage", title);
                    return Err(fault.help("submit them one by one, or with --wait").into());
                }
            }
            let many = many::Wish {
                targets,
                key: args.key,
                wait: args.wait,
                wait_for_capacity: args.wait_for_capacity,
            };
            return many::run(cx, &client, many).await;
        }
    };
    if args.help {
        let (name, parsed) = whole.parse(&client).await?;
        cx.out.text(&output::params::help(&name, &parsed))?;
        return Ok(Exit::OK);
    }
    if args.dry_run {
        let view = check::look(whole, &[], cx).await?.view;
        cx.out
            .answer(&view, |view| view.name.clone(), explain::text)?;
        return Ok(Exit::OK);
    }
    let origin = whole.origin();
    let mut request = whole.request(cx, &client, args.key.is_some()).await?;
    request.wait_for_capacity = args.wait_for_capacity;
    let job = send(&client, &request, args.key, origin).await?;
    let waits = args.wait || args.follow || args.result_to.is_some() || args.timeout.is_some();
    if !waits {
        cx.out.answer(&job, |job| job.id.to_string(), text)?;
        cx.out.talk(story::next(&job));
        say_who_runs_it(cx, &client, &job).await;
        return Ok(Exit::OK);
    }
    if cx.out.quiet && !cx.out.is_json() {
        cx.out.text(&format!("{}\n", job.id))?;
    }
    cx.out.talk(text(&job));
    say_who_runs_it(cx, &client, &job).await;
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

/// The help of `submit` itself.
fn help() -> String {
    let mut tree = Cli::command();
    tree.build();
    let submit = tree.find_subcommand_mut("submit");
    submit.map_or_else(String::new, |submit| {
        submit.render_long_help().ansi().to_string()
    })
}

/// Says so when there is no worker: the job is accepted, and nothing happens.
async fn say_who_runs_it(cx: &Context, client: &Client, job: &JobView) {
    if job.state != JobState::Queued || cx.out.is_json() || cx.out.quiet {
        return;
    }
    // Only a hint: whoever cannot be asked has been heard of already.
    if client.info().await.is_ok_and(|info| info.workers == 0) {
        cx.out.talk(
            "no worker is connected: the job waits for one (see `wasmhost run-worker --help`)",
        );
    }
}

/// Resolves a definition and submits it.
pub(crate) async fn submit(
    cx: &Context,
    client: &Client,
    definition: Definition,
    key: Option<String>,
) -> anyhow::Result<JobView> {
    let origin = Origin::Given(definition.origin());
    let request = prepare::prepare(cx, client, definition).await?;
    send(client, &request, key, origin).await
}

async fn send(
    client: &Client,
    request: &SubmitRequest,
    key: Option<String>,
    origin: Origin,
) -> anyhow::Result<JobView> {
    let key = key.map_or_else(random_key, Ok)?;
    match retrying(async || client.submit(request, &key).await).await {
        Ok(job) => Ok(job),
        Err(error) => Err(origin.fault(client, error).await.into()),
    }
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
