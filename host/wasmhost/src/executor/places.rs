//! Which run goes to which executor, and what all of them are to be told.
//! Plain state behind one lock: nothing here waits or does IO.

use super::modules::Modules;
use super::placed::{Placed, Seat};
use super::pool::{InputData, Order, PoolEnd};
use super::room::Plan;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use wasmhost_proto::executor::{Run, RunId, ToExecutor};
use wasmhost_proto::limits::{BLOB_CHUNK, EXECUTOR_CAREFUL_MS};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::{Digest, Lease, TaskId};

/// One attempt.
type Key = (TaskId, Lease);

pub(super) struct State {
    /// Where large outputs go.
    dir: PathBuf,
    /// Runs that one executor has under way at once.
    share: usize,
    modules: Modules,
    pub(super) seats: Vec<Seat>,
    /// Seats from here on are rooms, each for one run at a time.
    first_room: usize,
    /// The folder that rooms mount their files on.
    rooms: Option<PathBuf>,
    /// Runs that wait for a room.
    waiting: BTreeMap<RunId, Order>,
    /// Ends of runs that no executor got.
    refused: Vec<PoolEnd>,
    /// Runs that waited for a room and do not any more.
    returned: Vec<Key>,
    next: RunId,
    pub(super) lost: u32,
    /// Executors have died: until then they say of each run that it begins.
    careful_until: Option<Instant>,
    pub(super) closing: bool,
}

/// Where a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    /// On a seat.
    Seat(usize),
    /// It waits for a room.
    Door,
    /// It was refused.
    Nowhere,
}

impl State {
    pub(super) fn new(dir: PathBuf, seats: usize, slots: usize, rooms: Option<PathBuf>) -> State {
        let all = seats + rooms.as_ref().map_or(0, |_| slots);
        State {
            first_room: seats,
            rooms,
            waiting: BTreeMap::new(),
            returned: Vec::new(),
            dir,
            share: slots.div_ceil(seats),
            modules: Modules::default(),
            seats: (0..all).map(|_| Seat::default()).collect(),
            refused: Vec::new(),
            next: 0,
            lost: 0,
            careful_until: None,
            closing: false,
        }
    }

    /// Remembers a module for present and future executors.
    pub(super) fn know(&mut self, digest: Digest, kind: ModuleKind, path: PathBuf) {
        let Some(digest) = self.modules.add(digest, kind, path) else {
            return;
        };
        for seat in &mut self.seats {
            if seat.loaded.remove(&digest).is_some() {
                seat.outbox.push_back(ToExecutor::Unload { digest });
            }
        }
    }

    /// An executor could not load a module. Whether it was told to.
    pub(super) fn unload(&mut self, seat: usize, digest: Digest) -> bool {
        self.seats[seat].loaded.remove(&digest).is_some()
    }

    /// Places a run, or refuses it. Returns its number and whom to wake.
    pub(super) fn take(&mut self, order: Order) -> (RunId, At) {
        // Numbers begin with 1: an executor takes them in growing order.
        self.next += 1;
        let (task, lease) = (order.task, order.lease);
        let placed = match (&order.room, &self.rooms) {
            (None, _) => self.place(order).map(At::Seat),
            (Some(_), None) => Err(Failure::new(
                FailureKind::HostFault,
                "this worker offers no files",
            )),
            (Some(_), Some(_)) => {
                self.waiting.insert(self.next, order);
                Ok(At::Door)
            }
        };
        match placed {
            Ok(at) => (self.next, at),
            Err(failure) => {
                self.refused.push(PoolEnd::failed(task, lease, failure));
                (self.next, At::Nowhere)
            }
        }
    }

    /// Puts the run that waits longest into a room, which is empty.
    pub(super) fn move_in(&mut self, seat: usize) -> Option<Plan> {
        let mount = self.rooms.clone()?;
        while let Some((run, mut order)) = self.waiting.pop_first() {
            let (task, lease) = (order.task, order.lease);
            let room = order.room.take().unwrap_or_default();
            match self.seat(seat, run, order) {
                Ok(code) => {
                    // Its process leaves when it has ended.
                    self.seats[seat].outbox.push_back(ToExecutor::Shutdown);
                    return Some(Plan { mount, code, room });
                }
                Err(failure) => self.refused.push(PoolEnd::failed(task, lease, failure)),
            }
        }
        None
    }

    /// Whether a run waits for a room.
    pub(super) fn is_asked(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Ends a run that waits for a room. False when it does not.
    pub(super) fn give_up(&mut self, run: RunId) -> bool {
        let Some(order) = self.waiting.remove(&run) else {
            return false;
        };
        let failure = Failure::new(FailureKind::Cancelled, "stopped before it began");
        let end = PoolEnd::failed(order.task, order.lease, failure);
        self.refused.push(end);
        true
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
        let waiting = std::mem::take(&mut self.waiting).into_values();
        self.returned
            .extend(waiting.map(|order| (order.task, order.lease)));
    }

    /// From now on executors leave when nothing runs on them, and stay away.
    pub(super) fn close(&mut self) {
        self.closing = true;
        for seat in &mut self.seats {
            seat.outbox.push_back(ToExecutor::Shutdown);
        }
    }

    /// The ends of refused runs, and those that have come back; none once the pool is
    /// closing.
    pub(super) fn refused(&mut self) -> Option<(Vec<PoolEnd>, Vec<Key>)> {
        let (ends, returned) = (&mut self.refused, &mut self.returned);
        (!self.closing).then(|| (std::mem::take(ends), std::mem::take(returned)))
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
        let seats = self.seats[..self.first_room].iter().enumerate();
        let best = seats.min_by_key(|(_, seat)| (seat.runs.len(), !seat.alive));
        let index = best.map_or(0, |(index, _)| index);
        self.seat(index, self.next, order).map(|_| index)
    }

    /// Puts a run into the outbox of a seat, what it needs before it. Gives the path of
    /// its module's code.
    fn seat(&mut self, index: usize, run: RunId, order: Order) -> Result<PathBuf, Failure> {
        let digest = order.spec.module;
        let Some(module) = self.modules.wanted(digest) else {
            let message = format!("module {digest} is not loaded");
            return Err(Failure::new(FailureKind::HostFault, message));
        };
        let code = module.path.clone();
        let seat = &mut self.seats[index];
        seat.load(digest, module);
        let spec = seat.spec(&order.spec, order.script.as_deref());
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
            config: order.config,
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
        Ok(code)
    }

    pub(super) fn alive(&self) -> u32 {
        self.seats.iter().filter(|seat| seat.alive).count() as u32
    }
}
