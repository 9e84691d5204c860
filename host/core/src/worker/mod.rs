//! The worker's state machine: leases in, outcomes out.
//!
//! `session` says what is told to the primary and when, `modules` what each lease
//! waits for, `runs` what becomes of leases, `drivers` what some of them start, `data` what they
//! ask for, `outbox` what is not acknowledged.
//! Reads no clock and does no IO; never decides what a task's end means.

mod data;
mod drivers;
mod event;
mod filling;
mod modules;
mod outbox;
mod runs;
mod session;

pub use event::*;

use crate::clock::{Mono, Now};
use crate::rng::Rng;
use modules::Module;
use outbox::Outbox;
use runs::{Run, Stopped};
use session::{Asked, Pace};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use wasmhost_proto::grants::Grants;
use wasmhost_proto::limits::{MAX_SLOTS, STATUS_INTERVAL_MS};
use wasmhost_proto::wire::{NodeSpec, ToPrimary};
use wasmhost_proto::{Digest, JobId, Lease, NodeIndex, TaskId};

/// A lease by its task; two leases of one task may be here at once.
type Key = (TaskId, Lease);

/// The least time between the cancel flags and the exit of a leaving worker:
/// killed attempts need a moment to be reported.
const LEAST_LEAVE_MS: u64 = 1_000;

/// Who the worker is and what it offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerConfig {
    /// A name for people.
    pub name: String,
    /// The software's version.
    pub version: String,
    /// Attempts to run at once; at least 1.
    pub slots: u32,
    /// Processors of the machine.
    pub cpus: u32,
    /// Bytes of memory for guests; 0 when it does not say.
    pub memory: u64,
    /// What it offers to tasks that are granted it.
    pub offers: Grants,
    /// Bytes of scratch for an attempt; 0 when it offers no files.
    pub scratch: u64,
    /// Leases to have at hand beyond the slots, at least; more when attempts are short.
    pub prefetch: u32,
    /// How often the primary is to hear of it, milliseconds.
    pub status_interval_ms: u64,
    /// Random or a time: tells this process from the one before. Also the seed of
    /// its back-offs.
    pub incarnation: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    Down,
    Registering,
    Up,
}

/// The worker.
///
/// Call [`handle`](Worker::handle) with each event, or with several that are at
/// hand (their outcomes then travel together), then
/// [`poll_effect`](Worker::poll_effect) until there is none, then wait for the next
/// event or for [`next_timeout`](Worker::next_timeout).
#[derive(Clone, Debug)]
pub struct Worker {
    config: WorkerConfig,
    rng: Rng,
    term_seen: u64,
    link: Link,
    /// It had nothing at its last beat, and has got nothing since.
    idle: bool,
    /// How long the primary bears its silence; 0 before it has said so.
    lease_ms: u64,
    draining: bool,
    /// Nodes that the primary told of in this session.
    specs: BTreeMap<(JobId, NodeIndex), Arc<NodeSpec>>,
    modules: BTreeMap<Digest, Module>,
    /// Leases in the modules' queues.
    queued: u32,
    last_order: u64,
    runs: BTreeMap<Key, Run>,
    /// How many of them are drivers.
    drivers: u32,
    kills: BTreeSet<(Mono, Key)>,
    outbox: Outbox,
    /// Runs whose start the primary does not know yet.
    started: Vec<Key>,
    started_due: Option<Mono>,
    status_due: Option<Mono>,
    last_report: Mono,
    last_sent: Mono,
    asked: Asked,
    pace: Pace,
    /// Alive, lost.
    executors: (u32, u32),
    /// When to exit at the latest.
    leaving: Option<Mono>,
    gone: bool,
    effects: VecDeque<Effect>,
}

impl Worker {
    /// A worker that is not connected and holds nothing.
    pub fn new(config: WorkerConfig, now: Now) -> Worker {
        let (least, most) = STATUS_INTERVAL_MS.into_inner();
        let config = WorkerConfig {
            slots: config.slots.clamp(1, MAX_SLOTS),
            status_interval_ms: config.status_interval_ms.clamp(least, most),
            ..config
        };
        Worker {
            rng: Rng::new(config.incarnation),
            config,
            term_seen: 0,
            link: Link::Down,
            idle: false,
            lease_ms: 0,
            draining: false,
            specs: BTreeMap::new(),
            modules: BTreeMap::new(),
            queued: 0,
            last_order: 0,
            runs: BTreeMap::new(),
            drivers: 0,
            kills: BTreeSet::new(),
            outbox: Outbox::default(),
            started: Vec::new(),
            started_due: None,
            status_due: None,
            last_report: now.mono,
            last_sent: now.mono,
            asked: Asked::default(),
            pace: Pace::default(),
            executors: (0, 0),
            leaving: None,
            gone: false,
            effects: VecDeque::new(),
        }
    }

    /// The highest term that an earlier process of this worker has seen: a
    /// primary below it is refused.
    pub fn remember_term(&mut self, term: u64) {
        self.term_seen = self.term_seen.max(term);
    }

    /// Attempts running.
    pub fn running(&self) -> u32 {
        self.runs.len() as u32
    }

    /// Leases unstarted.
    pub fn queued(&self) -> u32 {
        self.queued
    }

    /// Leases held: unstarted, running, and ended without acknowledgement.
    fn held(&self) -> u32 {
        self.running() + self.queued + self.outbox.count()
    }

    /// Takes one event in.
    pub fn handle(&mut self, now: Now, event: Event) {
        match event {
            Event::Connected => self.connected(now),
            Event::Disconnected => self.link = Link::Down,
            Event::Frame { term, messages } => self.frame(now, term, messages),
            Event::ModuleCompiling(digest) => self.module_compiling(now, digest),
            Event::ModuleReady(digest) => self.module_ready(now, digest),
            Event::ModuleRejected(digest, why) => self.module_rejected(now, digest, why),
            Event::ModuleUnavailable(digest, why) => self.module_unavailable(now, digest, &why),
            Event::ModuleLost(digest) => self.module_lost(now, digest),
            Event::Started(task, lease) => self.note_started(now, (task, lease)),
            Event::Status {
                task,
                lease,
                status,
                log,
            } => {
                self.note_status(now, (task, lease), status, &log);
            }
            Event::Ended(ended) => self.ended(now, *ended),
            Event::Returned(keys) => self.returned(now, keys),
            Event::Spawn(spawn) => self.spawn(now, *spawn),
            Event::Data(call) => self.data_call(now, *call),
            Event::CancelSpawned(of) => self.cancel_spawned(now, *of),
            Event::Await(task, lease) => self.await_spawned((task, lease)),
            Event::NextRequest(task, lease) => self.next_request(now, (task, lease)),
            Event::Executors { alive, lost } => {
                self.executors = (alive, lost);
                self.beat(now);
            }
            Event::Shutdown { grace_ms } => self.leave(now, grace_ms),
            Event::Timeout => {}
        }
        self.fire(now);
        self.start_runs(now);
        self.exit_when_over(now);
    }

    fn fire(&mut self, now: Now) {
        let due = |at: Option<Mono>| at.is_some_and(|at| at <= now.mono);
        self.kill_overdue(now);
        self.unblock(now);
        self.retry_modules(now);
        if due(self.started_due) {
            self.tell_started(now);
        }
        if due(self.status_due) {
            self.report_news(now);
        }
        if self.link == Link::Up && self.next_beat() <= now.mono {
            self.idle = self.held() == 0;
            self.beat(now);
        }
    }

    /// Gives back what has not started, and lets what runs end within the grace.
    fn leave(&mut self, now: Now, grace_ms: u64) {
        let wait = grace_ms.saturating_mul(2).max(LEAST_LEAVE_MS);
        self.leaving = Some(now.mono.after(wait));
        if self.queued > 0 {
            self.give_back(now, self.queued);
        }
        if self.busy() > self.config.slots {
            // What has not begun comes back, and goes back.
            self.effects.push_back(Effect::TakeBack);
        }
        let running: Vec<Key> = self.runs.keys().copied().collect();
        for key in running {
            self.stop_run(now, key, grace_ms, Stopped::ByLeaving);
        }
    }

    fn exit_when_over(&mut self, now: Now) {
        let Some(latest) = self.leaving.filter(|_| !self.gone) else {
            return;
        };
        let over = self.runs.is_empty() && self.outbox.is_empty();
        if over || latest <= now.mono {
            self.gone = true;
            // What has not ended may have begun: its lease must not be used again.
            let left: Vec<Key> = self.runs.keys().copied().collect();
            left.into_iter().for_each(|key| self.note_started(now, key));
            self.tell_started(now);
            self.send(now, ToPrimary::Bye);
            self.effects.push_back(Effect::Exit);
        }
    }

    /// What is to be done next, in order; none when nothing is.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if self.effects.is_empty() && self.link == Link::Up && !self.gone {
            // Late, so that outcomes of several events share a batch.
            while let Some(batch) = self.outbox.seal() {
                self.effects.push_back(Effect::Send(batch));
            }
            if let Some(request) = self.request() {
                self.effects.push_back(Effect::Send(request));
            }
        }
        self.effects.pop_front()
    }

    /// When to call [`handle`](Worker::handle) with [`Event::Timeout`] at the latest.
    pub fn next_timeout(&self) -> Option<Mono> {
        let kill = self.kills.first().map(|(at, _)| *at);
        let leaving = self.leaving.filter(|_| !self.gone);
        let beat = (self.link == Link::Up).then(|| self.next_beat());
        let module = self.next_module_retry();
        let all = [
            kill,
            leaving,
            beat,
            module,
            self.next_unblock(),
            self.started_due,
            self.status_due,
        ];
        all.into_iter().flatten().min()
    }
}
