//! Messages between a worker's supervisor and an executor process, framed as on
//! the wire, over an inherited socket pair. The supervisor treats an executor as
//! hostile: it believes of each message only what concerns the runs it gave to
//! that executor.

use crate::ids::{Digest, Lease, TaskId};
use crate::module::ModuleKind;
use crate::outcome::{Failure, Usage};
use crate::status::Status;
use crate::wire::AttemptLimits;
use serde::{Deserialize, Serialize};

/// Numbers the runs of one executor.
pub type RunId = u64;

/// From the supervisor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToExecutor {
    /// Map a compiled module. Runs that need it follow later.
    Load {
        /// The module.
        digest: Digest,
        /// How it is started.
        kind: ModuleKind,
        /// The compiled file, written by this worker.
        path: String,
    },
    /// Drop a module once no run uses it.
    Unload {
        /// The module.
        digest: Digest,
    },
    /// Run an attempt at once: the supervisor counts slots.
    Run(Box<Run>),
    /// The rest of an input that is too large for one frame. `last` ends it.
    InputChunk {
        /// The run.
        run: RunId,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        /// Whether this is the last chunk.
        last: bool,
    },
    /// Raise the cancel flag of a run.
    Cancel {
        /// The run.
        run: RunId,
    },
    /// Stop a run now; it ends with [`crate::outcome::FailureKind::Cancelled`].
    Kill {
        /// The run.
        run: RunId,
    },
    /// End the process once nothing runs.
    Shutdown,
}

/// One attempt.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub run: RunId,
    /// The module.
    pub module: Digest,
    /// The task, for the guest's context.
    pub task: TaskId,
    /// The lease, for the guest's context.
    pub lease: Lease,
    /// The node's name.
    pub name: String,
    /// How many indexes the node has.
    pub count: u32,
    /// Arguments of a command after its name.
    pub args: Vec<String>,
    /// Environment of a command.
    pub env: Vec<(String, String)>,
    /// Bounds.
    pub limits: AttemptLimits,
    /// Input bytes, or the first of them.
    #[serde(with = "serde_bytes")]
    pub input: Vec<u8>,
    /// Whether input chunks follow.
    pub more_input: bool,
}

/// From an executor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromExecutor {
    /// The process is ready for work.
    Ready,
    /// A module is mapped and linked, or cannot be.
    Loaded {
        /// The module.
        digest: Digest,
        /// Why not.
        error: Option<String>,
    },
    /// A run has been instantiated.
    Started {
        /// The run.
        run: RunId,
    },
    /// What a run has published: the whole status, and the log text since the last report.
    Status {
        /// The run.
        run: RunId,
        /// The status.
        status: Status,
        /// New log text.
        log: String,
    },
    /// Part of a result that is too large for [`FromExecutor::Ended`]; in order.
    OutputChunk {
        /// The run.
        run: RunId,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A run is over and its sandbox is gone.
    Ended(Box<Ended>),
}

/// The end of a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// The run.
    pub run: RunId,
    /// None on success.
    pub failure: Option<Failure>,
    /// The rest of the result after all chunks, or all of it.
    #[serde(with = "serde_bytes")]
    pub output: Vec<u8>,
    /// What it used.
    pub usage: Usage,
    /// The last status.
    pub status: Status,
    /// Log text since the last report.
    pub log: String,
}
