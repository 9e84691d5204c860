//! What the worker says on its connection, and when.

use super::modules::keys;
use super::outbox::{fit_status, status_size};
use super::{Effect, Key, Link, Worker};
use crate::clock::{Mono, Now};
use wasmhost_proto::limits::{
    AHEAD_MS, IDLE_BEATS, MAX_AHEAD, MAX_BATCH, MAX_FRAME, MAX_LEASES_PER_WORKER,
    MAX_UNACKED_BYTES, PACE_MS, PREFETCH_WORK_MS, STALL_MS, STARTED_COALESCE_MS,
    STATUS_COALESCE_MS,
};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{
    Held, Load, Register, Started, StatusReport, ToPrimary, ToWorker, WorkRequest,
};

/// The last request for work, less what came since.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Whether this session was asked anything yet.
    any: bool,
    want: u32,
    free_slots: u32,
    interval_ms: u64,
}

impl Asked {
    pub(super) fn received(&mut self, leases: u32) {
        self.want = self.want.saturating_sub(leases);
        self.free_slots = self.free_slots.saturating_sub(leases);
    }
}

/// How fast attempts end here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    since: Mono,
    ended: u32,
    /// Attempts that end within [`PREFETCH_WORK_MS`]; falls slowly.
    per_window: u32,
    /// When one ended last, or was found not to end.
    last: Mono,
}

impl Pace {
    pub(super) fn ended(&mut self, now: Mono) {
        self.ended += 1;
        self.last = now;
        let spent = now.since(self.since);
        if spent >= PACE_MS {
            let rate = u64::from(self.ended) * PREFETCH_WORK_MS / spent;
            let rate = u32::try_from(rate).unwrap_or(u32::MAX);
            self.per_window = rate.max(self.per_window.midpoint(rate));
            (self.since, self.ended) = (now, 0);
        }
    }

    /// Attempts to give to the executors beyond their slots: the work of
    /// [`AHEAD_MS`], so that they need not wait for the next one.
    pub(super) fn ahead(&self) -> u32 {
        let ahead = u64::from(self.per_window) * AHEAD_MS / PREFETCH_WORK_MS;
        (ahead as u32).min(MAX_AHEAD)
    }

    /// When it is clear that what runs does not end at this pace.
    pub(super) fn stalled_at(&self) -> Mono {
        self.last.after(STALL_MS)
    }

    /// Begins to measure anew.
    pub(super) fn stop(&mut self, now: Mono) {
        *self = Pace {
            since: now,
            last: now,
            ..Pace::default()
        };
    }
}

impl Worker {
    pub(super) fn send(&mut self, now: Now, message: ToPrimary) {
        if self.link == Link::Up {
            self.last_sent = now.mono;
            self.effects.push_back(Effect::Send(message));
        }
    }

    pub(super) fn connected(&mut self, now: Now) {
        // What nodes are is told anew in each session; leases keep what they need.
        self.forget_all();
        self.link = Link::Registering;
        self.asked = Asked::default();
        let mut held = self.held_leases();
        held.truncate(MAX_LEASES_PER_WORKER as usize);
        let config = &self.config;
        let register = Register {
            name: config.name.clone(),
            version: config.version.clone(),
            slots: config.slots,
            cpus: config.cpus,
            memory: config.memory,
            scratch: config.scratch,
            offers: (!config.offers.is_empty()).then(|| Box::new(config.offers.clone())),
            term_seen: self.term_seen,
            incarnation: config.incarnation,
            held,
        };
        self.last_sent = now.mono;
        let message = ToPrimary::Register(Box::new(register));
        self.effects.push_back(Effect::Send(message));
    }

    fn held_leases(&self) -> Vec<Held> {
        let held = |key: Key, started| Held {
            task: key.0,
            lease: key.1,
            started,
        };
        let ended = self.outbox.outcomes();
        let ended = ended.map(|o| held((o.task, o.lease), o.started));
        let running = self.runs.iter().map(|(key, run)| held(*key, run.started));
        let queued = self.modules.values().flat_map(|m| &m.queue);
        let queued = queued.flat_map(|q| keys(&q.run)).map(|key| held(key, None));
        ended.chain(running).chain(queued).collect()
    }

    pub(super) fn frame(&mut self, now: Now, term: u64, messages: Vec<ToWorker>) {
        if self.link == Link::Down {
            return;
        }
        if term < self.term_seen {
            let seen = self.term_seen;
            self.link = Link::Down;
            let reason = format!("the primary is of term {term}, and term {seen} has been seen");
            return self.effects.push_back(Effect::Reconnect { reason });
        }
        self.term_seen = term;
        for message in messages {
            match message {
                ToWorker::Welcome { lease_ms, .. } => {
                    self.lease_ms = lease_ms;
                    self.welcome(now);
                }
                ToWorker::Prepare(spec) => self.know(now, *spec),
                ToWorker::Assign(runs) => self.assign(now, runs),
                ToWorker::Ack { batch } => self.outbox.ack(batch),
                ToWorker::Cancel { attempts, grace_ms } => self.cancel(now, attempts, grace_ms),
                ToWorker::TakeBack { max } => self.give_back(now, max),
                ToWorker::Forget { job } => self.forget(job),
                ToWorker::Drain { on } => self.draining = on,
                ToWorker::Poll => self.report_all(now),
                ToWorker::Spawned(end) => self.spawned(*end),
                ToWorker::Request(given) => self.requested(given),
                ToWorker::Data(answer) => self.data_answer(*answer),
            }
        }
    }

    fn welcome(&mut self, now: Now) {
        self.link = Link::Up;
        self.draining = false;
        self.tell_modules(now);
        let again: Vec<ToPrimary> = self.outbox.again().collect();
        for message in again {
            self.send(now, message);
        }
        self.spawn_again(now);
        self.call_again(now);
        self.status_due = Some(now.mono);
        self.beat(now);
    }

    pub(super) fn beat(&mut self, now: Now) {
        // Some of those that the executors have wait there for a slot.
        let waiting = self.busy().saturating_sub(self.config.slots);
        let running = self.running() - waiting;
        let load = Load {
            running,
            queued: self.queued() + waiting,
            executors: self.executors.0,
            executors_lost: self.executors.1,
        };
        self.send(now, ToPrimary::Beat(load));
    }

    /// How often it promises to be heard, milliseconds: a worker without work has
    /// little to say, and there may be a thousand of them.
    fn interval(&self) -> u64 {
        let busy = self.config.status_interval_ms;
        match self.idle {
            true => (busy * IDLE_BEATS).min(self.lease_ms / 3).max(busy),
            false => busy,
        }
    }

    /// When it must be heard again: before the promised interval is over.
    pub(super) fn next_beat(&self) -> Mono {
        let interval = self.interval();
        self.last_sent.after((interval - interval / 4).max(1))
    }

    /// Word of attempts that have started and still run.
    pub(super) fn tell_started(&mut self, now: Now) {
        self.started_due = None;
        let keys = std::mem::take(&mut self.started);
        let started = keys.into_iter().filter_map(|(task, lease)| {
            let at = self.runs.get(&(task, lease))?.started?;
            Some(Started { task, lease, at })
        });
        let started: Vec<Started> = started.collect();
        for some in started.chunks(MAX_BATCH) {
            self.send(now, ToPrimary::Started(some.to_vec()));
        }
    }

    pub(super) fn note_started(&mut self, now: Now, key: Key) {
        let Some(run) = self.runs.get_mut(&key).filter(|run| run.started.is_none()) else {
            return;
        };
        run.started = Some(now.wall);
        self.started.push(key);
        let due = now.mono.after(STARTED_COALESCE_MS);
        self.started_due.get_or_insert(due);
    }

    pub(super) fn note_status(&mut self, now: Now, key: Key, status: Status, log: &str) {
        let Some(run) = self.runs.get_mut(&key) else {
            return;
        };
        let said = run.said.get_or_insert_default();
        said.status = status;
        said.log.push(log);
        said.news.get_or_insert_default().push(log);
        let due = self.last_report.after(STATUS_COALESCE_MS).max(now.mono);
        self.status_due.get_or_insert(due);
    }

    /// Reports attempts that have published something, each at most once per
    /// [`STATUS_COALESCE_MS`].
    pub(super) fn report_news(&mut self, now: Now) {
        self.status_due = None;
        self.last_report = now.mono;
        if self.link != Link::Up {
            // Kept, within bounds, for the next session.
            return;
        }
        let (mut reports, mut bytes) = (Vec::new(), 0);
        let mut full = Vec::new();
        for ((task, lease), run) in &mut self.runs {
            let Some(said) = &mut run.said else {
                continue;
            };
            let Some(news) = said.news.take() else {
                continue;
            };
            let mut status = said.status.clone();
            fit_status(&mut status);
            let log = news.text();
            let size = 96 + status_size(&status) + log.len();
            if bytes + size > MAX_FRAME / 2 && !reports.is_empty() {
                full.push(std::mem::take(&mut reports));
                bytes = 0;
            }
            bytes += size;
            reports.push(StatusReport {
                task: *task,
                lease: *lease,
                at: now.wall,
                status,
                log,
            });
        }
        for reports in full.into_iter().chain([reports]).filter(|r| !r.is_empty()) {
            self.send(now, ToPrimary::Status(reports));
        }
    }

    /// The primary wants to know everything now.
    pub(super) fn report_all(&mut self, now: Now) {
        self.tell_started(now);
        for run in self.runs.values_mut() {
            run.said
                .get_or_insert_default()
                .news
                .get_or_insert_default();
        }
        self.report_news(now);
        self.beat(now);
    }

    /// Attempts to have at hand beyond those that run: about [`PREFETCH_WORK_MS`] of work.
    fn prefetch(&self) -> u32 {
        let most = MAX_LEASES_PER_WORKER / 2;
        self.config.prefetch.max(self.pace.per_window).min(most)
    }

    /// The request for work, when it says something new that matters.
    pub(super) fn request(&mut self) -> Option<ToPrimary> {
        let busy = self.busy() + self.queued();
        let prefetch = self.prefetch();
        let stuffed = self.outbox.bytes() > MAX_UNACKED_BYTES;
        let (room, free_slots) = match self.draining || self.leaving.is_some() || stuffed {
            true => (0, 0),
            false => {
                let left = MAX_LEASES_PER_WORKER.saturating_sub(self.held());
                let room = (self.config.slots + prefetch).saturating_sub(busy);
                (room.min(left), self.config.slots.saturating_sub(busy))
            }
        };
        let asked = self.asked;
        let more = room.saturating_sub(asked.want);
        let news = !asked.any
            || more >= (prefetch / 2).max(1)
            || (more > 0 && free_slots > asked.free_slots)
            || (room == 0 && asked.want > 0)
            || asked.interval_ms != self.interval();
        if !news {
            return None;
        }
        self.asked = Asked {
            any: true,
            want: room,
            free_slots,
            interval_ms: self.interval(),
        };
        Some(ToPrimary::Request(WorkRequest {
            want: room,
            free_slots,
            status_interval_ms: self.interval(),
        }))
    }
}
