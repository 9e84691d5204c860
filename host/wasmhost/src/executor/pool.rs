//! The supervisor's view of its executors: which run is where, what each
//! executor is to be told next. Knows nothing of jobs; counts on its caller to
//! respect the slots, and refuses what goes beyond them.

use super::launch::{Launch, Program};
use super::output::OutputData;
use super::seat;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wasmhost_proto::executor::{Run, RunId, ToExecutor};
use wasmhost_proto::limits::{BLOB_CHUNK, EXECUTOR_KILL_MARGIN_MS, MAX_LOADED_MODULES};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{Digest, Lease, TaskId};

/// How to set up a [`Pool`].
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The program to start as executors: this one.
    pub program: PathBuf,
    /// How many processes; at least one.
    pub executors: u32,
    /// How many runs at once, in all processes together; at least one.
    pub slots: u32,
    /// A folder for large outputs. It is emptied.
    pub dir: PathBuf,
}

/// A run to start.
#[derive(Clone, Debug)]
pub struct Order {
    /// The task.
    pub task: TaskId,
    /// The lease. With the task it names the run from now on.
    pub lease: Lease,
    /// The name of the task in its definition.
    pub name: String,
    /// How many indexes it has.
    pub count: u32,
    /// The module, loaded before.
    pub module: Digest,
    /// Arguments of a command after its name.
    pub args: Vec<String>,
    /// Environment of a command.
    pub env: Vec<(String, String)>,
    /// Bounds.
    pub limits: AttemptLimits,
    /// The task's input or a command's standard input.
    pub input: InputData,
}

/// The input of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InputData {
    /// Here.
    Bytes(Vec<u8>),
    /// In a file, which is only read.
    File(PathBuf),
}

/// What happens in the pool. Of each run: perhaps `Started`, any number of
/// `Status`, one `Ended`.
#[derive(Clone, PartialEq, Debug)]
pub enum PoolEvent {
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
    /// A run is over.
    Ended(Box<PoolEnd>),
    /// How many executors live and how many have died since the start; sent
    /// when that changes.
    Executors {
        /// Alive.
        alive: u32,
        /// Died without being asked to.
        lost: u32,
    },
}

/// The end of a run.
#[derive(Clone, PartialEq, Debug)]
pub struct PoolEnd {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// None on success.
    pub failure: Option<Failure>,
    /// Its output; standard output is kept whatever the exit code.
    pub output: OutputData,
    /// What it used.
    pub usage: Usage,
    /// Its last status.
    pub status: Status,
    /// Log text since the last report.
    pub log: String,
}

impl PoolEnd {
    /// The end of a run that its executor did not tell.
    pub(super) fn failed(task: TaskId, lease: Lease, failure: Failure) -> Box<PoolEnd> {
        Box::new(PoolEnd {
            task,
            lease,
            failure: Some(failure),
            output: OutputData::Bytes(Vec::new()),
            usage: Usage::default(),
            status: Status::default(),
            log: String::new(),
        })
    }
}

/// Starts, feeds, kills and replaces executor processes. Dropping it kills them.
pub struct Pool {
    shared: Arc<Shared>,
    seats: JoinSet<()>,
}

impl Pool {
    /// Starts the executors. Needs a tokio runtime; its events must be read, or
    /// the executors come to wait. Errors: the folder cannot be made.
    pub fn start(options: PoolOptions) -> io::Result<(Pool, mpsc::Receiver<PoolEvent>)> {
        let launch = Program {
            path: options.program.clone(),
            slots: options.slots,
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
        let (events, receiver) = mpsc::channel(1024);
        let executors = options.executors.max(1) as usize;
        let shared = Arc::new(Shared {
            dir: options.dir.clone(),
            slots: options.slots.max(1) as usize,
            events,
            wakes: (0..=executors).map(|_| Notify::new()).collect(),
            state: Mutex::new(State {
                modules: HashMap::new(),
                seats: (0..executors).map(|_| Seat::default()).collect(),
                names: HashMap::new(),
                refused: VecDeque::new(),
                next: 0,
                clock: 0,
                lost: 0,
                closing: false,
            }),
        });
        let mut seats = JoinSet::new();
        for seat in 0..executors {
            seats.spawn(seat::keep(shared.clone(), seat, launch.clone()));
        }
        seats.spawn(refuse(shared.clone()));
        Ok((Pool { shared, seats }, receiver))
    }

    /// Makes a compiled module known to all executors, present and future. The
    /// least recently used one is forgotten when there are too many.
    pub fn load(&self, digest: Digest, kind: ModuleKind, path: PathBuf) {
        let mut state = self.shared.lock();
        state.clock += 1;
        let used = state.clock;
        state.modules.insert(digest, Module { kind, path, used });
        if state.modules.len() > MAX_LOADED_MODULES
            && let Some(oldest) = state.modules.iter().min_by_key(|(_, m)| m.used)
        {
            let digest = *oldest.0;
            state.modules.remove(&digest);
            for seat in &mut state.seats {
                if seat.loaded.remove(&digest).is_some() {
                    seat.outbox.push_back(ToExecutor::Unload { digest });
                }
            }
        }
    }

    /// Starts a run on the executor that has least to do. Whatever is wrong
    /// with it comes back as its end.
    pub fn run(&self, order: Order) {
        let (task, lease) = (order.task, order.lease);
        let mut state = self.shared.lock();
        let seat = match state.place(order, self.shared.slots, &self.shared.dir) {
            Ok(seat) => seat,
            Err(failure) => {
                state
                    .refused
                    .push_back(PoolEnd::failed(task, lease, failure));
                state.seats.len()
            }
        };
        drop(state);
        self.shared.wakes[seat].notify_one();
    }

    /// Raises the cancel flag of a run.
    pub fn cancel(&self, task: TaskId, lease: Lease) {
        self.tell(task, lease, |run, _| ToExecutor::Cancel { run });
    }

    /// Ends a run now. An executor that does not obey is killed.
    pub fn kill(&self, task: TaskId, lease: Lease) {
        self.tell(task, lease, |run, placed| {
            placed.kill();
            ToExecutor::Kill { run }
        });
    }

    fn tell(&self, task: TaskId, lease: Lease, act: impl FnOnce(RunId, &mut Placed) -> ToExecutor) {
        let mut state = self.shared.lock();
        let Some((seat, run)) = state.names.get(&(task, lease)).copied() else {
            return;
        };
        let entry = &mut state.seats[seat];
        if let Some(placed) = entry.runs.get_mut(&run) {
            let message = act(run, placed);
            entry.outbox.push_back(message);
            self.shared.wakes[seat].notify_one();
        }
    }

    /// Lets what runs end within `grace`, then kills what is left.
    pub async fn shutdown(mut self, grace: Duration) {
        {
            let mut state = self.shared.lock();
            state.closing = true;
            for seat in &mut state.seats {
                seat.outbox.push_back(ToExecutor::Shutdown);
            }
        }
        self.shared.wakes.iter().for_each(Notify::notify_one);
        let all = async { while self.seats.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("executors did not end within {grace:?} and are killed");
        }
    }
}

/// Sends the ends of runs that no executor got.
async fn refuse(shared: Arc<Shared>) {
    loop {
        let (refused, closing) = {
            let mut state = shared.lock();
            (std::mem::take(&mut state.refused), state.closing)
        };
        if closing {
            return;
        }
        for end in refused {
            shared.send(PoolEvent::Ended(end)).await;
        }
        shared.wakes[shared.wakes.len() - 1].notified().await;
    }
}

/// Shared by the pool's handle and the keepers of its seats.
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    slots: usize,
    events: mpsc::Sender<PoolEvent>,
    /// One per seat, for its outbox, and one for refused runs.
    pub(super) wakes: Vec<Notify>,
    state: Mutex<State>,
}

impl Shared {
    /// Waits for whoever reads the events. Without a reader the worker is
    /// leaving, and nobody misses them.
    pub(super) async fn send(&self, event: PoolEvent) {
        let _ = self.events.send(event).await;
    }

    /// Held only between two statements, never across a wait.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct State {
    modules: HashMap<Digest, Module>,
    pub(super) seats: Vec<Seat>,
    names: HashMap<(TaskId, Lease), (usize, RunId)>,
    /// Ends of runs that no executor got.
    refused: VecDeque<Box<PoolEnd>>,
    next: RunId,
    clock: u64,
    pub(super) lost: u32,
    pub(super) closing: bool,
}

struct Module {
    kind: ModuleKind,
    path: PathBuf,
    used: u64,
}

/// A place for an executor process, which may be away just now.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) alive: bool,
    pub(super) outbox: VecDeque<ToExecutor>,
    pub(super) runs: HashMap<RunId, Placed>,
    /// Modules its executor was told of, by path.
    loaded: HashMap<Digest, PathBuf>,
}

/// A run on a seat.
pub(super) struct Placed {
    pub(super) task: TaskId,
    pub(super) lease: Lease,
    pub(super) limits: AttemptLimits,
    pub(super) output: PathBuf,
    /// A file whose content the executor still waits for.
    pub(super) input: Option<PathBuf>,
    /// When the executor must have ended it, once it has the run.
    pub(super) due: Option<Instant>,
    pub(super) killed: bool,
    /// Why the supervisor stopped it; counts more than what its executor says.
    pub(super) verdict: Option<Failure>,
    pub(super) log_bytes: usize,
}

impl Placed {
    /// The executor was given the run, or more of its input: the time that it
    /// has begins now.
    pub(super) fn given(&mut self) {
        if !self.killed {
            self.due = Some(margin(self.limits.wall_ms));
        }
    }

    fn kill(&mut self) {
        if !self.killed {
            self.killed = true;
            self.due = Some(margin(0));
        }
    }
}

fn margin(wall_ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(wall_ms.saturating_add(EXECUTOR_KILL_MARGIN_MS))
}

impl State {
    /// Puts a run into the outbox of the best seat, its module before it.
    fn place(&mut self, order: Order, slots: usize, dir: &Path) -> Result<usize, Failure> {
        let fault = |message: String| Failure::new(FailureKind::HostFault, message);
        if self.names.len() >= slots {
            return Err(fault(format!("all {slots} slots of the worker are taken")));
        }
        if self.names.contains_key(&(order.task, order.lease)) {
            return Err(fault("this attempt is running already".into()));
        }
        self.clock += 1;
        let Some(module) = self.modules.get_mut(&order.module) else {
            return Err(fault(format!("module {} is not loaded", order.module)));
        };
        module.used = self.clock;
        let seats = self.seats.iter().enumerate();
        let best = seats.min_by_key(|(_, seat)| (!seat.alive, seat.runs.len()));
        let index = best.map_or(0, |(index, _)| index);
        let seat = &mut self.seats[index];
        if seat.loaded.get(&order.module) != Some(&module.path) {
            seat.loaded.insert(order.module, module.path.clone());
            seat.outbox.push_back(ToExecutor::Load {
                digest: order.module,
                kind: module.kind,
                path: module.path.to_string_lossy().into_owned(),
            });
        }
        let run = self.next;
        self.next += 1;
        let (input, file) = match order.input {
            InputData::File(path) => (Vec::new(), Some(path)),
            InputData::Bytes(bytes) => (bytes, None),
        };
        let rest = input.get(BLOB_CHUNK..).unwrap_or_default().to_vec();
        self.names.insert((order.task, order.lease), (index, run));
        seat.runs.insert(
            run,
            Placed {
                task: order.task,
                lease: order.lease,
                limits: order.limits,
                output: dir.join(run.to_string()),
                input: file.clone(),
                due: None,
                killed: false,
                verdict: None,
                log_bytes: 0,
            },
        );
        let mut first = input;
        first.truncate(BLOB_CHUNK);
        let more_input = file.is_some() || !rest.is_empty();
        seat.outbox.push_back(ToExecutor::Run(Box::new(Run {
            run,
            module: order.module,
            task: order.task,
            lease: order.lease,
            name: order.name,
            count: order.count,
            args: order.args,
            env: order.env,
            limits: order.limits,
            input: first,
            more_input,
        })));
        let chunks = rest.chunks(BLOB_CHUNK);
        let last = chunks.len();
        for (i, bytes) in chunks.enumerate() {
            seat.outbox.push_back(ToExecutor::InputChunk {
                run,
                bytes: bytes.to_vec(),
                last: i + 1 == last,
            });
        }
        Ok(index)
    }

    /// Takes a run off its seat: its end is known.
    pub(super) fn remove(&mut self, seat: usize, run: RunId) -> Option<Placed> {
        let placed = self.seats[seat].runs.remove(&run)?;
        self.names.remove(&(placed.task, placed.lease));
        Some(placed)
    }

    /// Clears a seat whose executor is gone and returns its runs.
    pub(super) fn clear(&mut self, seat: usize) -> Vec<Placed> {
        let entry = &mut self.seats[seat];
        entry.alive = false;
        entry.outbox.clear();
        entry.loaded.clear();
        let runs: Vec<RunId> = entry.runs.keys().copied().collect();
        runs.into_iter()
            .filter_map(|run| self.remove(seat, run))
            .collect()
    }

    pub(super) fn alive(&self) -> u32 {
        self.seats.iter().filter(|seat| seat.alive).count() as u32
    }
}
