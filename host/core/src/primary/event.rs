//! All that can happen to a primary, and all that it may ask for.

use crate::prepared::{Preparation, Prepared};
use crate::record::{RecoveredJob, Write};
use wasmhost_proto::data::{DataOp, DataReply};
use wasmhost_proto::jobs::JobOp;
use wasmhost_proto::plan::{JobPlan, SubmittedBy};
use wasmhost_proto::wire::{ToPrimary, ToWorker};
use wasmhost_proto::{Digest, JobId, Lease, NodeIndex, TaskId, WorkerId};

/// Numbers a client's request, so that its reply finds it. The driver's own.
pub type RequestId = u64;
/// Numbers an authenticated connection of a worker. The driver's own, never reused.
pub type SessionId = u64;

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A client submits a job. Replied when it is durable.
    Submit {
        /// For the reply.
        request: RequestId,
        /// The compiled job.
        plan: Box<JobPlan>,
        /// Makes a repetition return the first job.
        idempotency_key: Option<String>,
    },
    /// A client submits several jobs: all of them, or none. Replied when they are durable.
    SubmitAll {
        /// For the reply.
        request: RequestId,
        /// The compiled jobs, each with what makes a repetition of all return the
        /// first ones.
        jobs: Vec<(Box<JobPlan>, Option<String>)>,
    },
    /// A client cancels a job.
    Cancel {
        /// For the reply.
        request: RequestId,
        /// The job.
        job: JobId,
        /// From the flag to the kill, milliseconds; the default when none.
        grace_ms: Option<u64>,
    },
    /// A client wants failed and cancelled tasks of an ended job to run again.
    /// The driver read the job from the store.
    Retry {
        /// For the reply.
        request: RequestId,
        /// The job as it is stored.
        job: Box<RecoveredJob>,
    },
    /// What the primary's own driver runs from now on; none when it has none. Comes once
    /// when the primary begins, and when that changes.
    Serve {
        /// The compiled job, which [`JobPlan::serves`].
        plan: Option<Box<JobPlan>>,
    },
    /// A client asks the primary's driver for a task. Replied when it is durable. The
    /// driver has found no such key in the store.
    Ask {
        /// For the reply.
        request: RequestId,
        /// What it asks for.
        ask: Box<Ask>,
    },
    /// A client takes a request to the primary's driver back.
    Withdraw {
        /// For the reply.
        request: RequestId,
        /// Its key.
        key: String,
    },
    /// An operator drains a worker, or takes it back.
    Drain {
        /// For the reply.
        request: RequestId,
        /// The worker.
        worker: WorkerId,
        /// Whether to drain.
        on: bool,
    },
    /// A client wants to know of a job what is not old. Replied at once; the workers that
    /// have to be heard are asked.
    Poll {
        /// For the reply.
        request: RequestId,
        /// The job.
        job: JobId,
        /// What is older is to be asked for, milliseconds.
        max_age_ms: u64,
    },
    /// A client reads or changes public data. Replied when all that it rests on is durable.
    Data {
        /// For the reply.
        request: RequestId,
        /// The public space.
        space: String,
        /// What is asked for.
        op: DataOp,
    },
    /// A worker proved who it is. Its `Register` follows.
    Connected {
        /// The connection.
        session: SessionId,
        /// The worker.
        worker: WorkerId,
    },
    /// One frame of a worker.
    Frame {
        /// The connection.
        session: SessionId,
        /// Its messages.
        messages: Vec<ToPrimary>,
    },
    /// A connection is gone.
    Disconnected {
        /// The connection.
        session: SessionId,
    },
    /// Everything up to this batch is durable.
    Persisted {
        /// The batch's number.
        seq: u64,
    },
    /// The answer to [`Effect::Prepare`].
    Prepared {
        /// The job.
        job: JobId,
        /// The node.
        node: NodeIndex,
        /// That of the question.
        round: u32,
        /// What was found out, or why that could not be: then the job fails.
        result: Result<Prepared, String>,
    },
    /// The answer to [`Effect::JobCall`].
    JobAnswered {
        /// Who called.
        caller: Calling,
        /// What came of it.
        reply: DataReply,
    },
    /// Time has passed: [`super::Primary::next_timeout`] came.
    Timeout,
}

/// What a client asks of the primary's driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Makes a repetition the same request.
    pub key: String,
    /// The name of the task.
    pub node: String,
    /// Its input.
    pub input: Vec<u8>,
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Commit these, after all earlier ones; answer with [`Event::Persisted`].
    Persist {
        /// Grows by one with each.
        seq: u64,
        /// The changes.
        writes: Vec<Write>,
    },
    /// Send to a worker, in order. Lost without harm when the session is gone.
    Send {
        /// The connection.
        session: SessionId,
        /// The message.
        message: ToWorker,
    },
    /// Close a connection.
    Close {
        /// The connection.
        session: SessionId,
        /// Why, for both sides' logs.
        reason: String,
    },
    /// Answer a client.
    Reply {
        /// The request.
        request: RequestId,
        /// The answer.
        reply: Result<Reply, Refusal>,
    },
    /// Find out whether a node runs, over which items, and with what input, as
    /// [`wasmhost_proto::plan::NodePlan`] says; answer with [`Event::Prepared`].
    Prepare(Box<Preparation>),
    /// Tell a driver how a task that it has started ended, as it is recorded.
    SpawnEnded(Box<SpawnEnded>),
    /// A job's view has changed; watchers may look again. Coalesced.
    JobChanged(JobId),
    /// A job's end is durable; it has left the core's memory.
    JobEnded(JobId),
    /// A worker's view has changed. Coalesced.
    WorkerChanged(WorkerId),
    /// Carry out a call on a job that an attempt's job has submitted, or submits; answer with
    /// [`Event::JobAnswered`].
    JobCall(Box<JobCall>),
    /// A checkpoint is superseded, durably: its blob, which is no one else's, can go.
    DropCheckpoint(TaskId, Digest),
    /// For the log: an outcome of a superseded attempt was dropped.
    LateOutcome(TaskId),
}

/// A call of an attempt on a job that its job has submitted. The task is granted it.
#[derive(Clone, PartialEq, Debug)]
pub struct JobCall {
    /// Who calls.
    pub caller: Calling,
    /// What a job that it submits is told to come from.
    pub submitted_by: SubmittedBy,
    /// What it asks for; there is no [`JobOp::fault`].
    pub op: JobOp,
}

/// An attempt that calls, and which of its calls it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calling {
    /// Its worker.
    pub worker: WorkerId,
    /// The task.
    pub task: TaskId,
    /// Its lease.
    pub lease: Lease,
    /// Which call of the attempt, from 1.
    pub call: u64,
}

/// The durable end of a task that a driver has started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpawnEnded {
    /// The connection of the driver's worker.
    pub session: SessionId,
    /// The driver.
    pub task: TaskId,
    /// The driver's lease.
    pub lease: Lease,
    /// The driver's name for the task.
    pub key: String,
    /// The task.
    pub child: TaskId,
}

/// A request that was carried out.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// The job, new or found by its idempotency key, is durable.
    Job {
        /// The job.
        id: JobId,
        /// Whether this request made it.
        created: bool,
    },
    /// The jobs, in the order of the request, are durable.
    Jobs {
        /// The jobs.
        ids: Vec<JobId>,
        /// Whether this request made them.
        created: bool,
    },
    /// The request to the driver, or that it was taken back, is durable.
    Request {
        /// Whether this made it.
        created: bool,
    },
    /// The worker's state is durable.
    Worker(WorkerId),
    /// What came of a call.
    Data(Box<DataReply>),
    /// So many workers have not said of a job what is new enough, and were asked.
    Stale {
        /// How many.
        workers: u32,
    },
}

/// Why a request was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No live job has this id.
    NoSuchJob(JobId),
    /// No worker has this id.
    NoSuchWorker(WorkerId),
    /// The job has not ended: there is nothing to retry.
    NotEnded(JobId),
    /// Every task of the job succeeded: there is nothing to retry.
    NothingToRetry(JobId),
    /// The idempotency key belongs to a job with another plan.
    KeyReused(JobId),
    /// Too many live jobs; the number is the limit.
    Full(usize),
    /// The primary has no driver.
    NoDriver,
    /// Its driver starts no such task; these are those that it starts.
    NoSuchTask(Vec<String>),
    /// The key belongs to a request for something else.
    RequestKeyReused,
    /// So many requests wait, and no more fit.
    RequestsFull(usize),
    /// No request of this key waits.
    NoSuchRequest,
}
