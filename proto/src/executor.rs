//! Messages between a worker's supervisor and an executor process, framed as on
//! the wire, over an inherited socket pair. The supervisor treats an executor as
//! hostile: it believes of each message only what concerns the runs it gave to
//! that executor.

use crate::data::{DataOp, DataReply, Space};
use crate::http::{HttpReply, HttpRequest};
use crate::ids::{Digest, JobId, NodeIndex};
use crate::module::ModuleKind;
use crate::outcome::{Failure, Usage};
use crate::program::{ProgramOp, ProgramReply};
use crate::status::Status;
use crate::wire::{AttemptLimits, DriverRequest, FinalReport};
use serde::{Deserialize, Serialize};

/// Numbers the runs of one executor.
pub type RunId = u64;

/// Numbers what runs of one node have in common, in one executor. Small, and used
/// again: a new [`ToExecutor::Spec`] of the same number replaces the one before.
pub type SpecId = u8;

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
    /// What the runs that name this number have in common.
    Spec(SpecId, Box<RunSpec>),
    /// Attempts to run, first ones first, as many at once as the executor has slots.
    Runs(Vec<Run>),
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
    /// Raise the cancel flag of a run; one that has not begun ends as
    /// [`crate::outcome::FailureKind::Cancelled`].
    Cancel {
        /// The run.
        run: RunId,
    },
    /// Stop a run now; it ends with [`crate::outcome::FailureKind::Cancelled`].
    Kill {
        /// The run.
        run: RunId,
    },
    /// Give back what has not begun; answered by one [`FromExecutor::Returned`].
    Return,
    /// A task that a run, a driver, has started is over.
    Spawned {
        /// The run.
        run: RunId,
        /// The run's name for it.
        key: String,
        /// How it ended.
        end: SpawnedEnd,
    },
    /// The next request to a run that asked for it, a primary's driver; none when no more
    /// come.
    Request {
        /// The run.
        run: RunId,
        /// The request.
        request: Option<Box<DriverRequest>>,
    },
    /// What came of a run's call.
    Data {
        /// The run.
        run: RunId,
        /// Which of its calls.
        call: u64,
        /// What came of it.
        reply: DataReply,
    },
    /// Bytes that come before those of the next [`ToExecutor::Data`] to the run, which has
    /// more of them than fit.
    Bulk {
        /// The run.
        run: RunId,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// What came of a run's call for a program.
    Program {
        /// The run.
        run: RunId,
        /// Which of its calls.
        call: u64,
        /// What came of it.
        reply: Box<ProgramReply>,
    },
    /// Whether to say of each run that it begins before it does, so that it is
    /// known which one kills the process.
    Careful(bool),
    /// End the process once nothing runs.
    Shutdown,
    /// What came of a run's request over the network.
    Http {
        /// The run.
        run: RunId,
        /// Which of its calls.
        call: u64,
        /// What came of it; more of its body may have gone before, as [`ToExecutor::Bulk`].
        reply: Box<HttpReply>,
    },
}

/// What the runs of one node have in common.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunSpec {
    /// The module.
    pub module: Digest,
    /// The job, for the guest's context.
    pub job: JobId,
    /// The node.
    pub node: NodeIndex,
    /// The node's name.
    pub name: String,
    /// How many indexes the node has.
    pub count: u32,
    /// Bounds.
    pub limits: AttemptLimits,
    /// Its runs may start tasks, and hold no slot.
    pub driver: bool,
    /// Its runs may send requests over the network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub network: bool,
    /// The script that the module, an engine, runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<RunScript>,
    /// Patterns of files in its scratch folder that become outputs when a run succeeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collect: Vec<String>,
}

/// A script, whole: a [`ToExecutor::Spec`] fits a frame with it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RunScript {
    /// The name of its file.
    pub name: String,
    /// Its text.
    pub source: String,
}

/// One attempt.
#[derive(
    Clone, PartialEq, Debug, Default, serde_tuple::Serialize_tuple, serde_tuple::Deserialize_tuple,
)]
pub struct Run {
    /// Its number. Grows with each run of a worker.
    pub run: RunId,
    /// What it has in common with others.
    pub spec: SpecId,
    /// Which index of the node.
    pub index: u32,
    /// The lease's term.
    pub term: u64,
    /// The lease's attempt.
    pub attempt: u32,
    /// Arguments of a command after its name.
    pub args: Vec<String>,
    /// Environment of a command.
    pub env: Vec<(String, String)>,
    /// What the guest reads through `wasi:config/store`.
    pub config: Vec<(String, String)>,
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
    /// Runs that have begun. Not said of those that end at once, unless the
    /// executor is to be careful.
    Started(Vec<RunId>),
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
    /// Runs that are over and whose sandboxes are gone.
    Ended(Vec<Ended>),
    /// Runs that had not begun and do not any more: the answer to [`ToExecutor::Return`].
    Returned(Vec<RunId>),
    /// A run starts a task of its job.
    Spawn {
        /// The run.
        run: RunId,
        /// Its name for it.
        key: String,
        /// The name of the node.
        node: String,
        /// The task's input.
        #[serde(with = "serde_bytes")]
        input: Vec<u8>,
    },
    /// A run gives up a task that it has started.
    CancelSpawned {
        /// The run.
        run: RunId,
        /// Its name for it.
        key: String,
    },
    /// A run wants the end of the next task that it has started; answered by one
    /// [`ToExecutor::Spawned`], as soon as there is one.
    Await {
        /// The run.
        run: RunId,
    },
    /// A run wants the next request; answered by one [`ToExecutor::Request`], as soon as
    /// there is one.
    NextRequest {
        /// The run.
        run: RunId,
    },
    /// A run reads or changes data. One call at a time, unless the one before waits for a
    /// change.
    Data {
        /// The run.
        run: RunId,
        /// Which of its calls, from 1.
        call: u64,
        /// Where.
        space: Space,
        /// What.
        op: DataOp,
    },
    /// Bytes that come before those of the run's next [`FromExecutor::Data`], which has
    /// more of them than fit.
    Bulk {
        /// The run.
        run: RunId,
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A run uses a program of the machine. Numbered as calls for data are, and like them
    /// one at a time, unless the one before waits.
    Program {
        /// The run.
        run: RunId,
        /// Which of its calls, from 1.
        call: u64,
        /// What for.
        op: Box<ProgramOp>,
    },
    /// A run sends a request over the network. Numbered as calls for data are.
    Http {
        /// The run.
        run: RunId,
        /// Which of its calls, from 1.
        call: u64,
        /// The request; more of its body may have gone before, as [`FromExecutor::Bulk`].
        request: Box<HttpRequest>,
    },
}

/// How a task ended that a run has started, with its result at hand.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpawnedEnd {
    /// It succeeded.
    Success(#[serde(with = "serde_bytes")] Vec<u8>),
    /// It succeeded, and so many bytes of result are more than a driver is given.
    Large(u64),
    /// It failed for good, or was cancelled.
    Failure(Box<Failure>),
    /// It was never started, and why.
    Refused(String),
}

/// The end of a run.
#[derive(
    Clone, PartialEq, Debug, Default, serde_tuple::Serialize_tuple, serde_tuple::Deserialize_tuple,
)]
pub struct Ended {
    /// The run.
    pub run: RunId,
    /// What it used.
    pub usage: Usage,
    /// The rest of the result after all chunks, or all of it.
    #[serde(with = "serde_bytes")]
    pub output: Vec<u8>,
    /// None on success.
    pub failure: Option<Box<Failure>>,
    /// The last status, and log text since the last report, when there is any.
    pub report: Option<Box<FinalReport>>,
}
