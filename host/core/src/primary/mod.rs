//! The primary's state machine: jobs in, leases out, outcomes recorded once.
//!
//! Cut by table: `jobs`, each a `job` with its `nodes` (`advance` lets those of a graph
//! go), the `queue` of what can be handed out with the `groups` of jobs that share a
//! bound, `data`, `workers`, the `leases` between them and the `runs` that they are kept
//! as, `timers`, and `persist` for what is on its way to the store. `dispatch` hands out (`placing` to whom),
//! `outcomes` takes in, `liveness` and `reconcile` deal with workers that fall silent and
//! come back, `stop` and `retry` with jobs out of turn. `serving` keeps the primary's own
//! driver alive, `requests` holds what clients ask of it. `view`, `waits` and `admission`
//! answer; `check` holds what must always be true. Reads no clock and does no IO.

mod admission;
mod advance;
mod check;
mod data;
mod dispatch;
mod event;
mod groups;
mod job;
mod jobs;
mod keep;
mod leases;
mod leaving;
mod liveness;
mod marks;
mod nodes;
mod outcomes;
mod outputs;
mod persist;
mod placing;
mod polling;
mod queue;
mod ranges;
mod reconcile;
mod requests;
mod retry;
mod runs;
mod serving;
mod spawned;
mod stop;
mod submitting;
mod timers;
pub mod view;
mod waits;
mod workers;

pub use admission::Unfit;
pub use event::*;
pub use view::{LiveTask, Totals};

use crate::clock::{Mono, Now};
use crate::record::Recovered;
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use timers::{Timer, Timers};
use wasmhost_proto::grants::Grants;
use wasmhost_proto::limits::{DEFAULT_CANCEL_GRACE_MS, DEFAULT_LEASE_MS, DEFAULT_POLL_MS};
use wasmhost_proto::{JobId, WorkerId};

/// What an operator may set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrimaryConfig {
    /// A worker silent for this long loses its leases, milliseconds.
    pub lease_ms: u64,
    /// From the cancel flag to the kill when a request says nothing, milliseconds.
    pub cancel_grace_ms: u64,
    /// After a restart, jobs that had started wait this long for workers that were
    /// connected before it, milliseconds.
    pub recovery_grace_ms: u64,
    /// How often a worker that runs something is asked for all that its attempts have
    /// published, milliseconds; 0: only when somebody wants to know.
    pub poll_ms: u64,
}

impl Default for PrimaryConfig {
    fn default() -> PrimaryConfig {
        PrimaryConfig {
            lease_ms: DEFAULT_LEASE_MS,
            cancel_grace_ms: DEFAULT_CANCEL_GRACE_MS,
            recovery_grace_ms: DEFAULT_LEASE_MS,
            poll_ms: DEFAULT_POLL_MS,
        }
    }
}

/// The primary.
///
/// Call [`handle`](Primary::handle) with each event, or with several that are at
/// hand, then [`poll_effect`](Primary::poll_effect) until there is none, then wait
/// for the next event or for [`next_timeout`](Primary::next_timeout). A new primary
/// may have effects before its first event.
#[derive(Clone, Debug)]
pub struct Primary {
    config: PrimaryConfig,
    term: u64,
    rng: Rng,
    last_job: JobId,
    /// The last job that primaries before this one have made durable.
    last_recovered: JobId,
    /// Boxed: what the map moves about is small.
    jobs: BTreeMap<JobId, Box<job::Job>>,
    /// Live jobs by their idempotency keys.
    keys: BTreeMap<String, JobId>,
    leases: runs::Leases,
    queue: queue::Queue,
    workers: BTreeMap<WorkerId, workers::Worker>,
    sessions: BTreeMap<SessionId, WorkerId>,
    /// Workers by what could be done with them.
    lists: workers::Lists,
    /// Workers from before a restart that have not come back.
    awaited: BTreeSet<WorkerId>,
    timers: Timers,
    persist: persist::Persist,
    serving: serving::Serving,
    requests: requests::Requests,
    desk: data::Desk,
    /// Tasks of live jobs that have not ended.
    open_tasks: u64,
    running_tasks: u64,
    /// No task of a live job may use more memory, bytes.
    most_memory: u64,
    /// No attempt of a live job needs more scratch, bytes; 0 when none has files.
    most_scratch: u64,
    /// What tasks of live jobs may reach outside their sandboxes, all together.
    most_grants: Grants,
    /// Live jobs with tasks that start others.
    driven: usize,
    effects: VecDeque<Effect>,
    /// Jobs that this event has changed.
    touched: marks::Marks,
    jobs_changed: BTreeSet<JobId>,
    workers_changed: BTreeSet<WorkerId>,
}

impl Primary {
    /// A primary of `term`, above all terms before it, over what the store holds.
    pub fn new(
        config: PrimaryConfig,
        term: u64,
        seed: u64,
        now: Now,
        recovered: Recovered,
    ) -> Primary {
        let Recovered {
            last_job,
            jobs,
            workers,
            requests,
            data,
        } = recovered;
        let awaited = workers.iter().filter(|w| w.connected).map(|w| w.id);
        let mut primary = Primary {
            config,
            term,
            rng: Rng::new(seed),
            last_job: last_job.unwrap_or_default(),
            last_recovered: last_job.unwrap_or_default(),
            jobs: BTreeMap::new(),
            keys: BTreeMap::new(),
            leases: runs::Leases::default(),
            queue: queue::Queue::default(),
            awaited: awaited.collect(),
            workers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            lists: workers::Lists::default(),
            timers: Timers::default(),
            persist: persist::Persist::default(),
            serving: serving::Serving::default(),
            requests: requests::Requests::recovered(requests),
            desk: data::Desk::recover(data),
            open_tasks: 0,
            running_tasks: 0,
            most_memory: 0,
            most_scratch: 0,
            most_grants: Grants::default(),
            driven: 0,
            effects: VecDeque::new(),
            touched: marks::Marks::default(),
            jobs_changed: BTreeSet::new(),
            workers_changed: BTreeSet::new(),
        };
        for record in workers {
            let worker = workers::Worker::new(record.name, record.draining, record.connected);
            primary.workers.insert(record.id, worker);
        }
        if !primary.awaited.is_empty() {
            let until = now.mono.after(config.recovery_grace_ms);
            primary.timers.set(until, Timer::RecoveryOver);
        }
        for job in jobs {
            primary.recover(now, job);
        }
        primary.forget_ended_outputs();
        primary.finish(now);
        primary
    }

    /// Takes one event in.
    pub fn handle(&mut self, now: Now, event: Event) {
        match event {
            Event::Submit {
                request,
                plan,
                idempotency_key,
            } => {
                self.submit(now, request, plan, idempotency_key);
            }
            Event::SubmitAll { request, jobs } => self.submit_all(now, request, jobs),
            Event::Cancel {
                request,
                job,
                grace_ms,
            } => self.cancel(now, request, job, grace_ms),
            Event::Retry { request, job } => self.retry(now, request, *job),
            Event::Serve { plan } => self.serve(now, plan),
            Event::Ask { request, ask } => self.ask(now, request, *ask),
            Event::Withdraw { request, key } => self.withdraw(request, &key),
            Event::Drain {
                request,
                worker,
                on,
            } => self.drain(now, request, worker, on),
            Event::Poll {
                request,
                job,
                max_age_ms,
            } => self.poll_job(now, request, job, max_age_ms),
            Event::Data { request, space, op } => self.client_calls(now, request, space, op),
            Event::Connected { session, worker } => self.connected(now, session, worker),
            Event::Frame { session, messages } => self.frame(now, session, messages),
            Event::Disconnected { session } => self.disconnected(now, session),
            Event::Persisted { seq } => self.persisted(seq),
            Event::Prepared {
                job,
                node,
                round,
                result,
            } => self.prepared(now, job, node, round, result),
            Event::JobAnswered { caller, reply } => self.job_answered(caller, reply),
            Event::Timeout => {}
        }
        while let Some(timer) = self.timers.pop_due(now.mono) {
            match timer {
                Timer::Retry(task) => self.retry_due(task),
                Timer::QueueLimit(job) | Timer::TotalLimit(job) => self.expire(now, job, timer),
                Timer::Worker(worker) => self.look_at(now, worker),
                Timer::Serve => self.serve_anew(now),
                Timer::RecoveryOver => self.recovery_over(now),
                Timer::DataWait(id) => self.wait_over(id),
            }
        }
        self.finish(now);
    }

    /// Leaves everything in a known state after an event.
    fn finish(&mut self, now: Now) {
        self.settle(now);
        self.dispatch();
        self.flush();
        #[cfg(debug_assertions)]
        self.check_if_small();
    }

    /// What is to be done next, in order; none when nothing is.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        if let Some(job) = self.jobs_changed.pop_first() {
            return Some(Effect::JobChanged(job));
        }
        self.workers_changed.pop_first().map(Effect::WorkerChanged)
    }

    /// When to call [`handle`](Primary::handle) with [`Event::Timeout`] at the latest.
    pub fn next_timeout(&self) -> Option<Mono> {
        self.timers.next()
    }

    fn reply(&mut self, request: RequestId, reply: Result<Reply, Refusal>) {
        self.effects.push_back(Effect::Reply { request, reply });
    }
}
