//! What the sandbox is given and what it gives back. Decides nothing.

use crate::calls::Calls;
use crate::driver::Driver;
use crate::files::Root;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use wasmhost_proto::executor::RunScript;
use wasmhost_proto::outcome::{Failure, Usage};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{Lease, TaskId};

/// One attempt to run.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The task, for the guest's context.
    pub task: TaskId,
    /// The lease, for the guest's context.
    pub lease: Lease,
    /// The name of the task in its definition; also a command's argument 0.
    pub name: Arc<str>,
    /// How many indexes the array has.
    pub count: u32,
    /// Arguments of a command after its name.
    pub args: Vec<String>,
    /// Environment of a command.
    pub env: Vec<(String, String)>,
    /// What the guest reads through `wasi:config/store`.
    pub config: Vec<(String, String)>,
    /// The script that the module, an engine, runs: a task asks for it, a command has
    /// it before its arguments, after `-c`.
    pub script: Option<Arc<RunScript>>,
    /// Bounds.
    pub limits: AttemptLimits,
    /// The task's input, or a command's standard input.
    pub input: Vec<u8>,
    /// Whether it may send requests over the network.
    pub network: bool,
    /// For a task that may start others.
    pub driver: Option<Driver>,
    /// The files that it sees; none for none.
    pub root: Option<Root>,
    /// Patterns of files that it leaves there and that become outputs when it succeeds.
    pub collect: Vec<String>,
}

/// The end of an attempt. Its store is gone by then.
#[derive(Clone, PartialEq, Debug)]
pub struct Finished {
    /// None on success.
    pub failure: Option<Failure>,
    /// The result, or a command's standard output, kept whatever its exit code.
    pub output: Vec<u8>,
    /// What it used.
    pub usage: Usage,
    /// All that it published.
    pub status: Status,
    /// Log text since the last report.
    pub log: String,
}

/// Hears of a running attempt, on the thread that runs it. Must not block.
pub trait Reporter {
    /// Whether there is room for a report now; what was published waits otherwise.
    fn ready(&self) -> bool {
        true
    }
    /// Something was published: the whole status, and the log text since the
    /// last report. At most one call each `STATUS_COALESCE_MS`.
    fn published(&self, status: Status, log: String);
}

/// The handle that stops a running attempt. Clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct Controls(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    killed: AtomicBool,
    wake: Notify,
    calls: Calls,
}

impl Controls {
    /// Raises the flag that the guest may ask for.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.calls.stop();
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.0.calls
    }

    /// Ends the attempt at the guest's next tick or host call.
    pub fn kill(&self) {
        self.0.killed.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Completes once [`Controls::kill`] was called, before or after this call.
    pub async fn killed(&self) {
        while !self.0.killed.load(Ordering::Acquire) {
            self.0.wake.notified().await;
        }
    }
}
