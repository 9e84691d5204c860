//! Time, the network, and the primary's side of the cluster.

use crate::disk::Disk;
use crate::rng::Rng;
use crate::witness::{Seen, Witness};
use crate::worker::SimWorker;
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::primary::{Effect, Event, Primary, PrimaryConfig, Refusal, Reply};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::wire::{ToPrimary, ToWorker};
use wasmhost_proto::{Digest, JobId, Lease, NodeIndex, TaskId, Timestamp, WorkerId};

/// When faults and new jobs stop, milliseconds.
const CALM: u64 = 20_000;
/// When everything must have ended.
const END: u64 = 400_000;
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
    Gathered {
        process: u64,
        job: JobId,
        node: NodeIndex,
        from: NodeIndex,
    },
    Module {
        worker: WorkerId,
        process: u64,
        digest: Digest,
        step: ModuleStep,
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
    Ended,
}

/// One connection. Each direction keeps its order.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub worker: WorkerId,
    pub worker_process: u64,
    pub primary_process: u64,
    /// Both ends may send; a cut wire delivers what was under way, or not.
    pub up: bool,
    last: [u64; 2],
}

/// What a client asked for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Submit(Option<String>),
    Cancel(JobId),
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
    config: PrimaryConfig,
    pub workers: BTreeMap<WorkerId, SimWorker>,
    pub wires: BTreeMap<u64, Wire>,
    last_wire: u64,
    pub asked: BTreeMap<u64, Asked>,
    pub last_request: u64,
    pub witness: Witness,
    pub seen: Seen,
    pub reliable: BTreeSet<JobId>,
    trace: bool,
}

/// Runs one schedule to its end. Panics when a promise is broken.
pub(crate) fn run(seed: u64, trace: bool) -> Seen {
    let mut rng = Rng(seed);
    let config = PrimaryConfig {
        lease_ms: rng.range(400, 3_000),
        cancel_grace_ms: rng.range(0, 500),
        recovery_grace_ms: rng.range(100, 3_000),
    };
    let count = rng.range(1, 6);
    let mut world = World {
        now: 0,
        rng,
        order: 0,
        queue: BTreeMap::new(),
        disk: Disk::default(),
        primary: None,
        primary_process: 0,
        config,
        workers: BTreeMap::new(),
        wires: BTreeMap::new(),
        last_wire: 0,
        asked: BTreeMap::new(),
        last_request: 0,
        witness: Witness::default(),
        seen: Seen::default(),
        reliable: BTreeSet::new(),
        trace,
    };
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
                if wire.is_some_and(|w| w.primary_process == self.primary_process) {
                    self.log(|| format!("primary <- {link}: {messages:?}"));
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
            Item::Gathered {
                process,
                job,
                node,
                from,
            } if process == self.primary_process => {
                self.seen.note("gather");
                let counts = &self.disk.jobs[&job].node_counts[usize::from(from)];
                let results = self.disk.outcomes.iter().filter(|(task, outcome)| {
                    task.job == job && task.node == from && outcome.failure.is_none()
                });
                assert_eq!(
                    results.count() as u64,
                    counts.succeeded,
                    "gathered too early"
                );
                let result = match self.rng.percent(3) && !self.reliable.contains(&job) {
                    true => Err("the disk is full".into()),
                    false => Ok(BlobRef {
                        digest: Digest([7; 32]),
                        len: 3,
                    }),
                };
                self.primary_event(Event::Gathered { job, node, result });
            }
            Item::Commit { .. } | Item::Durable { .. } | Item::Gathered { .. } => {}
            Item::Client => self.client(),
            Item::Fault => self.fault(),
            Item::StartPrimary => self.start_primary(),
            other => self.happen_to_worker(other),
        }
    }

    pub(crate) fn start_primary(&mut self) {
        if self.primary.is_some() {
            return;
        }
        self.primary_process += 1;
        self.log(|| format!("primary {} starts", self.primary_process));
        let seed = self.rng.next();
        let term = self.primary_process;
        let primary = Primary::new(self.config, term, seed, self.clock(), self.disk.recover());
        self.primary = Some(primary);
        self.drain_primary();
    }

    pub(crate) fn primary_event(&mut self, event: Event) {
        let now = self.clock();
        if let Some(primary) = &mut self.primary {
            primary.handle(now, event);
            if let Err(why) = primary.check() {
                panic!("at {}: {why}", self.now);
            }
            self.drain_primary();
        }
    }

    fn drain_primary(&mut self) {
        let mut frames: Vec<(u64, Vec<ToWorker>)> = Vec::new();
        while let Some(effect) = self.primary.as_mut().and_then(Primary::poll_effect) {
            match effect {
                Effect::Send { session, message } => {
                    self.inspect(session, &message);
                    match frames.last_mut().filter(|(last, _)| *last == session) {
                        Some((_, messages)) => messages.push(message),
                        None => frames.push((session, vec![message])),
                    }
                }
                Effect::Close { session, reason } => {
                    self.log(|| format!("primary closes {session}: {reason}"));
                    self.cut(session);
                }
                Effect::Persist { seq, writes } => {
                    self.log(|| format!("persist {seq}: {writes:?}"));
                    self.disk.unsynced.push_back((seq, writes));
                    let (process, after) = (self.primary_process, self.rng.range(0, 20));
                    self.at(after, Item::Commit { process });
                }
                Effect::Reply { request, reply } => self.replied(request, reply),
                Effect::Gather { job, node, from } => {
                    let (process, after) = (self.primary_process, self.rng.range(0, 50));
                    self.at(
                        after,
                        Item::Gathered {
                            process,
                            job,
                            node,
                            from,
                        },
                    );
                }
                Effect::JobEnded(job) => {
                    assert!(
                        self.disk.jobs[&job].state.is_final(),
                        "{job} ended too early"
                    );
                    self.log(|| format!("{job} ended: {:?}", self.disk.jobs[&job].state));
                }
                Effect::LateOutcome(task) => {
                    self.seen.note("late outcome");
                    self.witness.late.insert(task);
                }
                Effect::JobChanged(job) => self.look_at_job(job),
                Effect::WorkerChanged(_) => {}
            }
        }
        for (link, messages) in frames {
            let term = self.primary_process;
            self.log(|| format!("primary -> {link}: {messages:?}"));
            self.transmit(
                link,
                0,
                Item::ToWorker {
                    link,
                    term,
                    messages,
                },
            );
        }
    }

    /// Views never say more than the disk holds.
    fn look_at_job(&self, id: JobId) {
        let now = self.clock();
        let Some(view) = self.primary.as_ref().and_then(|p| p.job_view(now, id)) else {
            return;
        };
        let sum = view.counts.waiting + view.counts.running + view.counts.succeeded;
        let sum = sum + view.counts.failed + view.counts.cancelled;
        assert_eq!(sum, view.counts.total, "{id} adds up to {sum}: {view:?}");
        let durable = &self.disk.jobs[&id];
        assert!(
            view.counts.succeeded <= durable.counts.succeeded,
            "{id} tells too much"
        );
        assert!(
            !view.state.is_final() || durable.state.is_final(),
            "{id} ends too early"
        );
    }

    fn inspect(&mut self, link: u64, message: &ToWorker) {
        let wire = &self.wires[&link];
        match message {
            ToWorker::Assign(runs) => {
                for run in runs {
                    self.witness.assigned(&self.disk, run);
                }
            }
            ToWorker::Ack { batch } => {
                let (worker, process) = (wire.worker, wire.worker_process);
                self.witness
                    .outcomes_acked(&self.disk, worker, process, *batch);
            }
            ToWorker::TakeBack { .. } => self.seen.note("take-back"),
            _ => {}
        }
    }

    fn replied(&mut self, request: u64, reply: Result<Reply, Refusal>) {
        self.log(|| format!("reply to {request}: {reply:?}"));
        match (self.asked.remove(&request), reply) {
            (Some(Asked::Submit(key)), Ok(Reply::Job { id, .. })) => {
                self.witness.job_acked(&self.disk, id, key);
                if self.rng.percent(50) {
                    self.reliable.insert(id);
                }
            }
            (Some(Asked::Cancel(id)), Ok(_)) => self.witness.cancel_acked(&self.disk, id),
            (Some(_), _) => {}
            (None, reply) => panic!("request {request} was answered twice: {reply:?}"),
        }
    }

    /// Makes a wire; both ends are told.
    pub(crate) fn connect(&mut self, worker: WorkerId, worker_process: u64) {
        self.last_wire += 1;
        let link = self.last_wire;
        let wire = Wire {
            worker,
            worker_process,
            primary_process: self.primary_process,
            up: true,
            last: [self.now; 2],
        };
        self.log(|| format!("wire {link} for {worker}"));
        self.wires.insert(link, wire);
        if let Some(w) = self.workers.get_mut(&worker) {
            w.link = Some(link);
        }
        self.primary_event(Event::Connected {
            session: link,
            worker,
        });
        self.worker_event(worker, wasmhost_core::worker::Event::Connected);
    }

    /// Sends over a wire, in order. Direction 0 is from the primary.
    pub(crate) fn transmit(&mut self, link: u64, direction: usize, item: Item) {
        let delay = match self.rng.range(0, 50) {
            0 => self.rng.range(50, 600),
            _ => self.rng.range(0, 15),
        };
        let Some(wire) = self.wires.get_mut(&link).filter(|wire| wire.up) else {
            return;
        };
        let at = (self.now + delay).max(wire.last[direction]);
        wire.last[direction] = at;
        self.at(at - self.now, item);
    }

    /// Cuts a wire. What is under way may still arrive, or not; each side notices
    /// in its own time.
    pub(crate) fn cut(&mut self, link: u64) {
        let lose = self.rng.percent(60);
        let Some(wire) = self.wires.get_mut(&link).filter(|wire| wire.up) else {
            return;
        };
        wire.up = false;
        if lose {
            self.queue.retain(|_, item| match item {
                Item::ToPrimary { link: l, .. } | Item::ToWorker { link: l, .. } => *l != link,
                _ => true,
            });
        }
        let (a, b) = (self.rng.range(0, 800), self.rng.range(0, 800));
        self.at(a, Item::PrimaryHears { link });
        self.at(b, Item::WorkerHears { link });
    }
}
