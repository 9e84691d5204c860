//! A worker process: the worker's core, and executors that only pretend.

use crate::drivers::Drive;
use crate::jobs::{BAD_MODULE, Behaviour, LARGE_MEMORY, behaviour};
use crate::world::{Item, ModuleStep, RunStep, World};
use std::collections::{BTreeMap, VecDeque};
use wasmhost_core::worker::{Effect, Ended, Event, Start, Worker, WorkerConfig};
use wasmhost_proto::input::Rendered;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::plan::NodeInput;
use wasmhost_proto::status::{Progress, Status};
use wasmhost_proto::wire::{End, ResultData, ToPrimary};
use wasmhost_proto::{Lease, TaskId, WorkerId};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    behaviour: Behaviour,
    killed: bool,
    cancelled: bool,
}

#[derive(Default)]
pub(crate) struct SimWorker {
    /// None: the process is dead.
    pub core: Option<Worker>,
    /// Counts the worker's processes.
    pub process: u64,
    pub link: Option<u64>,
    pub runs: BTreeMap<(TaskId, Lease), Running>,
    /// Those of them that are drivers.
    pub drives: BTreeMap<(TaskId, Lease), Drive>,
    /// What its executors run at once.
    pub slots: usize,
    /// What waits for that.
    pub waiting: VecDeque<Start>,
    /// On its way back to the core.
    pub returning: usize,
    /// Stopped like by a signal until then.
    pub paused_until: u64,
}

impl SimWorker {
    /// Drivers hold no slot.
    fn has_room(&self) -> bool {
        self.runs.len() - self.drives.len() < self.slots
    }

    pub(crate) fn timeout(&self) -> Option<u64> {
        let at = self.core.as_ref()?.next_timeout()?;
        Some(at.0.max(self.paused_until))
    }
}

/// Bytes that a worker offers; 0 when it does not say. The first always has enough.
pub(crate) fn offer(id: WorkerId) -> u64 {
    match id.0 % 2 {
        0 => LARGE_MEMORY / 2,
        _ => 0,
    }
}

impl World {
    pub(crate) fn happen_to_worker(&mut self, item: Item) {
        let id = match &item {
            Item::ToWorker { link, .. } | Item::WorkerHears { link } => self.wires[link].worker,
            Item::Connect { worker, .. }
            | Item::Module { worker, .. }
            | Item::Run { worker, .. }
            | Item::Returned { worker, .. }
            | Item::StartWorker { worker } => *worker,
            other => panic!("{other:?} is not for a worker"),
        };
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.paused_until > self.now {
            let after = worker.paused_until - self.now;
            return self.at(after, item);
        }
        match item {
            Item::ToWorker {
                link,
                term,
                messages,
            } if worker.link == Some(link) => {
                self.worker_event(id, Event::Frame { term, messages });
            }
            Item::WorkerHears { link } if worker.link == Some(link) => {
                worker.link = None;
                let process = worker.process;
                self.worker_event(id, Event::Disconnected);
                self.connect_soon(id, process);
            }
            Item::Connect { process, .. } if process == worker.process => {
                if worker.link.is_some() || worker.core.is_none() {
                    return;
                }
                match self.primary.is_some() {
                    true => self.connect(id, process),
                    false => self.connect_soon(id, process),
                }
            }
            Item::Module {
                process,
                digest,
                step,
                ..
            } if process == worker.process => {
                let event = match step {
                    ModuleStep::Compiling => {
                        let after = self.rng.range(0, 300);
                        let step = ModuleStep::Settled;
                        self.at(
                            after,
                            Item::Module {
                                worker: id,
                                process,
                                digest,
                                step,
                            },
                        );
                        Event::ModuleCompiling(digest)
                    }
                    ModuleStep::Settled if digest == BAD_MODULE => {
                        Event::ModuleRejected(digest, "it is bad".into())
                    }
                    ModuleStep::Settled if self.rng.percent(10) && !self.is_calm() => {
                        self.seen.note("module unavailable");
                        Event::ModuleUnavailable(digest, "the link was lost".into())
                    }
                    ModuleStep::Settled => Event::ModuleReady(digest),
                };
                self.worker_event(id, event);
            }
            Item::Run {
                process, key, step, ..
            } if process == worker.process => {
                self.run_step(id, process, key, step);
            }
            Item::Returned { process, keys, .. } if process == worker.process => {
                worker.returning -= keys.len();
                if worker.core.is_some() {
                    self.worker_event(id, Event::Returned(keys));
                }
            }
            Item::StartWorker { .. } => self.start_worker(id),
            _ => {}
        }
    }

    pub(crate) fn connect_soon(&mut self, worker: WorkerId, process: u64) {
        let after = self.rng.range(1, 400);
        self.at(after, Item::Connect { worker, process });
    }

    pub(crate) fn start_worker(&mut self, id: WorkerId) {
        let (slots, prefetch) = (self.rng.range(1, 5) as u32, self.rng.range(0, 12) as u32);
        let interval = self.rng.range(50, 300);
        let now = self.clock();
        let Some(worker) = self.workers.get_mut(&id).filter(|w| w.core.is_none()) else {
            return;
        };
        worker.process += 1;
        let process = worker.process;
        let config = WorkerConfig {
            name: format!("w{}", id.0),
            version: "0".into(),
            slots,
            cpus: 1,
            memory: offer(id),
            offers: Default::default(),
            scratch: 0,
            prefetch,
            status_interval_ms: interval,
            incarnation: process,
        };
        worker.core = Some(Worker::new(config, now));
        worker.link = None;
        worker.runs.clear();
        worker.drives.clear();
        worker.waiting.clear();
        (worker.returning, worker.slots) = (0, slots as usize);
        self.log(|| format!("worker {id} starts, process {process}, {slots} slots"));
        self.connect_soon(id, process);
    }

    pub(crate) fn worker_event(&mut self, id: WorkerId, event: Event) {
        let now = self.clock();
        let Some(core) = self.workers.get_mut(&id).and_then(|w| w.core.as_mut()) else {
            return;
        };
        core.handle(now, event);
        self.drain_worker(id);
        let worker = &self.workers[&id];
        if let Some(core) = &worker.core {
            assert_eq!(
                core.running() as usize,
                worker.runs.len() + worker.waiting.len() + worker.returning,
                "{id} lost count of its runs"
            );
        }
    }

    fn drain_worker(&mut self, id: WorkerId) {
        let mut messages = Vec::new();
        let mut exit = false;
        while let Some(worker) = self.workers.get_mut(&id) {
            let Some(effect) = worker.core.as_mut().and_then(Worker::poll_effect) else {
                break;
            };
            let process = worker.process;
            match effect {
                Effect::Send(message) => {
                    self.note_sent(id, process, &message);
                    messages.push(message);
                }
                Effect::Reconnect { reason } => {
                    self.log(|| format!("worker {id} reconnects: {reason}"));
                    if let Some(link) = worker_link(self, id) {
                        self.cut(link);
                    }
                }
                Effect::Prepare { spec } => {
                    let (digest, step) = (spec.module, ModuleStep::Compiling);
                    let after = self.rng.range(0, 50);
                    self.at(
                        after,
                        Item::Module {
                            worker: id,
                            process,
                            digest,
                            step,
                        },
                    );
                }
                Effect::Data(answer) => self.call_answered(id, *answer),
                Effect::Spawned(end) => self.driver_hears(id, process, *end),
                Effect::Request(given) => self.driver_is_given(id, process, *given),
                Effect::Start(start) => match worker.has_room() {
                    true => self.run_begins(id, process, *start),
                    false => worker.waiting.push_back(*start),
                },
                Effect::TakeBack => {
                    let waiting = std::mem::take(&mut worker.waiting);
                    if waiting.is_empty() {
                        continue;
                    }
                    worker.returning += waiting.len();
                    let keys = waiting.iter().map(|start| (start.task, start.lease));
                    let keys: Vec<_> = keys.collect();
                    self.seen.note("returned by executors");
                    let after = self.rng.range(0, 20);
                    self.at(
                        after,
                        Item::Returned {
                            worker: id,
                            process,
                            keys,
                        },
                    );
                }
                Effect::Cancel(task, lease) => {
                    let key = (task, lease);
                    self.stop_waiting(id, process, key);
                    let Some(worker) = self.workers.get_mut(&id) else {
                        continue;
                    };
                    let Some(run) = worker.runs.get_mut(&key) else {
                        continue;
                    };
                    run.cancelled = true;
                    if run.behaviour.heeds_cancel {
                        let (after, step) = (self.rng.range(0, 50), RunStep::Ended);
                        self.at(
                            after,
                            Item::Run {
                                worker: id,
                                process,
                                key,
                                step,
                            },
                        );
                    }
                }
                Effect::Kill(task, lease) => {
                    let key = (task, lease);
                    self.stop_waiting(id, process, key);
                    let Some(worker) = self.workers.get_mut(&id) else {
                        continue;
                    };
                    let Some(run) = worker.runs.get_mut(&key) else {
                        continue;
                    };
                    run.killed = true;
                    let (after, step) = (self.rng.range(0, 30), RunStep::Ended);
                    self.at(
                        after,
                        Item::Run {
                            worker: id,
                            process,
                            key,
                            step,
                        },
                    );
                }
                Effect::Exit => exit = true,
            }
        }
        if let Some(link) = worker_link(self, id)
            && !messages.is_empty()
        {
            self.transmit(link, 1, Item::ToPrimary { link, messages });
        }
        if exit {
            self.seen.note("worker left");
            self.log(|| format!("worker {id} exits"));
            self.worker_dies(id);
        }
    }

    /// A run that has not begun ends at once when it is stopped.
    fn stop_waiting(&mut self, id: WorkerId, process: u64, key: (TaskId, Lease)) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let is = |start: &Start| (start.task, start.lease) == key;
        if let Some(at) = worker.waiting.iter().position(is)
            && let Some(start) = worker.waiting.remove(at)
        {
            self.run_begins(id, process, start);
            if let Some(run) = self.workers.get_mut(&id).and_then(|w| w.runs.get_mut(&key)) {
                run.killed = true;
            }
        }
    }

    /// The next run, if there is room for one.
    fn begin_next(&mut self, id: WorkerId, process: u64) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.has_room()
            && let Some(start) = worker.waiting.pop_front()
        {
            self.run_begins(id, process, start);
        }
    }

    fn note_sent(&mut self, id: WorkerId, process: u64, message: &ToPrimary) {
        match message {
            ToPrimary::Outcomes { batch, items } => {
                let before = self
                    .witness
                    .batches
                    .insert((id, process, *batch), items.clone());
                if let Some(before) = before {
                    assert_eq!(&before, items, "batch {batch} of {id} has changed");
                    self.seen.note("duplicate batch");
                }
            }
            ToPrimary::Released(items) if !items.is_empty() => self.seen.note("released"),
            ToPrimary::Register(register) => {
                let older = |held: &&wasmhost_proto::wire::Held| {
                    held.lease.term < self.primary_process && held.started.is_some()
                };
                if register.held.iter().any(|held| older(&held)) {
                    self.seen.note("adopted lease");
                }
            }
            _ => {}
        }
    }

    fn run_begins(&mut self, id: WorkerId, process: u64, start: Start) {
        let key = (start.task, start.lease);
        self.witness
            .run_started(start.task, start.lease, (id, process));
        let (job, node) = (start.task.job, usize::from(start.task.node));
        // A job may run before it is durable, and be gone with its primary.
        let plan = self.disk.plans.get(&job);
        let plan = plan.or_else(|| self.disk.plan_to_come(job));
        let input = plan.map(|plan| &plan.nodes[node].input);
        let right = match (input, &start.input) {
            (Some(NodeInput::Gather(_) | NodeInput::Join(_)), Rendered::Blob(_)) => true,
            (Some(NodeInput::Result(_)), Rendered::Bytes(bytes)) => *bytes == [9],
            (None | Some(NodeInput::Given(_)), Rendered::Bytes(_)) => true,
            _ => false,
        };
        assert!(right, "{key:?} has a wrong input");
        assert_eq!(start.args, [start.task.index.to_string()]);
        let reliable = self.is_calm() || self.reliable.contains(&start.task.job);
        let behaviour = behaviour(&mut self.rng, reliable);
        self.log(|| {
            format!(
                "worker {id} runs {} {:?}: {behaviour:?}",
                start.task, start.lease
            )
        });
        let run = Running {
            behaviour,
            killed: false,
            cancelled: false,
        };
        let drives = start.spec.driver;
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.runs.insert(key, run);
            if drives {
                worker.drives.insert(key, Drive::default());
            }
        }
        let lasts = behaviour.lasts_ms;
        let (a, b) = (self.rng.range(0, lasts + 1), self.rng.range(0, lasts + 1));
        // A driver ends when it has nothing left to do, or in the middle of it.
        let last = match drives && behaviour.fails.is_none() {
            true => RunStep::Drive,
            false => RunStep::Ended,
        };
        let first = match drives {
            true => RunStep::Drive,
            false => RunStep::Status,
        };
        for (after, step) in [
            (a.min(b), RunStep::Started),
            (a.max(b), first),
            (lasts, last),
        ] {
            self.at(
                after,
                Item::Run {
                    worker: id,
                    process,
                    key,
                    step,
                },
            );
        }
    }

    fn run_step(&mut self, id: WorkerId, process: u64, key: (TaskId, Lease), step: RunStep) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let Some(run) = worker.runs.get(&key).copied() else {
            return;
        };
        let (task, lease) = key;
        let status = Status {
            progress: Some(Progress {
                done: 1,
                total: Some(2),
                message: None,
            }),
            ..Status::default()
        };
        let event = match step {
            RunStep::Started => {
                match self.rng.range(0, 10) {
                    0..3 => self.call(id, key),
                    3..6 => self.ask_for_checkpoint(id, key),
                    _ => {}
                }
                Event::Started(task, lease)
            }
            RunStep::Status => Event::Status {
                task,
                lease,
                status,
                log: "half\n".into(),
            },
            RunStep::Drive => {
                if self.drive(id, key) {
                    self.run_step(id, process, key, RunStep::Ended);
                }
                return;
            }
            RunStep::Ended => {
                worker.runs.remove(&key);
                worker.drives.remove(&key);
                self.begin_next(id, process);
                let fails = match run {
                    Running { killed: true, .. } => Some(FailureKind::Cancelled),
                    Running {
                        cancelled: true,
                        behaviour,
                        ..
                    } if behaviour.heeds_cancel => {
                        Some(behaviour.fails.unwrap_or(FailureKind::GuestError))
                    }
                    _ => run.behaviour.fails,
                };
                let own = ResultData::Inline(task.to_string().into_bytes());
                let end = match fails {
                    None => End::Success(own),
                    Some(kind) => End::Failure(Box::new(Failure::new(kind, "as told")), None),
                };
                Event::Ended(Box::new(Ended {
                    task,
                    lease,
                    end,
                    usage: Usage {
                        wall_us: run.behaviour.lasts_ms * 1000,
                        ..Usage::default()
                    },
                    status,
                    log: "whole\n".into(),
                }))
            }
        };
        self.worker_event(id, event);
    }

    pub(crate) fn worker_dies(&mut self, id: WorkerId) {
        let link = worker_link(self, id);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.core = None;
            worker.runs.clear();
            worker.drives.clear();
            worker.waiting.clear();
            worker.paused_until = 0;
        }
        if let Some(link) = link {
            self.cut(link);
        }
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.link = None;
        }
        let after = self.rng.range(1, 2_000);
        self.at(after, Item::StartWorker { worker: id });
    }
}

pub(crate) fn worker_link(world: &World, id: WorkerId) -> Option<u64> {
    world.workers.get(&id).and_then(|w| w.link)
}
