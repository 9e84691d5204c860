//! Workers: sessions and registration. How they go is in `leaving`.

use super::{Effect, Primary, SessionId};
use crate::clock::{Mono, Now};
use crate::record::{WorkerRecord, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasmhost_proto::grants::Grants;
use wasmhost_proto::limits::{
    DEFAULT_STATUS_INTERVAL_MS, MAX_NAME, MAX_SLOTS, MAX_WORKER_MODULES, STATUS_INTERVAL_MS,
    SUSPECT_AFTER_INTERVALS,
};
use wasmhost_proto::wire::{Load, ModuleState, Register, ToPrimary, ToWorker, WorkRequest};
use wasmhost_proto::{Digest, JobId, NodeIndex, Timestamp, WorkerId};

/// An authenticated connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    /// Its `Register` was accepted.
    pub(super) registered: bool,
    pub(super) since: Timestamp,
}

/// A take-back of unstarted leases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum TakeBack {
    /// May be asked.
    #[default]
    Idle,
    /// Was asked and has not answered.
    Asked,
    /// Had nothing to give; asked again once its leases have changed.
    Empty,
}

#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) slots: u32,
    /// Bytes that it offers to guests; 0 when it does not say.
    pub(super) memory: u64,
    /// What it offers to tasks that are granted it.
    pub(super) offers: Grants,
    /// Bytes of scratch that it offers to an attempt; 0 when it offers no files.
    pub(super) scratch: u64,
    pub(super) draining: bool,
    pub(super) session: Option<Session>,
    pub(super) incarnation: Option<u64>,
    /// The highest outcome batch of this incarnation that was taken in.
    pub(super) batch: u64,
    /// Tasks that it has.
    pub(super) leased: u32,
    pub(super) running: u32,
    pub(super) completed: u64,
    pub(super) load: Load,
    /// The newest request, less what was handed out since.
    pub(super) request: WorkRequest,
    /// When it was last heard; none when it never was by this primary.
    pub(super) heard: Option<Mono>,
    pub(super) suspect: bool,
    pub(super) take_back: TakeBack,
    /// Nodes that it was told of in this session.
    pub(super) prepared: BTreeSet<(JobId, NodeIndex)>,
    pub(super) modules: BTreeMap<Digest, ModuleState>,
    /// Those of them that it cannot run.
    pub(super) rejected: BTreeSet<Digest>,
    /// How much had come to the queue when nothing in it was for this worker.
    pub(super) fruitless: Option<u64>,
    /// Whether its record says that it is connected.
    pub(super) recorded: bool,
    /// When its timer comes.
    pub(super) watched: Option<Mono>,
    /// When it was last asked for all that its attempts have published.
    pub(super) polled: Option<Mono>,
}

/// Workers by what could be done with them, so that nothing looks at all workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    /// Those that may be given work.
    pub(super) takers: BTreeSet<WorkerId>,
    /// Those of them that want more.
    pub(super) hungry: BTreeSet<WorkerId>,
    /// Those of them that could start more at once.
    pub(super) free: BTreeSet<WorkerId>,
    /// Those that have more than they could start.
    pub(super) laden: BTreeSet<WorkerId>,
    /// Those that cannot be given everything, connected or not: see `placing`.
    pub(super) picky: BTreeSet<WorkerId>,
}

impl Lists {
    fn put(&mut self, id: WorkerId, lists: [bool; 4]) {
        let all = [
            &mut self.takers,
            &mut self.hungry,
            &mut self.free,
            &mut self.laden,
        ];
        for (list, listed) in all.into_iter().zip(lists) {
            match listed {
                true => list.insert(id),
                false => list.remove(&id),
            };
        }
    }

    /// The lists that a worker is in.
    pub(super) fn of(&self, id: &WorkerId) -> [bool; 4] {
        [&self.takers, &self.hungry, &self.free, &self.laden].map(|list| list.contains(id))
    }
}

const NO_REQUEST: WorkRequest = WorkRequest {
    want: 0,
    free_slots: 0,
    status_interval_ms: DEFAULT_STATUS_INTERVAL_MS,
};

impl Worker {
    pub(super) fn new(name: String, draining: bool, recorded: bool) -> Worker {
        Worker {
            name,
            version: String::new(),
            slots: 0,
            memory: 0,
            offers: Grants::default(),
            scratch: 0,
            draining,
            session: None,
            incarnation: None,
            batch: 0,
            leased: 0,
            running: 0,
            completed: 0,
            load: Load::default(),
            request: NO_REQUEST,
            heard: None,
            suspect: false,
            take_back: TakeBack::Idle,
            prepared: BTreeSet::new(),
            modules: BTreeMap::new(),
            rejected: BTreeSet::new(),
            fruitless: None,
            recorded,
            watched: None,
            polled: None,
        }
    }

    pub(super) fn registered(&self) -> Option<SessionId> {
        self.session.filter(|s| s.registered).map(|s| s.id)
    }

    /// Whether it may be given work.
    pub(super) fn takes_work(&self) -> bool {
        self.registered().is_some() && !self.draining && !self.suspect
    }

    /// Leases that it has not started.
    pub(super) fn unstarted(&self) -> u32 {
        self.leased - self.running
    }

    /// Leases that it could not start even if all its slots were free.
    pub(super) fn excess(&self) -> u32 {
        self.leased.saturating_sub(self.slots.max(self.running))
    }

    /// Which lists it is in: takers, hungry, free, laden.
    pub(super) fn lists(&self) -> [bool; 4] {
        let takes = self.takes_work();
        let hungry = takes && self.request.want > 0;
        let laden = self.registered().is_some() && self.excess() > 0;
        [takes, hungry, hungry && self.request.free_slots > 0, laden]
    }

    pub(super) fn suspect_after_ms(&self) -> u64 {
        SUSPECT_AFTER_INTERVALS * self.request.status_interval_ms
    }

    fn end_session(&mut self) {
        self.session = None;
        self.request = WorkRequest {
            status_interval_ms: self.request.status_interval_ms,
            ..NO_REQUEST
        };
        self.suspect = false;
        self.take_back = TakeBack::Idle;
        self.prepared.clear();
        self.modules.clear();
        self.rejected.clear();
    }

    pub(super) fn record(&mut self, id: WorkerId, connected: bool, now: Now) -> Write {
        self.recorded = connected;
        Write::Worker(WorkerRecord {
            id,
            name: self.name.clone(),
            connected,
            draining: self.draining,
            seen: now.wall,
        })
    }
}

impl Primary {
    pub(super) fn connected(&mut self, now: Now, session: SessionId, id: WorkerId) {
        if let Some(old) = self.workers.get(&id).and_then(|w| w.session) {
            self.close(
                old.id,
                "superseded by a newer connection of the same worker",
            );
        }
        let worker = self.workers.entry(id);
        let worker = worker.or_insert_with(|| Worker::new(id.to_string(), false, false));
        worker.session = Some(Session {
            id: session,
            registered: false,
            since: now.wall,
        });
        worker.heard = Some(now.mono);
        self.sessions.insert(session, id);
        self.note_picky(id);
        self.watch(now, id);
    }

    pub(super) fn disconnected(&mut self, now: Now, session: SessionId) {
        let Some(id) = self.sessions.remove(&session) else {
            return;
        };
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.end_session();
        // Its leases hold until it was silent for long enough.
        self.refresh_lists(id);
        self.note_picky(id);
        self.workers_changed.insert(id);
        self.watch(now, id);
    }

    pub(super) fn close(&mut self, session: SessionId, reason: impl Into<String>) {
        if let Some(id) = self.sessions.remove(&session) {
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.end_session();
            }
            self.refresh_lists(id);
            self.note_picky(id);
            self.workers_changed.insert(id);
        }
        let reason = reason.into();
        self.effects.push_back(Effect::Close { session, reason });
    }

    pub(super) fn send(&mut self, worker: WorkerId, message: ToWorker) {
        if let Some(session) = self.workers.get(&worker).and_then(Worker::registered) {
            self.effects.push_back(Effect::Send { session, message });
        }
    }

    pub(super) fn frame(&mut self, now: Now, session: SessionId, messages: Vec<ToPrimary>) {
        for message in messages {
            // A message may have closed the session.
            let Some(id) = self.sessions.get(&session).copied() else {
                return;
            };
            let Some(worker) = self.workers.get_mut(&id) else {
                return;
            };
            worker.heard = Some(now.mono);
            if std::mem::take(&mut worker.suspect) {
                self.workers_changed.insert(id);
            }
            let registered = worker.registered().is_some();
            match message {
                ToPrimary::Register(register) if !registered => {
                    self.register(now, session, id, *register);
                }
                ToPrimary::Register(_) => self.close(session, "registered twice in one session"),
                _ if !registered => self.close(session, "spoke before it registered"),
                other => self.message(now, id, other),
            }
        }
    }

    fn message(&mut self, now: Now, id: WorkerId, message: ToPrimary) {
        match message {
            ToPrimary::Request(request) => {
                if let Some(worker) = self.workers.get_mut(&id) {
                    let (least, most) = STATUS_INTERVAL_MS.into_inner();
                    worker.request = WorkRequest {
                        status_interval_ms: request.status_interval_ms.clamp(least, most),
                        ..request
                    };
                }
                self.watch(now, id);
            }
            ToPrimary::Beat(load) => {
                if let Some(worker) = self.workers.get_mut(&id) {
                    if worker.load.executors_lost != load.executors_lost {
                        self.workers_changed.insert(id);
                    }
                    worker.load = load;
                }
            }
            ToPrimary::Module { digest, state } => {
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.note_module(digest, state);
                    if worker.modules.len() > MAX_WORKER_MODULES
                        && let Some((gone, _)) = worker.modules.pop_first()
                    {
                        worker.rejected.remove(&gone);
                    }
                }
                self.note_picky(id);
            }
            ToPrimary::Started(items) => self.started(now, id, items),
            ToPrimary::Status(items) => self.status(now, id, items),
            ToPrimary::Outcomes { batch, items } => {
                self.outcomes(now, id, batch, Arc::unwrap_or_clone(items));
            }
            ToPrimary::Released(items) => self.released(id, items),
            ToPrimary::Spawn(spawn) => self.spawn(id, *spawn),
            ToPrimary::Data(call) => self.attempt_calls(now, id, *call),
            ToPrimary::CancelSpawned(of) => {
                self.cancel_spawned(now, id, of.task, of.lease, &of.key);
            }
            ToPrimary::NextRequest(next) => self.next_request(now, id, *next),
            ToPrimary::Bye => self.bye(now, id),
            ToPrimary::Register(_) => {}
        }
        self.refresh_lists(id);
    }

    /// Puts the worker into its lists.
    pub(super) fn refresh_lists(&mut self, id: WorkerId) {
        let lists = self.workers.get(&id).map(Worker::lists);
        self.lists.put(id, lists.unwrap_or_default());
    }

    fn register(&mut self, now: Now, session: SessionId, id: WorkerId, register: Register) {
        if register.term_seen > self.term {
            let (seen, own) = (register.term_seen, self.term);
            let reason = format!("the worker has seen term {seen}; this primary is of term {own}");
            return self.close(session, reason);
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let same_process = worker.incarnation == Some(register.incarnation);
        if !same_process {
            (worker.batch, worker.completed) = (0, 0);
        }
        worker.incarnation = Some(register.incarnation);
        // Its attempts are reported as they are when it comes back.
        worker.polled = Some(now.mono);
        worker.name = register.name.chars().take(MAX_NAME).collect();
        worker.version = register.version.chars().take(MAX_NAME).collect();
        worker.slots = register.slots.clamp(1, MAX_SLOTS);
        worker.memory = register.memory;
        worker.offers = register.offers.map(|offers| *offers).unwrap_or_default();
        worker.scratch = register.scratch;
        if let Some(session) = &mut worker.session {
            session.registered = true;
        }
        let record = worker.record(id, true, now);
        let draining = worker.draining;
        self.persist.write(record);
        self.workers_changed.insert(id);
        let lease_ms = self.config.lease_ms;
        self.send(
            id,
            ToWorker::Welcome {
                worker: id,
                lease_ms,
            },
        );
        if draining {
            self.send(id, ToWorker::Drain { on: true });
        }
        self.note_picky(id);
        self.reconcile(now, id, same_process, register.held);
        self.refresh_lists(id);
        if self.awaited.remove(&id) && self.awaited.is_empty() {
            self.end_recovery();
        }
    }
}
