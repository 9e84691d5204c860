//! A primary and workers in one thread: the real state machines, a clock that
//! is told, executors that end at once, a store that is done a round later.
//! Decides nothing: it carries effects to where they are events.

use crate::meter::Meter;
use crate::plans::MODULE;
use std::collections::VecDeque;
use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::primary::{Effect, Event, Primary, PrimaryConfig};
use wasmhost_core::record::{Recovered, Write};
use wasmhost_core::worker::{self, Ended, Start, Worker, WorkerConfig};
use wasmhost_proto::outcome::Usage;
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{End, ResultData, ToPrimary, ToWorker};
use wasmhost_proto::{Timestamp, WorkerId};

/// Milliseconds of a round: everything on its way arrives, everything that runs ends.
const ROUND_MS: u64 = 1;
/// The term of the simulated primary.
pub const TERM: u64 = 1;

/// Which of the machines is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The primary.
    Primary,
    /// All workers.
    Worker,
}

/// What went through, for paths that begin with real messages and records.
#[derive(Debug, Default)]
pub struct Witness {
    /// Batches for the store, in order.
    pub writes: Vec<Vec<Write>>,
    /// What workers said, frame by frame.
    pub to_primary: Vec<Vec<ToPrimary>>,
    /// What the primary said, frame by frame.
    pub to_worker: Vec<Vec<ToWorker>>,
}

/// The cluster.
pub struct Cluster {
    now: u64,
    primary: Primary,
    workers: Vec<Machine>,
    /// The last batch for the store, and the last that it has.
    persist: (u64, u64),
    effects: Vec<Effect>,
    jobs_ended: u64,
    /// Filled when there is one.
    pub witness: Option<Witness>,
}

struct Machine {
    core: Worker,
    inbox: Vec<ToWorker>,
    outbox: Vec<ToPrimary>,
    runs: VecDeque<Box<Start>>,
    effects: Vec<worker::Effect>,
}

impl Cluster {
    /// `workers` of `slots` each, connected, waiting for work.
    pub fn new(workers: usize, slots: u32) -> Cluster {
        let now = at(0);
        let primary = Primary::new(PrimaryConfig::default(), TERM, 7, now, Recovered::default());
        let machine = |n| Machine {
            core: Worker::new(config(n, slots), now),
            inbox: vec![],
            outbox: vec![],
            runs: VecDeque::new(),
            effects: vec![],
        };
        let mut cluster = Cluster {
            now: 0,
            primary,
            workers: (0..workers as u64).map(machine).collect(),
            persist: (0, 0),
            effects: vec![],
            jobs_ended: 0,
            witness: None,
        };
        let mut unmeasured = Meter::off();
        for session in 0..workers as u64 {
            let worker = WorkerId(session + 1);
            cluster.tell(None, Event::Connected { session, worker });
            let machine = &mut cluster.workers[session as usize];
            machine.tell(now, None, worker::Event::Connected);
        }
        // Registration, welcome, the first request.
        for _ in 0..3 {
            cluster.round(Side::Primary, &mut unmeasured);
        }
        cluster
    }

    /// Submits a job, as a part of what is measured on the primary's side.
    pub fn submit(&mut self, plan: JobPlan, side: Side, meter: &mut Meter) {
        let event = Event::Submit {
            request: 1,
            plan: Box::new(plan),
            idempotency_key: None,
        };
        self.tell((side == Side::Primary).then_some(meter), event);
    }

    /// Jobs that have ended, durably.
    pub fn jobs_ended(&self) -> u64 {
        self.jobs_ended
    }

    /// Lets a millisecond pass.
    pub fn round(&mut self, side: Side, meter: &mut Meter) {
        self.now += ROUND_MS;
        let now = at(self.now);
        let (mut to_primary, mut to_worker) = match side {
            Side::Primary => (Some(meter), None),
            Side::Worker => (None, Some(meter)),
        };
        let durable = self.persist.0;
        for n in 0..self.workers.len() {
            let machine = &mut self.workers[n];
            machine.round(now, to_worker.as_deref_mut(), self.witness.as_mut());
            if !machine.outbox.is_empty() {
                let messages = std::mem::take(&mut machine.outbox);
                if let Some(witness) = &mut self.witness {
                    witness.to_primary.push(messages.clone());
                }
                let session = n as u64;
                let event = Event::Frame { session, messages };
                self.tell(to_primary.as_deref_mut(), event);
            }
        }
        if self.persist.1 < durable {
            self.persist.1 = durable;
            let event = Event::Persisted { seq: durable };
            self.tell(to_primary.as_deref_mut(), event);
        }
        if due(self.primary.next_timeout(), now) {
            self.tell(to_primary, Event::Timeout);
        }
    }

    fn tell(&mut self, meter: Option<&mut Meter>, event: Event) {
        let now = at(self.now);
        let (primary, effects) = (&mut self.primary, &mut self.effects);
        measured(meter, || {
            primary.handle(now, event);
            while let Some(effect) = primary.poll_effect() {
                effects.push(effect);
            }
        });
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Persist { seq, writes } => {
                    self.persist.0 = seq;
                    if let Some(witness) = &mut self.witness {
                        witness.writes.push(writes);
                    }
                }
                Effect::Send { session, message } => {
                    self.workers[session as usize].inbox.push(message);
                }
                Effect::JobEnded(_) => self.jobs_ended += 1,
                _ => {}
            }
        }
    }
}

impl Machine {
    /// Takes the primary's frame in, and ends all that runs.
    fn round(&mut self, now: Now, mut meter: Option<&mut Meter>, witness: Option<&mut Witness>) {
        if !self.inbox.is_empty() {
            let messages = std::mem::take(&mut self.inbox);
            if let Some(witness) = witness {
                witness.to_worker.push(messages.clone());
            }
            let term = TERM;
            let event = worker::Event::Frame { term, messages };
            self.tell(now, meter.as_deref_mut(), event);
        }
        let over: Vec<worker::Event> = self.runs.drain(..).map(|start| ended(*start)).collect();
        if !over.is_empty() {
            let (core, effects) = (&mut self.core, &mut self.effects);
            measured(meter.as_deref_mut(), || {
                for event in over {
                    core.handle(now, event);
                }
                while let Some(effect) = core.poll_effect() {
                    effects.push(effect);
                }
            });
            self.carry_out();
        }
        if due(self.core.next_timeout(), now) {
            self.tell(now, meter, worker::Event::Timeout);
        }
    }

    fn tell(&mut self, now: Now, meter: Option<&mut Meter>, event: worker::Event) {
        let (core, effects) = (&mut self.core, &mut self.effects);
        measured(meter, || {
            core.handle(now, event);
            while let Some(effect) = core.poll_effect() {
                effects.push(effect);
            }
        });
        let preparing = self.carry_out();
        if preparing {
            self.tell(now, None, worker::Event::ModuleReady(MODULE));
        }
    }

    /// Whether the module is asked for.
    fn carry_out(&mut self) -> bool {
        let mut preparing = false;
        for effect in self.effects.drain(..) {
            match effect {
                worker::Effect::Send(message) => self.outbox.push(message),
                worker::Effect::Start(start) => self.runs.push_back(start),
                worker::Effect::Prepare { .. } => preparing = true,
                _ => {}
            }
        }
        preparing
    }
}

/// A success with eight bytes after 40 microseconds.
fn ended(start: Start) -> worker::Event {
    let result = u64::from(start.task.index).to_be_bytes().to_vec();
    worker::Event::Ended(Box::new(Ended {
        task: start.task,
        lease: start.lease,
        end: End::Success(ResultData::Inline(result)),
        usage: Usage {
            wall_us: 40,
            cpu_us: 30,
            peak_memory: 2 << 20,
        },
        status: Status::default(),
        log: String::new(),
    }))
}

fn measured(meter: Option<&mut Meter>, act: impl FnOnce()) {
    match meter {
        Some(meter) => meter.measure(act),
        None => act(),
    }
}

fn due(at: Option<Mono>, now: Now) -> bool {
    at.is_some_and(|at| at <= now.mono)
}

fn at(ms: u64) -> Now {
    Now {
        mono: Mono(ms),
        wall: Timestamp(1_795_176_000_000 + ms),
    }
}

fn config(n: u64, slots: u32) -> WorkerConfig {
    WorkerConfig {
        name: format!("w{n}"),
        version: "0".into(),
        slots,
        cpus: 2,
        memory: 8 << 30,
        offers: Default::default(),
        scratch: 0,
        prefetch: 2 * slots,
        status_interval_ms: 1_000,
        incarnation: n + 1,
    }
}
