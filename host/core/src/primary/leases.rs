//! Leases: who may run which attempt now. A task has at most one; only its
//! holder's outcome is recorded.

use super::Primary;
use super::workers::TakeBack;
use crate::clock::{Mono, Now};
use crate::log::Log;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{Started, StatusReport};
use wasmhost_proto::{Lease, TaskId, Timestamp, WorkerId};

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

impl Leased {
    pub(super) fn new(worker: WorkerId, lease: Lease) -> Leased {
        Leased {
            worker,
            lease,
            started: None,
            running_since: None,
            give_up: None,
            report: None,
        }
    }

    pub(super) fn is(&self, worker: WorkerId, lease: Lease) -> bool {
        self.worker == worker && self.lease == lease
    }
}

impl Primary {
    /// Leases consecutive tasks. They must have been taken out of their other place.
    pub(super) fn lease(&mut self, first: TaskId, count: u32, worker: WorkerId, lease: Lease) {
        self.leases.put(first, count, Leased::new(worker, lease));
        if let Some(w) = self.workers.get_mut(&worker) {
            w.leased += count;
        }
        if let Some(job) = self.jobs.get_mut(&first.job) {
            job.leased += count;
            let node = &mut job.nodes[usize::from(first.node)];
            node.leased += count;
            if node.limit.is_some() {
                job.note_ready(first.node);
            }
            if let Some(group) = job.group {
                self.queue.leased(group, count);
            }
        }
    }

    /// Ends a lease; the caller puts the task into its next place.
    pub(super) fn unlease(&mut self, task: TaskId) -> Option<Leased> {
        self.unlease_run(task, |_, _| 1).map(|(_, leased)| leased)
    }

    /// The same for as many tasks of its run as [`super::runs::Leases::take`] is told.
    pub(super) fn unlease_run(
        &mut self,
        first: TaskId,
        how_many: impl FnOnce(&Leased, u32) -> u32,
    ) -> Option<(u32, Leased)> {
        let (count, leased) = self.leases.take(first, how_many)?;
        let ran = match leased.running_since {
            Some(_) => count,
            None => 0,
        };
        self.running_tasks -= u64::from(ran);
        if let Some(worker) = self.workers.get_mut(&leased.worker) {
            worker.leased -= count;
            worker.running -= ran;
            self.workers_changed.insert(leased.worker);
        }
        if let Some(job) = self.jobs.get_mut(&first.job) {
            job.leased -= count;
            let node = &mut job.nodes[usize::from(first.node)];
            node.leased -= count;
            node.running -= ran;
            if node.limit.is_some() {
                job.note_ready(first.node);
            }
            if let Some(group) = job.group {
                self.queue.unleased(group, count);
            }
            self.touched.insert(first.job);
        }
        Some((count, leased))
    }

    pub(super) fn is_current(&self, worker: WorkerId, task: TaskId, lease: Lease) -> bool {
        let current = self.leases.get(task);
        current.is_some_and(|l| l.is(worker, lease))
    }

    /// Whether the task has no recorded end, for all that is known.
    pub(super) fn is_open(&self, task: TaskId) -> bool {
        let job = self.jobs.get(&task.job);
        if job.is_some_and(|job| job.is_stopping()) {
            return true;
        }
        let node = job.and_then(|job| job.nodes.get(usize::from(task.node)));
        self.leases.get(task).is_some() || node.is_some_and(|n| n.is_unleased(task.index))
    }

    pub(super) fn started(&mut self, now: Now, worker: WorkerId, items: Vec<Started>) {
        for item in items {
            if self.is_current(worker, item.task, item.lease) {
                self.note_running(now, item.task, item.at);
            }
        }
    }

    pub(super) fn note_running(&mut self, now: Now, task: TaskId, at: Timestamp) {
        let rests = |l: &Leased| l.running_since.is_none();
        if !self.leases.get(task).is_some_and(rests) {
            return;
        }
        let Some(leased) = self.leases.alone(task) else {
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
            let Some(leased) = self.leases.alone(item.task) else {
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

    pub(super) fn give_back(&mut self, task: TaskId) {
        self.unlease(task);
        if let Some(job) = self.jobs.get_mut(&task.job) {
            if job.is_stopping() {
                job.count(task.node, |c| c.cancelled += 1);
                self.open_tasks -= 1;
                self.persist.job(task.job);
            } else {
                job.nodes[usize::from(task.node)].waiting.insert(task.index);
                job.note_ready(task.node);
            }
        }
    }

    pub(super) fn leases_on(&self, worker: WorkerId) -> Vec<TaskId> {
        let runs = self.leases.of_worker(worker);
        runs.flat_map(|run| run.tasks()).collect()
    }
}
