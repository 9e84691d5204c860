//! Which run is on which executor, and what each executor is to be told next.
//! Plain state behind one lock: nothing here waits or does IO.

use super::pool::{InputData, Order, PoolEnd, PoolEvent};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use wasmhost_proto::executor::{Run, RunId, ToExecutor};
use wasmhost_proto::limits::{BLOB_CHUNK, EXECUTOR_KILL_MARGIN_MS, MAX_LOADED_MODULES};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{Digest, Lease, TaskId};

/// Shared by the pool's handle and the keepers of its seats.
pub(super) struct Shared {
    events: mpsc::Sender<PoolEvent>,
    /// One per seat, for its outbox, and one for refused runs.
    pub(super) wakes: Vec<Notify>,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(
        dir: PathBuf,
        seats: usize,
        slots: usize,
        events: mpsc::Sender<PoolEvent>,
    ) -> Shared {
        Shared {
            events,
            wakes: (0..=seats).map(|_| Notify::new()).collect(),
            state: Mutex::new(State {
                dir,
                slots,
                modules: HashMap::new(),
                seats: (0..seats).map(|_| Seat::default()).collect(),
                names: HashMap::new(),
                refused: VecDeque::new(),
                next: 0,
                clock: 0,
                lost: 0,
                closing: false,
            }),
        }
    }

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
    /// Where large outputs go.
    dir: PathBuf,
    slots: usize,
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

    /// The executor is told to end it, and has a margin for that.
    pub(super) fn kill(&mut self) {
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
    /// Remembers a module for present and future executors.
    pub(super) fn know(&mut self, digest: Digest, kind: ModuleKind, path: PathBuf) {
        self.clock += 1;
        let used = self.clock;
        self.modules.insert(digest, Module { kind, path, used });
        if self.modules.len() <= MAX_LOADED_MODULES {
            return;
        }
        let oldest = self.modules.iter().min_by_key(|(_, m)| m.used);
        if let Some(digest) = oldest.map(|(digest, _)| *digest) {
            self.modules.remove(&digest);
            for seat in &mut self.seats {
                if seat.loaded.remove(&digest).is_some() {
                    seat.outbox.push_back(ToExecutor::Unload { digest });
                }
            }
        }
    }

    /// Places a run, or refuses it. Returns whom to wake.
    pub(super) fn take(&mut self, order: Order) -> usize {
        let (task, lease) = (order.task, order.lease);
        self.place(order).unwrap_or_else(|failure| {
            self.refused
                .push_back(PoolEnd::failed(task, lease, failure));
            self.seats.len()
        })
    }

    /// Tells the executor of a run something about it. Returns whom to wake.
    pub(super) fn tell(
        &mut self,
        task: TaskId,
        lease: Lease,
        act: impl FnOnce(RunId, &mut Placed) -> ToExecutor,
    ) -> Option<usize> {
        let (seat, run) = *self.names.get(&(task, lease))?;
        let entry = &mut self.seats[seat];
        let message = act(run, entry.runs.get_mut(&run)?);
        entry.outbox.push_back(message);
        Some(seat)
    }

    /// From now on executors leave when nothing runs on them, and stay away.
    pub(super) fn close(&mut self) {
        self.closing = true;
        for seat in &mut self.seats {
            seat.outbox.push_back(ToExecutor::Shutdown);
        }
    }

    /// The ends of refused runs; none once the pool is closing.
    pub(super) fn refused(&mut self) -> Option<VecDeque<Box<PoolEnd>>> {
        (!self.closing).then(|| std::mem::take(&mut self.refused))
    }

    /// Puts a run into the outbox of the best seat, its module before it.
    fn place(&mut self, order: Order) -> Result<usize, Failure> {
        let fault = |message: String| Failure::new(FailureKind::HostFault, message);
        let slots = self.slots;
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
        let (mut first, file) = match order.input {
            InputData::File(path) => (Vec::new(), Some(path)),
            InputData::Bytes(bytes) => (bytes, None),
        };
        let rest = first.split_off(first.len().min(BLOB_CHUNK));
        let more_input = file.is_some() || !rest.is_empty();
        self.names.insert((order.task, order.lease), (index, run));
        seat.runs.insert(
            run,
            Placed {
                task: order.task,
                lease: order.lease,
                limits: order.limits,
                output: self.dir.join(run.to_string()),
                input: file,
                due: None,
                killed: false,
                verdict: None,
                log_bytes: 0,
            },
        );
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
