//! Starts executor processes, and is their first code. The socket is the
//! child's standard input: the one descriptor it is given besides the
//! supervisor's standard error.

use super::child;
use super::process::{self, Process, become_child, close_inherited};
use super::room::Plan;
use rustix::process::Resource;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{Command, ExitCode, Stdio};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use wasmhost_proto::limits::MAX_DRIVERS;
use wasmhost_sandbox::{Root, Sandbox, SandboxOptions};

/// Open files of an executor: each loaded module holds up to three.
const MAX_FILES: u64 = 4096;
/// What Linux sends to who writes beyond the size that its files may have.
const SIGXFSZ: i32 = 25;

/// An executor that was started.
pub(super) struct Launched {
    /// For people.
    pub(super) id: u32,
    pub(super) stream: UnixStream,
    pub(super) process: Box<dyn Executor>,
}

/// What a session needs of a process; the tests have another one.
pub(super) trait Executor: Send {
    /// Ends it now.
    fn kill(&self);
    /// How it ended: `was killed by signal 9`.
    fn ended(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;
}

impl Executor for Process {
    fn kill(&self) {
        Process::kill(self);
    }

    fn ended(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async {
            match self.wait().await {
                Ok(output) => process::describe(output.status),
                Err(error) => format!("cannot be waited for: {error}"),
            }
        })
    }
}

/// Makes executors.
pub(super) trait Launch: Send + Sync + 'static {
    /// Starts one.
    fn launch(&self) -> Pin<Box<dyn Future<Output = io::Result<Launched>> + Send + '_>>;
    /// Starts one for a run that has files.
    fn room(&self, plan: Plan) -> Pin<Box<dyn Future<Output = io::Result<Launched>> + Send + '_>>;
}

/// Makes them as processes of a program that calls [`super::dispatch`].
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) slots: u32,
}

impl Launch for Program {
    fn launch(&self) -> Pin<Box<dyn Future<Output = io::Result<Launched>> + Send + '_>> {
        let mut command = Command::new(&self.path);
        command.args([
            "executor",
            &self.slots.to_string(),
            &std::process::id().to_string(),
        ]);
        Box::pin(start(command))
    }

    fn room(&self, plan: Plan) -> Pin<Box<dyn Future<Output = io::Result<Launched>> + Send + '_>> {
        let mut command = Command::new(&self.path);
        command.arg("room");
        plan.write(&mut command);
        Box::pin(start(command))
    }
}

async fn start(mut command: Command) -> io::Result<Launched> {
    let (ours, theirs) = StdStream::pair()?;
    ours.set_nonblocking(true)?;
    command
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .env_clear()
        .env("RUST_BACKTRACE", "0");
    let process = Process::spawn(command).await?;
    Ok(Launched {
        id: process.id(),
        stream: UnixStream::from_std(ours)?,
        process: Box::new(process),
    })
}

/// `wasmhost executor SLOTS PARENT`.
pub(super) fn child_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("executor {}: {error:#}", std::process::id());
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = OsString>) -> anyhow::Result<()> {
    let mut number = || -> Option<u32> { args.next()?.to_str()?.parse().ok() };
    let (Some(slots), Some(parent)) = (number(), number()) else {
        anyhow::bail!("this command is started by a worker, not by hand");
    };
    become_child(parent)?;
    close_inherited()?;
    process::limit(Resource::Nofile, MAX_FILES)?;
    serve(slots, None)
}

/// Serves the supervisor at the other end of standard input.
pub(super) fn serve(slots: u32, root: Option<Root>) -> anyhow::Result<()> {
    let stream = StdStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    stream.set_nonblocking(true)?;
    // Drivers have sandboxes beside the slots, and no files.
    let drivers = root.as_ref().map_or(MAX_DRIVERS, |_| 0);
    let sandbox = Sandbox::new(SandboxOptions {
        slots: slots.saturating_add(drivers),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    Ok(runtime.block_on(async {
        // A file that would be too large is the guest's mistake, not the end of the process.
        let writes = root.as_ref().filter(|root| root.scratch.is_some());
        let too_large = SignalKind::from_raw(SIGXFSZ);
        let _heard = writes.map(|_| signal(too_large)).transpose()?;
        child::serve(UnixStream::from_std(stream)?, sandbox, slots, root).await
    })?)
}
