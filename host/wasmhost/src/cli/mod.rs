//! The command line: one tree, one file per verb. Standard output is data,
//! standard error is talk, exit codes are an interface (see [`exit`]).

mod build;
mod cancel;
mod check;
mod completions;
mod context;
mod data;
mod definition;
mod dev;
mod drain;
mod driver;
pub(crate) mod exit;
mod explain;
mod follow;
mod info;
mod jobs;
mod library;
mod live;
mod logs;
mod module;
mod modules;
mod oci;
mod outputs;
mod params;
mod reference;
mod report;
mod request;
mod result;
mod retry;
mod run_primary;
mod run_worker;
mod secret;
mod shelf;
mod show;
mod signals;
mod standalone;
mod status;
mod submit;
mod token;
mod watch;
mod workers;

use crate::output::Out;
use crate::settings::{Environment, Globals, Settings, logs as log};
use clap::{Parser, Subcommand};
use context::Context;
use exit::{Exit, Fault};
use std::process::ExitCode;

/// Runs WebAssembly tasks on many machines: durable jobs, sandboxed workers.
#[derive(Parser, Debug)]
#[command(name = "wasmhost", version, max_term_width = 100)]
#[command(after_help = "Begin with `wasmhost dev`: a primary and a worker in one process.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    globals: Globals,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a primary: it takes jobs, decides and records
    RunPrimary(run_primary::Args),
    /// Run a worker: it runs tasks in sandboxes
    RunWorker(run_worker::Args),
    /// Run a primary and a worker in one process, to try things out
    Dev(dev::Args),
    /// Submit a job, from a definition or from flags
    #[command(visible_alias = "run")]
    Submit(Box<submit::Args>),
    /// Check a definition without running it
    Check(check::Args),
    /// Explain what a definition would run: its graph, limits, modules and imports
    Explain(check::Args),
    /// List jobs, newest first
    #[command(visible_alias = "ps")]
    Jobs(jobs::Args),
    /// The whole story of a job or task; why a waiting one waits
    Show(show::Args),
    /// The status of a job: its tasks, progress and values now
    Status(status::Args),
    /// Watch a job until it ends, or the whole cluster
    Watch(watch::Args),
    /// What tasks logged or wrote to standard error
    Logs(logs::Args),
    /// The result of a job or task
    Result(result::Args),
    /// List the outputs of a job's tasks, or write one
    Outputs(outputs::Args),
    /// Cancel a job
    Cancel(cancel::Args),
    /// Run the failed and cancelled tasks of a job again
    Retry(retry::Args),
    /// Ask the primary's driver for a task
    Request(request::Args),
    /// The driver that the primary was started with
    Driver,
    /// List workers
    Workers,
    /// Let a worker finish what it has and give it nothing more
    Drain(drain::Args),
    /// Push, list, show and remove modules
    #[command(subcommand, visible_alias = "modules")]
    Module(module::Verb),
    /// Add, list and remove libraries: components that satisfy imports of tasks
    #[command(subcommand, visible_alias = "libraries")]
    Library(library::Verb),
    /// Store, list, show, compare and remove definitions
    #[command(subcommand, visible_alias = "definitions")]
    Definition(definition::Verb),
    /// Read, change and watch the public data of jobs
    #[command(subcommand)]
    Data(data::Verb),
    /// Keep secrets, which tasks use without seeing them
    #[command(subcommand, visible_alias = "secrets")]
    Secret(secret::Verb),
    /// Create, list and revoke tokens of workers and clients
    #[command(subcommand, visible_alias = "tokens")]
    Token(token::Verb),
    /// What the primary says of itself
    Info,
    /// Completions for a shell, on standard output
    Completions(completions::Args),
}

/// Parses the command line, runs the verb, says what went wrong.
pub(crate) fn main() -> ExitCode {
    let Cli { command, globals } = Cli::parse();
    let mut out = Out {
        format: globals.output.unwrap_or_default(),
        quiet: globals.quiet,
    };
    let result = Settings::resolve(globals, Environment::read())
        .map_err(|error| Fault::new(Exit::USAGE, "bad_settings", error.to_string()).into())
        .and_then(|settings| {
            out.format = settings.output;
            run(command, settings)
        });
    let exit = match result {
        Ok(exit) => exit,
        Err(error) if is_broken_pipe(&error) => Exit::OK,
        Err(error) => {
            let fault = Fault::of(error);
            out.fault(&fault);
            fault.exit
        }
    };
    ExitCode::from(exit.0)
}

/// Whoever read our output has seen enough, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(command: Command, settings: Settings) -> anyhow::Result<Exit> {
    let serves = matches!(
        command,
        Command::RunPrimary(_) | Command::RunWorker(_) | Command::Dev(_)
    );
    let default = match command {
        Command::Dev(_) => "warn",
        _ if serves => "info",
        _ => "off",
    };
    log::start(&settings, default)?;
    // reqwest and our own TLS take the provider from here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A worker leaves the work to its executors: on one thread what it hears of
    // them gathers by itself, and no thread has to wake another.
    let mut builder = match command {
        Command::RunPrimary(_) | Command::Dev(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build()?;
    runtime.block_on(dispatch(command, &Context::new(settings)))
}

async fn dispatch(command: Command, cx: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::RunPrimary(args) => run_primary::run(args, cx).await,
        Command::RunWorker(args) => run_worker::run(args, cx).await,
        Command::Dev(args) => dev::run(args, cx).await,
        Command::Submit(args) => submit::run(*args, cx).await,
        Command::Check(args) => check::run(args, cx).await,
        Command::Explain(args) => explain::run(args, cx).await,
        Command::Jobs(args) => jobs::run(args, cx).await,
        Command::Show(args) => show::run(args, cx).await,
        Command::Status(args) => status::run(args, cx).await,
        Command::Watch(args) => watch::run(args, cx).await,
        Command::Logs(args) => logs::run(args, cx).await,
        Command::Result(args) => result::run(args, cx).await,
        Command::Outputs(args) => outputs::run(args, cx).await,
        Command::Cancel(args) => cancel::run(args, cx).await,
        Command::Retry(args) => retry::run(args, cx).await,
        Command::Request(args) => request::run(args, cx).await,
        Command::Driver => driver::run(cx).await,
        Command::Workers => workers::run(cx).await,
        Command::Drain(args) => drain::run(args, cx).await,
        Command::Module(verb) => module::run(verb, cx).await,
        Command::Library(verb) => library::run(verb, cx).await,
        Command::Definition(verb) => definition::run(verb, cx).await,
        Command::Data(verb) => data::run(verb, cx).await,
        Command::Secret(verb) => secret::run(verb, cx).await,
        Command::Token(verb) => token::run(verb, cx).await,
        Command::Info => info::run(cx).await,
        Command::Completions(args) => completions::run(args),
    }
}

#[cfg(test)]
mod tests;
