//! Which run is on which executor, and what each executor is to be told next.
//! Plain state behind one lock: nothing here waits or does IO.

use super::ipc::BATCH_BYTES;
use super::pool::{InputData, Order, PoolEnd, PoolEvent};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use wasmhost_proto::executor::{Run, RunId, RunSpec, SpecId, ToExecutor};
use wasmhost_proto::limits::{
    BLOB_CHUNK, EXECUTOR_CAREFUL_MS, EXECUTOR_KILL_MARGIN_MS, MAX_BATCH, MAX_LOADED_MODULES,
};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::wire::NodeSpec;
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
                share: slots.div_ceil(seats),
                modules: HashMap::new(),
                seats: (0..seats).map(|_| Seat::default()).collect(),
                refused: Vec::new(),
                next: 0,
                clock: 0,
                lost: 0,
                careful_until: None,
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
    /// Runs that one executor has under way at once.
    share: usize,
    modules: HashMap<Digest, Module>,
    pub(super) seats: Vec<Seat>,
    /// Ends of runs that no executor got.
    refused: Vec<PoolEnd>,
    next: RunId,
    clock: u64,
    pub(super) lost: u32,
    /// Executors have died: until then they say of each run that it begins.
    careful_until: Option<Instant>,
    pub(super) closing: bool,
}

struct Module {
    kind: ModuleKind,
    path: PathBuf,
    used: u64,
}

/// Specs that an executor knows at once.
const MAX_SPECS: usize = 64;

/// A place for an executor process, which may be away just now.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) alive: bool,
    pub(super) outbox: VecDeque<ToExecutor>,
    /// In the order in which they begin.
    pub(super) runs: BTreeMap<RunId, Placed>,
    /// Modules its executor was told of, by path.
    loaded: HashMap<Digest, PathBuf>,
    /// Specs its executor was told of, the latest one last.
    specs: VecDeque<(SpecId, Arc<NodeSpec>)>,
    careful: bool,
    /// Times that it was asked for what has not begun, and has not answered.
    pub(super) asked: usize,
    /// Bytes of the runs that end the outbox, roughly.
    batch_bytes: usize,
}

/// A run on a seat.
pub(super) struct Placed {
    pub(super) task: TaskId,
    pub(super) lease: Lease,
    pub(super) spec: Arc<NodeSpec>,
    /// A file whose content the executor still waits for.
    pub(super) input: Option<PathBuf>,
    /// The executor has said that it began.
    pub(super) begun: bool,
    /// When the executor must have ended it, once it can have begun.
    pub(super) due: Option<Instant>,
    pub(super) killed: bool,
    /// Why the supervisor stopped it; counts more than what its executor says.
    pub(super) verdict: Option<Box<Failure>>,
    pub(super) log_bytes: usize,
}

impl Placed {
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

impl Seat {
    /// The number under which the executor knows the spec; it is told first.
    fn spec(&mut self, spec: &Arc<NodeSpec>) -> SpecId {
        let known = self.specs.iter().rev().find(|(_, s)| Arc::ptr_eq(s, spec));
        if let Some((id, _)) = known {
            return *id;
        }
        let id = match self.specs.len() {
            len if len < MAX_SPECS => len as SpecId,
            // The executor has what waits under the old meaning by then.
            _ => self.specs.pop_front().map_or(0, |(id, _)| id),
        };
        self.specs.push_back((id, spec.clone()));
        let wire = RunSpec {
            module: spec.module,
            job: spec.job,
            node: spec.node,
            name: spec.name.clone(),
            count: spec.count,
            limits: spec.limits,
        };
        self.outbox.push_back(ToExecutor::Spec(id, Box::new(wire)));
        id
    }

    /// Adds a run to the latest message, or to a new one.
    fn order(&mut self, run: Run) {
        let texts = |(k, v): &(String, String)| k.len() + v.len() + 8;
        let args: usize = run.args.iter().map(|arg| arg.len() + 4).sum();
        let bytes = 64 + run.input.len() + args + run.env.iter().map(texts).sum::<usize>();
        match self.outbox.back_mut() {
            Some(ToExecutor::Runs(runs))
                if runs.len() < MAX_BATCH && self.batch_bytes + bytes <= BATCH_BYTES =>
            {
                self.batch_bytes += bytes;
                runs.push(run);
            }
            _ => {
                self.batch_bytes = bytes;
                self.outbox.push_back(ToExecutor::Runs(vec![run]));
            }
        }
    }

    /// Somebody must answer for what its executor did: the first of its runs, unless it
    /// is known which have begun. Without that, runs could go round for ever.
    pub(super) fn blame(&mut self) {
        let any_begun = self.runs.values().any(|run| run.begun);
        if let Some(mut first) = self.runs.first_entry().filter(|_| !any_begun) {
            first.get_mut().begun = true;
        }
    }

    /// Gives the runs that have begun, or can have, the time that they have.
    pub(super) fn set_due(&mut self, share: usize) {
        for run in self.runs.values_mut().take(share) {
            if run.due.is_none() && run.input.is_none() {
                run.due = Some(margin(run.spec.limits.wall_ms));
            }
        }
    }
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

    /// An executor could not load a module. Whether it was told to.
    pub(super) fn unload(&mut self, seat: usize, digest: Digest) -> bool {
        let told = self.seats[seat].loaded.remove(&digest);
        let current = |m: &Module| Some(&m.path) == told.as_ref();
        if self.modules.get(&digest).is_some_and(current) {
            self.modules.remove(&digest);
        }
        told.is_some()
    }

    /// Places a run, or refuses it. Returns its number and whom to wake.
    pub(super) fn take(&mut self, order: Order) -> (RunId, usize) {
        // Numbers begin with 1: an executor takes them in growing order.
        self.next += 1;
        let (task, lease) = (order.task, order.lease);
        match self.place(order) {
            Ok(seat) => (self.next, seat),
            Err(failure) => {
                self.refused.push(PoolEnd::failed(task, lease, failure));
                (self.next, self.seats.len())
            }
        }
    }

    /// Tells the executor of a run something about it. Returns whom to wake.
    pub(super) fn tell(
        &mut self,
        run: RunId,
        act: impl FnOnce(&mut Placed) -> ToExecutor,
    ) -> Option<usize> {
        let at = self.seats.iter().position(|s| s.runs.contains_key(&run))?;
        let seat = &mut self.seats[at];
        let message = act(seat.runs.get_mut(&run)?);
        seat.outbox.push_back(message);
        Some(at)
    }

    /// Asks every executor that lives for what has not begun.
    pub(super) fn take_back(&mut self) {
        for seat in self.seats.iter_mut().filter(|seat| seat.alive) {
            seat.asked += 1;
            seat.outbox.push_back(ToExecutor::Return);
        }
    }

    /// From now on executors leave when nothing runs on them, and stay away.
    pub(super) fn close(&mut self) {
        self.closing = true;
        for seat in &mut self.seats {
            seat.outbox.push_back(ToExecutor::Shutdown);
        }
    }

    /// The ends of refused runs; none once the pool is closing.
    pub(super) fn refused(&mut self) -> Option<Vec<PoolEnd>> {
        (!self.closing).then(|| std::mem::take(&mut self.refused))
    }

    /// An executor has died: from now on it must be known what each one runs.
    pub(super) fn lose(&mut self) {
        self.lost += 1;
        let until = Instant::now() + Duration::from_millis(EXECUTOR_CAREFUL_MS);
        self.careful_until = Some(until);
    }

    /// Tells an executor whether to be careful when that has changed.
    pub(super) fn set_care(&mut self, seat: usize, now: Instant) -> bool {
        let careful = self.careful_until.is_some_and(|until| now < until);
        let seat = &mut self.seats[seat];
        let changed = seat.alive && seat.careful != careful;
        if changed {
            seat.careful = careful;
            seat.outbox.push_front(ToExecutor::Careful(careful));
        }
        changed
    }

    /// How many runs of an executor can have begun.
    pub(super) fn share(&self) -> usize {
        self.share
    }

    /// Where a large output of a run goes.
    pub(super) fn output(&self, run: RunId) -> PathBuf {
        self.dir.join(run.to_string())
    }

    /// Puts a run into the outbox of the best seat, what it needs before it.
    fn place(&mut self, order: Order) -> Result<usize, Failure> {
        self.clock += 1;
        let digest = order.spec.module;
        let Some(module) = self.modules.get_mut(&digest) else {
            let message = format!("module {digest} is not loaded");
            return Err(Failure::new(FailureKind::HostFault, message));
        };
        module.used = self.clock;
        let seats = self.seats.iter().enumerate();
        let best = seats.min_by_key(|(_, seat)| (seat.runs.len(), !seat.alive));
        let index = best.map_or(0, |(index, _)| index);
        let seat = &mut self.seats[index];
        if seat.loaded.get(&digest) != Some(&module.path) {
            seat.loaded.insert(digest, module.path.clone());
            seat.outbox.push_back(ToExecutor::Load {
                digest,
                kind: module.kind,
                path: module.path.to_string_lossy().into_owned(),
            });
        }
        let spec = seat.spec(&order.spec);
        let run = self.next;
        let (mut first, file) = match order.input {
            InputData::File(path) => (Vec::new(), Some(path)),
            InputData::Bytes(bytes) => (bytes, None),
        };
        let rest = first.split_off(first.len().min(BLOB_CHUNK));
        let wire = Run {
            run,
            spec,
            index: order.task.index,
            term: order.lease.term,
            attempt: order.lease.attempt,
            args: order.args,
            env: order.env,
            input: first,
            more_input: file.is_some() || !rest.is_empty(),
        };
        let placed = Placed {
            task: order.task,
            lease: order.lease,
            spec: order.spec,
            input: file,
            begun: false,
            due: None,
            killed: false,
            verdict: None,
            log_bytes: 0,
        };
        seat.runs.insert(run, placed);
        seat.order(wire);
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

    /// Clears a seat whose executor is gone and returns its runs. One that never came
    /// up, or said of each run that it begins, can have fallen only over the first.
    pub(super) fn clear(&mut self, seat: usize) -> BTreeMap<RunId, Placed> {
        let entry = &mut self.seats[seat];
        if entry.careful || !entry.alive {
            entry.blame();
        }
        entry.alive = false;
        entry.careful = false;
        entry.asked = 0;
        entry.outbox.clear();
        entry.loaded.clear();
        entry.specs.clear();
        std::mem::take(&mut entry.runs)
    }

    pub(super) fn alive(&self) -> u32 {
        self.seats.iter().filter(|seat| seat.alive).count() as u32
    }
}
