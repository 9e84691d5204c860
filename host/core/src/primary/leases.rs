//! Leases: who may run which attempt now, and what becomes of attempts.
//!
//! A task has at most one current lease; only its holder's outcome is recorded.

use super::nodes::Backoff;
use super::persist::After;
use super::timers::Timer;
use super::workers::TakeBack;
use super::{Effect, Primary};
use crate::clock::{Mono, Now};
use crate::log::Log;
use crate::record::{AttemptRecord, JobFailureRecord, OutcomeRecord, StoredResult, Write};
use crate::rng::backoff_ms;
use std::collections::BTreeMap;
use wasmhost_proto::limits::OVERRUN_MARGIN_MS;
use wasmhost_proto::outcome::{Failure, FailureKind, RetryClass, Usage};
use wasmhost_proto::plan::OnFailure;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{
    AttemptOutcome, End, Held, ResultData, Started, StatusReport, ToWorker,
};
use wasmhost_proto::{JobId, Lease, TaskId, Timestamp, WorkerId};

/// What a running attempt has published.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) at: Mono,
    pub(super) status: Status,
    pub(super) log: Log,
}

#[derive(Clone, Debug)]
pub(super) struct Leased {
    pub(super) worker: WorkerId,
    pub(super) lease: Lease,
    /// When it began, by the worker's clock.
    pub(super) started: Option<Timestamp>,
    /// When it was known to run, by ours.
    pub(super) running_since: Option<Mono>,
    /// It was told to stop: when to stop waiting for it.
    pub(super) give_up: Option<Mono>,
    pub(super) report: Option<Box<Report>>,
}

fn tasks_of(job: JobId) -> std::ops::RangeInclusive<TaskId> {
    let at = |node, index| TaskId { job, node, index };
    at(0, 0)..=at(u16::MAX, u32::MAX)
}

impl Primary {
    pub(super) fn leases_of(&self, job: JobId) -> impl Iterator<Item = (&TaskId, &Leased)> {
        self.leases.range(tasks_of(job))
    }

    /// Makes a lease. The task must have been taken out of its other place.
    pub(super) fn lease(&mut self, task: TaskId, worker: WorkerId, lease: Lease) {
        let leased = Leased {
            worker,
            lease,
            started: None,
            running_since: None,
            give_up: None,
            report: None,
        };
        self.leases.insert(task, leased);
        if let Some(w) = self.workers.get_mut(&worker) {
            w.leases.insert(task);
        }
        if let Some(job) = self.jobs.get_mut(&task.job) {
            job.leased += 1;
            job.nodes[usize::from(task.node)].leased += 1;
        }
    }

    /// Ends a lease; the caller puts the task into its next place.
    fn unlease(&mut self, task: TaskId) -> Option<Leased> {
        let leased = self.leases.remove(&task)?;
        let ran = u32::from(leased.running_since.is_some());
        self.running_tasks -= u64::from(ran);
        if let Some(worker) = self.workers.get_mut(&leased.worker) {
            worker.leases.remove(&task);
            worker.running -= ran;
            self.workers_changed.insert(leased.worker);
        }
        if let Some(job) = self.jobs.get_mut(&task.job) {
            job.leased -= 1;
            let node = &mut job.nodes[usize::from(task.node)];
            node.leased -= 1;
            node.running -= ran;
            self.touched.insert(task.job);
        }
        Some(leased)
    }

    fn is_current(&self, worker: WorkerId, task: TaskId, lease: Lease) -> bool {
        let current = self.leases.get(&task);
        current.is_some_and(|l| l.worker == worker && l.lease == lease)
    }

    pub(super) fn started(&mut self, now: Now, worker: WorkerId, items: Vec<Started>) {
        for item in items {
            if self.is_current(worker, item.task, item.lease) {
                self.note_running(now, item.task, item.at);
            }
        }
    }

    fn note_running(&mut self, now: Now, task: TaskId, at: Timestamp) {
        let Some(leased) = self
            .leases
            .get_mut(&task)
            .filter(|l| l.running_since.is_none())
        else {
            return;
        };
        leased.started = Some(at);
        leased.running_since = Some(now.mono);
        self.running_tasks += 1;
        if let Some(worker) = self.workers.get_mut(&leased.worker) {
            worker.running += 1;
            worker.take_back_again();
            self.workers_changed.insert(leased.worker);
        }
        if let Some(job) = self.jobs.get_mut(&task.job) {
            job.nodes[usize::from(task.node)].running += 1;
            if job.note_start(now.wall) {
                self.persist.job(task.job);
            }
            self.jobs_changed.insert(task.job);
        }
    }

    pub(super) fn status(&mut self, now: Now, worker: WorkerId, items: Vec<StatusReport>) {
        for item in items {
            if !self.is_current(worker, item.task, item.lease) {
                continue;
            }
            // A report of an attempt is as good as word that it runs.
            self.note_running(now, item.task, item.at);
            let Some(leased) = self.leases.get_mut(&item.task) else {
                continue;
            };
            let log = leased.report.take().map(|r| r.log).unwrap_or_default();
            let mut report = Report {
                at: now.mono,
                status: item.status,
                log,
            };
            report.log.push(&item.log);
            leased.report = Some(Box::new(report));
            self.jobs_changed.insert(item.task.job);
        }
    }

    pub(super) fn outcomes(
        &mut self,
        now: Now,
        worker: WorkerId,
        batch: u64,
        items: Vec<AttemptOutcome>,
    ) {
        let Some(w) = self.workers.get_mut(&worker) else {
            return;
        };
        let Some(incarnation) = w.incarnation else {
            return;
        };
        let news = batch > w.batch;
        w.batch = w.batch.max(batch);
        w.take_back_again();
        for item in items.into_iter().filter(|_| news) {
            if self.is_current(worker, item.task, item.lease) {
                if let Some(w) = self.workers.get_mut(&worker) {
                    w.completed += 1;
                }
                let task = item.task;
                self.conclude(now, task, outcome_record(worker, item));
            } else {
                self.late(item.task);
            }
        }
        self.persist.after(After::Ack {
            worker,
            incarnation,
            batch,
        });
    }

    fn late(&mut self, task: TaskId) {
        self.effects.push_back(Effect::LateOutcome(task));
        if let Some(job) = self.jobs.get_mut(&task.job) {
            job.record.late_outcomes += 1;
            self.persist.job(task.job);
        }
    }

    /// The current attempt of a task is over.
    fn conclude(&mut self, now: Now, task: TaskId, mut outcome: OutcomeRecord) {
        if self.unlease(task).is_none() {
            return;
        }
        let Some(job) = self.jobs.get_mut(&task.job) else {
            return;
        };
        if outcome.started.is_some() {
            job.note_start(now.wall);
        }
        let stopping = job.is_stopping();
        let node = &mut job.nodes[usize::from(task.node)];
        let policy = job.plan.nodes[usize::from(task.node)].retry;
        self.persist.job(task.job);
        let Some(failure) = outcome.failure.as_mut() else {
            node.failed.remove(&task.index);
            job.count(task.node, |c| c.succeeded += 1);
            return self.record_end(task, outcome);
        };
        match (stopping, failure.kind) {
            (true, FailureKind::Cancelled) => {}
            (true, _) => {
                let message = format!("cancelled; it ended so: {}", failure.message);
                *failure = Failure {
                    kind: FailureKind::Cancelled,
                    message,
                    ..failure.clone()
                };
            }
            // Nobody asked for it: the worker's doing.
            (false, FailureKind::Cancelled) => failure.kind = FailureKind::HostFault,
            (false, _) => {}
        }
        let failure = failure.clone();
        self.persist.write(Write::Attempt(
            task,
            Box::new(attempt_record(&outcome, &failure)),
        ));
        if stopping {
            node.failed.remove(&task.index);
            job.count(task.node, |c| c.cancelled += 1);
            return self.record_end(task, outcome);
        }
        let failed = node.failed.entry(task.index).or_default();
        failed.last = failed.last.max(outcome.lease.attempt);
        let class = failure.kind.retry_class();
        let (spent, allowed) = match class {
            RetryClass::Never => (&mut 0, 0),
            RetryClass::Guest => (&mut failed.guest, policy.guest),
            RetryClass::Infrastructure => (&mut failed.infrastructure, policy.infrastructure),
        };
        if *spent < allowed {
            *spent += 1;
            let retry = (*spent, allowed);
            if retry.0 == 1 && class == RetryClass::Infrastructure {
                node.waiting.insert(task.index);
                return;
            }
            let wait = backoff_ms(
                &mut self.rng,
                retry.0,
                policy.backoff_ms,
                policy.max_backoff_ms,
            );
            let due = now.mono.after(wait);
            let backoff = Backoff {
                due,
                retry,
                kind: failure.kind,
                message: failure.message,
            };
            node.backing_off.insert(task.index, backoff);
            return self.timers.set(due, Timer::Retry(task));
        }
        node.failed.remove(&task.index);
        job.count(task.node, |c| c.failed += 1);
        let first = JobFailureRecord {
            task: Some(task),
            failure,
        };
        job.record.failure.get_or_insert(first);
        let stop = job.plan.on_failure == OnFailure::Stop;
        self.record_end(task, outcome);
        if stop {
            self.stop(now, task.job, None);
        }
    }

    fn record_end(&mut self, task: TaskId, outcome: OutcomeRecord) {
        self.open_tasks -= 1;
        self.persist.write(Write::Outcome(task, Box::new(outcome)));
    }

    /// A failed task's wait is over.
    pub(super) fn retry_due(&mut self, task: TaskId) {
        if let Some(job) = self.jobs.get_mut(&task.job) {
            let node = &mut job.nodes[usize::from(task.node)];
            if node.backing_off.remove(&task.index).is_some() {
                node.waiting.insert(task.index);
                self.touched.insert(task.job);
            }
        }
    }

    pub(super) fn released(&mut self, worker: WorkerId, items: Vec<(TaskId, Lease)>) {
        if let Some(w) = self.workers.get_mut(&worker) {
            w.take_back = match items.is_empty() {
                true => TakeBack::Empty,
                false => TakeBack::Idle,
            };
        }
        for (task, lease) in items {
            if self.is_current(worker, task, lease) {
                self.give_back(task);
            }
        }
    }

    fn give_back(&mut self, task: TaskId) {
        self.unlease(task);
        if let Some(job) = self.jobs.get_mut(&task.job) {
            if job.is_stopping() {
                job.count(task.node, |c| c.cancelled += 1);
                self.open_tasks -= 1;
                self.persist.job(task.job);
            } else {
                job.nodes[usize::from(task.node)].waiting.insert(task.index);
            }
        }
    }

    fn leases_on(&self, worker: WorkerId, which: impl Fn(&TaskId) -> bool) -> Vec<TaskId> {
        let leases = self.workers.get(&worker).map(|w| w.leases.iter());
        leases
            .into_iter()
            .flatten()
            .filter(|t| which(t))
            .copied()
            .collect()
    }

    /// Leases whose worker may or may not run them still: their attempts failed.
    pub(super) fn lose_leases(
        &mut self,
        now: Now,
        worker: WorkerId,
        why: &str,
        which: impl Fn(&TaskId) -> bool,
    ) {
        for task in self.leases_on(worker, which) {
            self.give_up(now, task, FailureKind::LostWorker, why);
        }
    }

    fn give_up(&mut self, now: Now, task: TaskId, kind: FailureKind, why: &str) {
        let Some(leased) = self.leases.get_mut(&task) else {
            return;
        };
        let report = leased.report.take();
        let outcome = OutcomeRecord {
            lease: leased.lease,
            worker: Some(leased.worker),
            started: leased.started,
            ended: now.wall,
            failure: Some(Failure::new(kind, why)),
            result: None,
            usage: Usage::default(),
            log: report.as_ref().map(|r| r.log.text()).unwrap_or_default(),
            status: report.map(|r| r.status).unwrap_or_default(),
        };
        self.conclude(now, task, outcome);
    }

    /// Tells the workers that hold leases of a job to stop them.
    pub(super) fn cancel_leases(&mut self, now: Now, job: JobId, grace_ms: u64) {
        let give_up = now.mono.after(grace_ms).after(self.config.lease_ms);
        let mut attempts: BTreeMap<WorkerId, Vec<(TaskId, Lease)>> = BTreeMap::new();
        for (task, leased) in self.leases.range_mut(tasks_of(job)) {
            leased.give_up = Some(give_up);
            let of_worker = attempts.entry(leased.worker).or_default();
            of_worker.push((*task, leased.lease));
        }
        for (worker, attempts) in attempts {
            self.send(worker, ToWorker::Cancel { attempts, grace_ms });
        }
    }

    /// The primary's own backstop behind the worker's time limits.
    pub(super) fn stop_overruns(&mut self, now: Now, worker: WorkerId) {
        let mut overdue = Vec::new();
        for task in self.leases_on(worker, |_| true) {
            let Some(leased) = self.leases.get_mut(&task) else {
                continue;
            };
            if leased.give_up.is_some_and(|at| at <= now.mono) {
                let why = "its worker did not end it when told to";
                self.give_up(now, task, FailureKind::HostFault, why);
            } else if let (Some(since), None, Some(job)) = (
                leased.running_since,
                leased.give_up,
                self.jobs.get(&task.job),
            ) {
                let wall_ms = job.plan.nodes[usize::from(task.node)].limits.wall_ms;
                if now.mono.since(since) > wall_ms.saturating_add(OVERRUN_MARGIN_MS) {
                    leased.give_up = Some(now.mono.after(self.config.lease_ms));
                    overdue.push((task, leased.lease));
                }
            }
        }
        if !overdue.is_empty() {
            let attempts = overdue;
            self.send(
                worker,
                ToWorker::Cancel {
                    attempts,
                    grace_ms: 0,
                },
            );
        }
    }

    /// Compares what a registering worker holds with what it should hold.
    pub(super) fn reconcile(
        &mut self,
        now: Now,
        worker: WorkerId,
        same_process: bool,
        held: Vec<Held>,
    ) {
        let by_task: BTreeMap<TaskId, Vec<Lease>> =
            held.iter().fold(BTreeMap::new(), |mut map, h| {
                map.entry(h.task).or_default().push(h.lease);
                map
            });
        let gone: Vec<TaskId> = self.leases_on(worker, |task| {
            let lease = self.leases.get(task).map(|l| l.lease);
            !by_task
                .get(task)
                .is_some_and(|l| l.iter().any(|l| Some(*l) == lease))
        });
        for task in gone {
            if same_process {
                // It never arrived, or its return was under way.
                self.give_back(task);
            } else {
                let why = "its worker was restarted";
                self.give_up(now, task, FailureKind::LostWorker, why);
            }
        }
        let (mut stop, mut forget) = (Vec::new(), std::collections::BTreeSet::new());
        for Held {
            task,
            lease,
            started,
        } in held
        {
            if !self.is_current(worker, task, lease) && !self.adopt(worker, task, lease) {
                stop.push((task, lease));
            }
            match self.jobs.get_mut(&task.job) {
                None => {
                    forget.insert(task.job);
                }
                Some(job) => {
                    job.told.insert(worker);
                    if job.is_stopping() {
                        stop.push((task, lease));
                    }
                }
            }
            if let Some(at) = started.filter(|_| self.is_current(worker, task, lease)) {
                self.note_running(now, task, at);
            }
        }
        let grace_ms = self.config.cancel_grace_ms;
        if !stop.is_empty() {
            self.send(
                worker,
                ToWorker::Cancel {
                    attempts: stop,
                    grace_ms,
                },
            );
        }
        for job in forget {
            self.send(worker, ToWorker::Forget { job });
        }
    }

    /// Takes a lease over that the worker holds from before a restart of the primary,
    /// unless its task has ended, is leased elsewhere, or has failed in that attempt.
    fn adopt(&mut self, worker: WorkerId, task: TaskId, lease: Lease) -> bool {
        let Some(job) = self
            .jobs
            .get_mut(&task.job)
            .filter(|job| !job.is_stopping())
        else {
            return false;
        };
        let Some(node) = job.nodes.get_mut(usize::from(task.node)) else {
            return false;
        };
        let fresh = lease.attempt >= node.next_attempt(task.index) && lease.term <= self.term;
        if !fresh || node.ready() == 0 || !node.waiting.remove(task.index) {
            return false;
        }
        self.touched.insert(task.job);
        self.lease(task, worker, lease);
        true
    }
}

fn stored(data: ResultData) -> StoredResult {
    match data {
        ResultData::Inline(bytes) => StoredResult::Inline(bytes),
        ResultData::Blob(blob) => StoredResult::Blob(blob),
    }
}

fn outcome_record(worker: WorkerId, item: AttemptOutcome) -> OutcomeRecord {
    let (failure, result) = match item.end {
        End::Success(data) => (None, Some(data)),
        End::Failure(failure, data) => (Some(*failure), data),
    };
    let report = item.report.map(|report| *report).unwrap_or_default();
    OutcomeRecord {
        lease: item.lease,
        worker: Some(worker),
        started: item.started,
        ended: item.ended,
        failure,
        result: result.map(stored),
        usage: item.usage,
        status: report.status,
        log: report.log,
    }
}

fn attempt_record(outcome: &OutcomeRecord, failure: &Failure) -> AttemptRecord {
    AttemptRecord {
        lease: outcome.lease,
        worker: outcome.worker,
        started: outcome.started,
        ended: outcome.ended,
        failure: failure.clone(),
        usage: outcome.usage,
        status: outcome.status.clone(),
        log: outcome.log.clone(),
    }
}
