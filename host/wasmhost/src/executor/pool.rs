//! The pool of executor processes, as the worker's driver uses it. Counts on
//! its caller to give it little more than the slots take: what waits in an
//! executor begins in order of arrival, and comes back when it is asked for.

use super::bulk;
use super::launch::{Launch, Program};
use super::output::OutputData;
use super::placed::Placed;
use super::room::Room;
use super::rooms;
use super::seat;
use super::shared::Shared;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wasmhost_proto::data::{DataCall, DataReply};
use wasmhost_proto::executor::{RunId, SpawnedEnd, ToExecutor};
use wasmhost_proto::http::{HttpReply, HttpRequest};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, Usage};
use wasmhost_proto::program::{ProgramOp, ProgramReply};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{DriverRequest, FinalReport, NodeSpec};
use wasmhost_proto::{Digest, Lease, TaskId};
use wasmhost_sandbox::DriverCall;

/// Events that wait for their reader at once; executors wait when there are more.
pub(super) const EVENTS: usize = 1024;

/// How to set up a [`Pool`].
#[derive(Clone, Debug)]
pub(crate) struct PoolOptions {
    /// The program to start as executors: this one.
    pub program: PathBuf,
    /// How many processes; at least one.
    pub executors: u32,
    /// How many runs at once, in all processes together; at least one.
    pub slots: u32,
    /// A folder for large outputs. It is emptied.
    pub dir: PathBuf,
    /// An empty folder that rooms mount their files on, each for itself; none where there
    /// can be no rooms.
    pub rooms: Option<PathBuf>,
}

/// A run to start.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// What its node has in common; the module was loaded before.
    pub spec: Arc<NodeSpec>,
    /// Arguments of a command after its name.
    pub args: Vec<String>,
    /// Environment of a command.
    pub env: Vec<(String, String)>,
    /// What the guest reads as its configuration.
    pub config: Vec<(String, String)>,
    /// The text of the spec's script.
    pub script: Option<Arc<str>>,
    /// The task's input or a command's standard input.
    pub input: InputData,
    /// What it sees of files.
    pub room: Option<Room>,
}

/// The input of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum InputData {
    /// Here.
    Bytes(Vec<u8>),
    /// In a file, which is only read.
    File(PathBuf),
}

/// What happens in the pool. Of each run: perhaps `Started`, any number of
/// `Status`, one `Ended`; or `Returned` alone.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum PoolEvent {
    /// Runs have begun. Not said of those that end at once.
    Started(Vec<(TaskId, Lease)>),
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
    /// A run, a driver, asks for something.
    Drives {
        /// The task.
        task: TaskId,
        /// The lease.
        lease: Lease,
        /// What for.
        call: DriverCall,
    },
    /// A run reads or changes data.
    Calls(Box<DataCall>),
    /// A run uses a program of the machine.
    Program(Box<ProgramCall>),
    /// A run sends a request over the network.
    Http(Box<HttpCall>),
    /// Runs are over.
    Ended(Vec<PoolEnd>),
    /// Runs have not begun and do not any more: the pool was asked for them, or
    /// their executor is gone.
    Returned(Vec<(TaskId, Lease)>),
    /// An executor could not load a module, which has to be told again.
    Unloaded(Digest),
    /// How many executors live and how many have died since the start; sent
    /// when that changes.
    Executors {
        /// Alive.
        alive: u32,
        /// Died without being asked to.
        lost: u32,
    },
}

/// A run's call for a program.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ProgramCall {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// What its node has in common: what it was granted, too.
    pub spec: Arc<NodeSpec>,
    /// Which call of the run.
    pub call: u64,
    /// What for.
    pub op: ProgramOp,
}

/// A run's request over the network.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct HttpCall {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// What its node has in common: what it was granted, too.
    pub spec: Arc<NodeSpec>,
    /// Which call of the run.
    pub call: u64,
    /// What it sends.
    pub request: HttpRequest,
}

/// The end of a run.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct PoolEnd {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// None on success.
    pub failure: Option<Box<Failure>>,
    /// Its output; standard output is kept whatever the exit code.
    pub output: OutputData,
    /// What it used.
    pub usage: Usage,
    /// Its last status, and log text since the last report, when there is any.
    pub report: Option<Box<FinalReport>>,
}

impl PoolEnd {
    /// The end of a run that its executor did not tell.
    pub(super) fn failed(task: TaskId, lease: Lease, failure: Failure) -> PoolEnd {
        PoolEnd {
            task,
            lease,
            failure: Some(Box::new(failure)),
            output: OutputData::Bytes(Vec::new()),
            usage: Usage::default(),
            report: None,
        }
    }
}

/// Starts, feeds, kills and replaces executor processes. Dropping it kills them.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    seats: JoinSet<()>,
}

impl Pool {
    /// Starts the executors. Needs a tokio runtime; its events must be read, or
    /// the executors come to wait. Errors: the folder cannot be made.
    pub(crate) fn start(options: PoolOptions) -> io::Result<(Pool, mpsc::Receiver<PoolEvent>)> {
        let launch = Program {
            path: options.program.clone(),
            slots: options.slots.max(1).div_ceil(options.executors.max(1)),
        };
        Pool::start_with(&options, Arc::new(launch))
    }

    pub(super) fn start_with(
        options: &PoolOptions,
        launch: Arc<dyn Launch>,
    ) -> io::Result<(Pool, mpsc::Receiver<PoolEvent>)> {
        if options.dir.exists() {
            fs::remove_dir_all(&options.dir)?;
        }
        fs::create_dir_all(&options.dir)?;
        let (events, receiver) = mpsc::channel(EVENTS);
        let executors = options.executors.max(1) as usize;
        let slots = options.slots.max(1) as usize;
        let (dir, rooms) = (options.dir.clone(), options.rooms.clone());
        let shared = Arc::new(Shared::new(dir, executors, slots, rooms, events));
        let mut seats = JoinSet::new();
        for seat in 0..executors {
            seats.spawn(seat::keep(shared.clone(), seat, launch.clone()));
        }
        for room in executors..shared.wakes.len() {
            seats.spawn(rooms::keep(shared.clone(), room, launch.clone()));
        }
        seats.spawn(refuse(shared.clone()));
        Ok((Pool { shared, seats }, receiver))
    }

    /// Makes a compiled module known to all executors, present and future. The
    /// least recently used one is forgotten when there are too many.
    pub(crate) fn load(&self, digest: Digest, kind: ModuleKind, path: PathBuf) {
        self.shared.lock().know(digest, kind, path);
    }

    /// Gives a run to the executor that has least to do, and returns its number.
    /// Whatever is wrong with it comes back as its end.
    pub(crate) fn run(&self, order: Order) -> RunId {
        let (run, at) = self.shared.lock().take(order);
        self.shared.wake(at);
        run
    }

    /// Asks every executor for the runs that have not begun.
    pub(crate) fn take_back(&self) {
        self.shared.lock().take_back();
        self.shared.wakes.iter().for_each(|wake| wake.notify_one());
        self.shared.refused.notify_one();
    }

    /// Raises the cancel flag of a run; one that has not begun ends.
    pub(crate) fn cancel(&self, run: RunId) {
        self.tell(run, |_| ToExecutor::Cancel { run });
        self.give_up(run);
    }

    /// Ends a run now. An executor that does not obey is killed.
    pub(crate) fn kill(&self, run: RunId) {
        self.tell(run, |placed| {
            placed.kill();
            ToExecutor::Kill { run }
        });
        self.give_up(run);
    }

    /// Ends a run that still waits for a room.
    fn give_up(&self, run: RunId) {
        if self.shared.lock().give_up(run) {
            self.shared.refused.notify_one();
        }
    }

    /// Tells a driver of the end that it waits for.
    pub(crate) fn spawned(&self, run: RunId, key: String, end: SpawnedEnd) {
        self.tell(run, |_| ToExecutor::Spawned { run, key, end });
    }

    /// Gives a driver the request that it waits for, or tells it that no more come.
    pub(crate) fn requested(&self, run: RunId, request: Option<Box<DriverRequest>>) {
        self.tell(run, |_| ToExecutor::Request { run, request });
    }

    /// Tells a run what came of its call.
    pub(crate) fn answer(&self, run: RunId, call: u64, mut reply: DataReply) {
        if let Some(bytes) = bulk::of_reply(&mut reply) {
            for bytes in bulk::cut(bytes) {
                self.tell(run, |_| ToExecutor::Bulk { run, bytes });
            }
        }
        self.tell(run, |_| ToExecutor::Data { run, call, reply });
    }

    /// Tells a run what came of its call for a program.
    pub(crate) fn programmed(&self, run: RunId, call: u64, reply: ProgramReply) {
        let reply = Box::new(reply);
        self.tell(run, |_| ToExecutor::Program { run, call, reply });
    }

    /// Tells a run what came of its request over the network.
    pub(crate) fn fetched(&self, run: RunId, call: u64, mut reply: HttpReply) {
        if let Some(bytes) = bulk::of_answer(&mut reply) {
            for bytes in bulk::cut(bytes) {
                self.tell(run, |_| ToExecutor::Bulk { run, bytes });
            }
        }
        let reply = Box::new(reply);
        self.tell(run, |_| ToExecutor::Http { run, call, reply });
    }

    fn tell(&self, run: RunId, act: impl FnOnce(&mut Placed) -> ToExecutor) {
        let seat = self.shared.lock().tell(run, act);
        if let Some(seat) = seat {
            self.shared.wakes[seat].notify_one();
        }
    }

    /// Lets what runs end within `grace`, then kills what is left.
    pub(crate) async fn shutdown(mut self, grace: Duration) {
        self.shared.lock().close();
        self.shared.wakes.iter().for_each(|wake| wake.notify_one());
        self.shared.refused.notify_one();
        self.shared.vacancy.notify_waiters();
        let all = async { while self.seats.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("executors did not end within {grace:?} and are killed");
        }
    }
}

/// Sends what becomes of runs that no executor got.
async fn refuse(shared: Arc<Shared>) {
    loop {
        let Some((refused, returned)) = shared.lock().refused() else {
            return;
        };
        if !refused.is_empty() {
            shared.send(PoolEvent::Ended(refused)).await;
        }
        if !returned.is_empty() {
            shared.send(PoolEvent::Returned(returned)).await;
        }
        shared.refused.notified().await;
    }
}
