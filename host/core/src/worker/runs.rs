//! Leases on this worker: unstarted, running, ended.

use super::data::Calls;
use super::drivers::Children;
use super::filling::render;
use super::modules::{Queued, Stage, keys};
use super::outbox::{fit_failure, fit_status};
use super::{Effect, Ended, Key, Start, Worker};
use crate::clock::{Mono, Now};
use crate::log::Log;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use wasmhost_proto::Timestamp;
use wasmhost_proto::limits::MAX_LEASES_PER_WORKER;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{AssignRun, AttemptOutcome, End, FinalReport, NodeSpec, ToPrimary};

/// Who raised the cancel flag of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stopped {
    ByPrimary,
    /// The worker leaves: the task is to run elsewhere.
    ByLeaving,
}

/// An attempt that was handed to the executors.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// To wait again with, should it come back without having begun.
    queued: Queued,
    /// When it was instantiated, once that is known.
    pub(super) started: Option<Timestamp>,
    pub(super) stopped: Option<Stopped>,
    /// Most say nothing before they end.
    pub(super) said: Option<Box<Said>>,
    /// What a driver has started.
    pub(super) children: Option<Box<Children>>,
    /// What it asks of the primary.
    pub(super) asked: Option<Box<Calls>>,
}

/// What an attempt has published.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) status: Status,
    /// Everything it has logged, for its outcome.
    pub(super) log: Log,
    /// What it has logged since the last report; none when nothing is new.
    pub(super) news: Option<Log>,
}

impl Run {
    fn new(queued: Queued) -> Run {
        Run {
            queued,
            started: None,
            stopped: None,
            said: None,
            children: None,
            asked: None,
        }
    }

    pub(super) fn is_driver(&self) -> bool {
        self.queued.spec.driver
    }
}

/// The last status and all of the log; none of an attempt that said nothing.
fn final_report(said: Option<Box<Said>>, status: Status, log: &str) -> Option<Box<FinalReport>> {
    if said.is_none() && status.is_empty() && log.is_empty() {
        return None;
    }
    let mut said = said.unwrap_or_default();
    said.log.push(log);
    let mut report = FinalReport {
        status,
        log: said.log.text(),
    };
    fit_status(&mut report.status);
    let silent = report.status.is_empty() && report.log.is_empty();
    (!silent).then(|| Box::new(report))
}

impl Worker {
    pub(super) fn assign(&mut self, now: Now, runs: Vec<AssignRun>) {
        self.idle = false;
        let mut refused: Vec<Key> = Vec::new();
        for mut run in runs {
            self.asked.received(run.count());
            // A run costs its sender nothing; no primary hands out more than this.
            let refusable = MAX_LEASES_PER_WORKER as usize - refused.len();
            let spec = self.specs.get(&(run.job, run.node)).cloned();
            let Some(spec) = spec.filter(|_| self.leaving.is_none()) else {
                refused.extend(keys(&run).take(refusable));
                continue;
            };
            let room = MAX_LEASES_PER_WORKER.saturating_sub(self.held());
            refused.extend(keys(&run.split_off(room)).take(refusable));
            self.need_module(now, &spec);
            self.enqueue(now, spec, run);
        }
        if !refused.is_empty() {
            self.send(now, ToPrimary::Released(refused));
        }
    }

    fn enqueue(&mut self, now: Now, spec: Arc<NodeSpec>, run: AssignRun) {
        let Some(module) = self.modules.get_mut(&spec.module) else {
            return;
        };
        if let Stage::Rejected(why) = &module.stage {
            let failure = Failure::new(FailureKind::ModuleRejected, why.clone());
            for key in keys(&run) {
                self.end_unstarted(now, key, failure.clone());
            }
            return;
        }
        if run.count() > 0 {
            self.last_order += 1;
            self.queued += run.count();
            let order = self.last_order;
            module.queue.push_back(Queued { order, spec, run });
        }
    }

    /// Fills free slots, and the executors' queues with what is over in a moment.
    pub(super) fn start_runs(&mut self, now: Now) {
        let most = self.config.slots.saturating_add(self.pace.ahead());
        while self.busy() < most {
            let ready = self
                .modules
                .values_mut()
                .filter(|m| m.stage == Stage::Ready);
            let fronts = ready.filter(|m| !m.queue.is_empty());
            let next = fronts.min_by_key(|m| m.queue.front().map(|q| q.order));
            let Some(queued) = next.and_then(|m| take_first(&mut m.queue)) else {
                return;
            };
            self.queued -= 1;
            self.start(now, queued);
        }
    }

    fn start(&mut self, now: Now, queued: Queued) {
        let (Some(key), Some(item)) = (keys(&queued.run).next(), queued.run.item()) else {
            return;
        };
        let spec = queued.spec.clone();
        match render(&spec, key.0.index, &item) {
            Err(why) => {
                let failure = Failure::new(FailureKind::BadInput, why.0);
                self.end_unstarted(now, key, failure);
            }
            Ok(filled) => {
                self.drivers += u32::from(spec.driver);
                self.runs.insert(key, Run::new(queued));
                let (task, lease) = key;
                let start = Start {
                    task,
                    lease,
                    spec,
                    input: filled.input,
                    args: filled.args,
                    env: filled.env,
                    config: filled.config,
                };
                self.effects.push_back(Effect::Start(Box::new(start)));
            }
        }
    }

    /// Attempts that the executors have not begun wait their turn again, or are
    /// given back when there is no other turn.
    pub(super) fn returned(&mut self, now: Now, mut keys: Vec<Key>) {
        keys.sort_unstable_by_key(|key| self.runs.get(key).map(|run| run.queued.order));
        let mut released = Vec::new();
        for key in keys.into_iter().rev() {
            let Some(run) = self.take_run(key) else {
                continue;
            };
            self.kills.retain(|(_, of)| *of != key);
            match (run.stopped, self.modules.get_mut(&run.queued.spec.module)) {
                (Some(Stopped::ByPrimary), _) => {
                    let why = "cancelled before it started";
                    self.end_unstarted(now, key, Failure::new(FailureKind::Cancelled, why));
                }
                (None, Some(module)) if self.leaving.is_none() => {
                    module.queue.push_front(run.queued);
                    self.queued += 1;
                }
                _ => released.push(key),
            }
        }
        if !released.is_empty() {
            self.send(now, ToPrimary::Released(released));
        }
    }

    /// Takes back what waits in the executors behind attempts that do not end: their
    /// pace was misjudged, and others may have room.
    pub(super) fn unblock(&mut self, now: Now) {
        if self.next_unblock().is_some_and(|at| at <= now.mono) {
            self.pace.stop(now.mono);
            self.effects.push_back(Effect::TakeBack);
        }
    }

    pub(super) fn next_unblock(&self) -> Option<Mono> {
        (self.busy() > self.config.slots).then(|| self.pace.stalled_at())
    }

    fn take_run(&mut self, key: Key) -> Option<Run> {
        let run = self.runs.remove(&key)?;
        self.drivers -= u32::from(run.is_driver());
        Some(run)
    }

    /// Ends a lease that never ran.
    pub(super) fn end_unstarted(&mut self, now: Now, key: Key, mut failure: Failure) {
        fit_failure(&mut failure);
        self.outbox.push(AttemptOutcome {
            task: key.0,
            lease: key.1,
            started: None,
            ended: now.wall,
            end: End::Failure(Box::new(failure), None),
            usage: Usage::default(),
            report: None,
        });
    }

    pub(super) fn ended(&mut self, now: Now, ended: Ended) {
        let key = (ended.task, ended.lease);
        let Some(run) = self.take_run(key) else {
            return;
        };
        if !self.kills.is_empty() {
            self.kills.retain(|(_, of)| *of != key);
        }
        self.pace.ended(now.mono);
        let report = final_report(run.said, ended.status, &ended.log);
        let mut end = ended.end;
        if let End::Failure(failure, _) = &mut end {
            fit_failure(failure);
            if run.stopped == Some(Stopped::ByLeaving) {
                **failure = Failure::new(
                    FailureKind::LostWorker,
                    format!("its worker was shut down; it ended so: {}", failure.message),
                );
            }
        }
        // Executors may leave out word of the start of what ended at once.
        let wall_us = ended.usage.wall_us;
        let began = (wall_us > 0).then(|| Timestamp(now.wall.0.saturating_sub(wall_us / 1000)));
        self.outbox.push(AttemptOutcome {
            task: ended.task,
            lease: ended.lease,
            started: run.started.or(began),
            ended: now.wall,
            end,
            usage: ended.usage,
            report,
        });
    }

    pub(super) fn cancel(&mut self, now: Now, attempts: Vec<Key>, grace_ms: u64) {
        let attempts: BTreeSet<Key> = attempts.into_iter().collect();
        let unstarted = self.take_queued(&attempts);
        for key in unstarted {
            let why = "cancelled before it started";
            self.end_unstarted(now, key, Failure::new(FailureKind::Cancelled, why));
        }
        for key in attempts {
            self.stop_run(now, key, grace_ms, Stopped::ByPrimary);
        }
    }

    /// Raises the flag of a run, and kills it after the grace.
    pub(super) fn stop_run(&mut self, now: Now, key: Key, grace_ms: u64, who: Stopped) {
        let Some(run) = self.runs.get_mut(&key) else {
            return;
        };
        if run.stopped.is_none() {
            self.effects.push_back(Effect::Cancel(key.0, key.1));
        }
        // The task must not run elsewhere when the primary wants it to end.
        if run.stopped != Some(Stopped::ByPrimary) {
            run.stopped = Some(who);
        }
        self.kills.insert((now.mono.after(grace_ms), key));
    }

    pub(super) fn kill_overdue(&mut self, now: Now) {
        while let Some((at, key)) = self.kills.first().copied() {
            if at > now.mono {
                return;
            }
            self.kills.pop_first();
            self.effects.push_back(Effect::Kill(key.0, key.1));
        }
    }

    /// Gives unstarted leases back, last ones first.
    pub(super) fn give_back(&mut self, now: Now, max: u32) {
        let mut released = Vec::new();
        let mut left = max.min(self.queued);
        while left > 0 {
            let queues = self.modules.values_mut().map(|m| &mut m.queue);
            let Some(queue) = queues.max_by_key(|q| q.back().map(|q| q.order)) else {
                break;
            };
            let Some(mut last) = queue.pop_back() else {
                break;
            };
            let given = last.run.split_off(last.run.count().saturating_sub(left));
            left -= given.count();
            self.queued -= given.count();
            released.extend(keys(&given));
            if last.run.count() > 0 {
                queue.push_back(last);
            }
        }
        // So that the primary knows what runs before it knows what is left.
        self.tell_started(now);
        self.send(now, ToPrimary::Released(released));
    }

    /// Takes these leases out of the queues; those that were there.
    fn take_queued(&mut self, which: &BTreeSet<Key>) -> Vec<Key> {
        let mut taken = Vec::new();
        for module in self.modules.values_mut() {
            let hit = |queued: &Queued| keys(&queued.run).any(|key| which.contains(&key));
            if !module.queue.iter().any(hit) {
                continue;
            }
            for mut queued in std::mem::take(&mut module.queue) {
                // Cut before each lease that goes.
                while let Some(at) = keys(&queued.run).position(|key| which.contains(&key)) {
                    let mut rest = queued.run.split_off(at as u32);
                    let one = rest.take_first();
                    taken.extend(one.iter().flat_map(keys));
                    let before = Queued {
                        run: std::mem::replace(&mut queued.run, rest),
                        spec: queued.spec.clone(),
                        ..queued
                    };
                    module.queue.extend((at > 0).then_some(before));
                }
                module
                    .queue
                    .extend((queued.run.count() > 0).then_some(queued));
            }
        }
        self.queued -= taken.len() as u32;
        taken
    }
}

/// Takes the first lease out of a queue.
fn take_first(queue: &mut VecDeque<Queued>) -> Option<Queued> {
    let front = queue.front_mut()?;
    let first = Queued {
        order: front.order,
        spec: front.spec.clone(),
        run: front.run.take_first()?,
    };
    if front.run.count() == 0 {
        queue.pop_front();
    }
    Some(first)
}
