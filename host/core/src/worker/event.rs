//! All that can happen to a worker, and all that it may ask for.

use std::sync::Arc;
use wasmhost_proto::data::{DataAnswer, DataCall};
use wasmhost_proto::input::Rendered;
use wasmhost_proto::outcome::Usage;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{
    CancelSpawned, End, GivenRequest, NodeSpec, Spawn, SpawnedEnd, ToPrimary, ToWorker,
};
use wasmhost_proto::{Digest, Lease, TaskId};

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The control stream is up; the core answers with `Register`.
    Connected,
    /// The control stream is gone. Running attempts go on.
    Disconnected,
    /// One frame of the primary.
    Frame {
        /// The primary's term.
        term: u64,
        /// Its messages.
        messages: Vec<ToWorker>,
    },
    /// The module is on disk and being compiled.
    ModuleCompiling(Digest),
    /// The module is compiled.
    ModuleReady(Digest),
    /// The module cannot run here; its attempts end as `ModuleRejected`.
    ModuleRejected(Digest, String),
    /// The module could not be had now (link lost, disk); ask again after a while.
    ModuleUnavailable(Digest, String),
    /// A module that was ready cannot be loaded any more.
    ModuleLost(Digest),
    /// A run has been instantiated.
    Started(TaskId, Lease),
    /// A run has published something.
    Status {
        /// The task.
        task: TaskId,
        /// The lease.
        lease: Lease,
        /// The whole status.
        status: Status,
        /// New log text.
        log: String,
    },
    /// A run is over, its output inline or uploaded.
    Ended(Box<Ended>),
    /// Attempts that had not begun have come back from the executors: they
    /// wait their turn again, as if they had not been started.
    Returned(Vec<(TaskId, Lease)>),
    /// A driver starts a task of its job.
    Spawn(Box<Spawn>),
    /// An attempt calls for data. One call at a time, unless the one before waits for a
    /// change.
    Data(Box<DataCall>),
    /// A driver gives up a task that it has started, by its key.
    CancelSpawned(Box<CancelSpawned>),
    /// A driver wants the end of the next task that it has started; answered by
    /// [`Effect::Spawned`].
    Await(TaskId, Lease),
    /// A driver wants the next request; answered by [`Effect::Request`].
    NextRequest(TaskId, Lease),
    /// Executors alive and lost, when that changes.
    Executors {
        /// Alive.
        alive: u32,
        /// Died since the worker began.
        lost: u32,
    },
    /// The process is to leave: no new work, give back what has not started,
    /// let what runs end within the grace, then [`Effect::Exit`].
    Shutdown {
        /// From now to the kill, milliseconds.
        grace_ms: u64,
    },
    /// Time has passed: [`super::Worker::next_timeout`] came.
    Timeout,
}

/// The end of a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Ended {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// How.
    pub end: End,
    /// What it used.
    pub usage: Usage,
    /// The last status.
    pub status: Status,
    /// New log text.
    pub log: String,
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Send to the primary, in order. Dropped when there is no connection: the
    /// core repeats what matters after a reconnect.
    Send(ToPrimary),
    /// Drop the connection and make a new one.
    Reconnect {
        /// Why, for the log.
        reason: String,
    },
    /// Fetch the module (unless it is in the cache) and compile it.
    Prepare {
        /// The module.
        spec: Arc<NodeSpec>,
    },
    /// Run an attempt. Answered by `Started` (perhaps) and one `Ended`.
    Start(Box<Start>),
    /// Take back what the executors have not begun; answered by `Returned`.
    TakeBack,
    /// Raise the cancel flag of a run.
    Cancel(TaskId, Lease),
    /// Kill a run; it answers with `Ended`.
    Kill(TaskId, Lease),
    /// Tell a driver of the end that it wants.
    Spawned(Box<SpawnedEnd>),
    /// Give a driver the request that it wants; none when no more come.
    Request(Box<GivenRequest>),
    /// Tell an attempt what came of its call.
    Data(Box<DataAnswer>),
    /// Everything is over: the process may end.
    Exit,
}

/// An attempt to run.
#[derive(Clone, PartialEq, Debug)]
pub struct Start {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// What its node has in common.
    pub spec: Arc<NodeSpec>,
    /// Its input.
    pub input: Rendered,
    /// Its arguments, filled in.
    pub args: Vec<String>,
    /// Its environment, filled in.
    pub env: Vec<(String, String)>,
    /// Its configuration, filled in.
    pub config: Vec<(String, String)>,
}
