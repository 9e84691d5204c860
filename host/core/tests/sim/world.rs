//! Time, the network, and the primary's side of the cluster.

use crate::disk::Disk;
use crate::drivers::Meanings;
use crate::network::Wire;
use crate::requests;
use crate::rng::Rng;
use crate::witness::{Seen, Witness};
use crate::worker::SimWorker;
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::prepared::Preparation;
use wasmhost_core::primary::{Event, Primary, PrimaryConfig};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::wire::{ToPrimary, ToWorker};
use wasmhost_proto::{Digest, JobId, Lease, TaskId, Timestamp, WorkerId};

/// When faults and new jobs stop, milliseconds.
const CALM: u64 = 20_000;
/// When everything must have ended.
const END: u64 = 400_000;
/// One schedule of so many has a primary with a driver.
const SERVED: u64 = 4;
/// 2026-11-20, in milliseconds since 1970.
const WALL: u64 = 1_795_176_000_000;

/// Something that will happen.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    ToPrimary {
        link: u64,
        messages: Vec<ToPrimary>,
    },
    ToWorker {
        link: u64,
        term: u64,
        messages: Vec<ToWorker>,
    },
    /// A side notices that a link is gone.
    PrimaryHears {
        link: u64,
    },
    WorkerHears {
        link: u64,
    },
    Connect {
        worker: WorkerId,
        process: u64,
    },
    Commit {
        process: u64,
    },
    Durable {
        process: u64,
        seq: u64,
    },
    Prepare {
        process: u64,
        what: Box<Preparation>,
    },
    Module {
        worker: WorkerId,
        process: u64,
        digest: Digest,
        step: ModuleStep,
    },
    Returned {
        worker: WorkerId,
        process: u64,
        keys: Vec<(TaskId, Lease)>,
    },
    Run {
        worker: WorkerId,
        process: u64,
        key: (TaskId, Lease),
        step: RunStep,
    },
    Client,
    Fault,
    StartPrimary,
    StartWorker {
        worker: WorkerId,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ModuleStep {
    Compiling,
    Settled,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum RunStep {
    Started,
    Status,
    /// A driver goes on.
    Drive,
    Ended,
}

/// What a client asked for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Submit(Option<String>),
    Cancel(JobId),
    /// Of the primary's driver, by key.
    Task(String),
    Retry,
    Drain,
}

pub(crate) struct World {
    pub now: u64,
    pub rng: Rng,
    order: u64,
    pub queue: BTreeMap<(u64, u64), Item>,
    pub disk: Disk,
    pub primary: Option<Primary>,
    pub primary_process: u64,
    pub config: PrimaryConfig,
    /// A commit takes up to this long.
    pub commit_ms: u64,
    pub workers: BTreeMap<WorkerId, SimWorker>,
    pub wires: BTreeMap<u64, Wire>,
    pub last_wire: u64,
    pub asked: BTreeMap<u64, Asked>,
    pub last_request: u64,
    pub witness: Witness,
    pub meanings: Meanings,
    /// How far attempts that keep checkpoints are.
    pub steps: BTreeMap<(TaskId, Lease), u64>,
    /// Sums of the counter that attempts were told.
    pub sums: BTreeSet<i64>,
    pub seen: Seen,
    pub reliable: BTreeSet<JobId>,
    /// What the primary's driver runs.
    pub serving: Option<JobPlan>,
    trace: bool,
}

/// Runs one schedule to its end. Panics when a promise is broken.
pub(crate) fn run(seed: u64, trace: bool) -> Seen {
    let mut rng = Rng(seed);
    let config = PrimaryConfig {
        lease_ms: rng.range(400, 3_000),
        cancel_grace_ms: rng.range(0, 500),
        recovery_grace_ms: rng.range(100, 3_000),
        poll_ms: rng.pick(&[0, 100, 3_000]),
    };
    let count = rng.range(1, 6);
    let commit_ms = rng.pick(&[1, 20, 200]);
    let mut world = World {
        now: 0,
        rng,
        order: 0,
        queue: BTreeMap::new(),
        meanings: Meanings::new(),
        steps: BTreeMap::new(),
        sums: BTreeSet::new(),
        disk: Disk::default(),
        primary: None,
        primary_process: 0,
        config,
        commit_ms,
        workers: BTreeMap::new(),
        wires: BTreeMap::new(),
        last_wire: 0,
        asked: BTreeMap::new(),
        last_request: 0,
        witness: Witness::default(),
        seen: Seen::default(),
        reliable: BTreeSet::new(),
        serving: None,
        trace,
    };
    if seed.is_multiple_of(SERVED) {
        world.serving = Some(requests::plan(&mut world.rng));
    }
    world.start_primary();
    for n in 1..=count {
        world.workers.insert(WorkerId(n), SimWorker::default());
        let at = world.rng.range(0, 500);
        world.at(
            at,
            Item::StartWorker {
                worker: WorkerId(n),
            },
        );
    }
    world.at(1, Item::Client);
    world.at(300, Item::Fault);
    world.run_until(CALM, &|_| false);
    world.heal();
    world.run_until(END, &World::is_answered);
    requests::settled(&world.disk);
    world.serve_no_more();
    world.run_until(END, &World::is_settled);
    let (disk, seen) = (&world.disk, &mut world.seen);
    world.witness.settled(disk, seen);
    world.seen
}

impl World {
    pub(crate) fn clock(&self) -> Now {
        Now {
            mono: Mono(self.now),
            wall: Timestamp(WALL + self.now),
        }
    }

    pub(crate) fn log(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>7} {}", self.now, what());
        }
    }

    /// Schedules something in `after` milliseconds.
    pub(crate) fn at(&mut self, after: u64, item: Item) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), item);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.now >= CALM
    }

    fn is_settled(&self) -> bool {
        let over = |id: &JobId| {
            self.disk
                .jobs
                .get(id)
                .is_some_and(|job| job.state.is_final())
        };
        let idle = self
            .primary
            .as_ref()
            .is_some_and(|p| p.totals().live_jobs == 0);
        idle && self.witness.acked.keys().all(over)
    }

    fn run_until(&mut self, end: u64, done: &dyn Fn(&World) -> bool) {
        while self.now < end && !done(self) {
            self.step(end);
        }
    }

    /// Lets the next thing happen: an item, or a timeout.
    fn step(&mut self, end: u64) {
        let item = self.queue.first_key_value().map(|((at, _), _)| *at);
        let primary = self.primary.as_ref().and_then(Primary::next_timeout);
        let workers = self
            .workers
            .iter()
            .filter_map(|(id, w)| Some((w.timeout()?, *id)));
        let worker = workers.min();
        let times = [
            item,
            primary.map(|at| at.0),
            worker.map(|(at, _)| at.max(self.now)),
        ];
        let Some(next) = times.into_iter().flatten().min().filter(|at| *at < end) else {
            self.now = end;
            return;
        };
        self.now = self.now.max(next);
        if item.is_some_and(|at| at <= self.now) {
            if let Some((_, item)) = self.queue.pop_first() {
                self.happen(item);
            }
        } else if primary.is_some_and(|at| at.0 <= self.now) {
            self.primary_event(Event::Timeout);
            let again = self.primary.as_ref().and_then(Primary::next_timeout);
            assert!(
                again.is_none_or(|at| at.0 > self.now),
                "the primary's timer stands still"
            );
        } else if let Some((_, id)) = worker {
            self.worker_event(id, wasmhost_core::worker::Event::Timeout);
        }
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::ToPrimary { link, messages } => {
                let wire = self.wires.get(&link);
                let wire = wire.filter(|w| w.primary_process == self.primary_process);
                if let Some((worker, process)) = wire.map(|w| (w.worker, w.worker_process)) {
                    self.log(|| format!("primary <- {link}: {messages:?}"));
                    for message in &messages {
                        if let ToPrimary::Outcomes { batch, .. } = message {
                            let key = (worker, process, *batch);
                            self.witness.batch_heard(&self.disk, key);
                        }
                    }
                    self.primary_event(Event::Frame {
                        session: link,
                        messages,
                    });
                }
            }
            Item::PrimaryHears { link } => {
                let wire = self.wires.get(&link);
                if wire.is_some_and(|w| w.primary_process == self.primary_process) {
                    self.primary_event(Event::Disconnected { session: link });
                }
            }
            Item::Commit { process } if process == self.primary_process => {
                let mut last = None;
                while let Some(seq) = self.disk.sync_next() {
                    self.witness.look(&self.disk);
                    last = Some(seq);
                }
                if let Some(seq) = last {
                    let after = self.rng.range(0, 5);
                    self.at(after, Item::Durable { process, seq });
                }
            }
            Item::Durable { process, seq } if process == self.primary_process => {
                self.primary_event(Event::Persisted { seq });
            }
            Item::Prepare { process, what } if process == self.primary_process => {
                self.prepare(&what);
            }
            Item::Commit { .. } | Item::Durable { .. } | Item::Prepare { .. } => {}
            Item::Client => self.client(),
            Item::Fault => self.fault(),
            Item::StartPrimary => self.start_primary(),
            other => self.happen_to_worker(other),
        }
    }
}
