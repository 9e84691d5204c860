//! Leases: who may run which attempt now. A task has at most one; only its
//! holder's outcome is recorded.

use super::Primary;
use super::jobs::Job;
use super::workers::TakeBack;
use crate::clock::{Mono, Now};
use crate::log::Log;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{Started, StatusReport};
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

pub(super) fn tasks_of(job: JobId) -> std::ops::RangeInclusive<TaskId> {
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
    pub(super) fn unlease(&mut self, task: TaskId) -> Option<Leased> {
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

    pub(super) fn is_current(&self, worker: WorkerId, task: TaskId, lease: Lease) -> bool {
        let current = self.leases.get(&task);
        current.is_some_and(|l| l.worker == worker && l.lease == lease)
    }

    /// Whether the task has no recorded end, for all that is known.
    pub(super) fn is_open(&self, task: TaskId) -> bool {
        let job = self.jobs.get(&task.job);
        if job.is_some_and(Job::is_stopping) {
            return true;
        }
        let node = job.and_then(|job| job.nodes.get(usize::from(task.node)));
        self.leases.contains_key(&task) || node.is_some_and(|n| n.is_unleased(task.index))
    }

    pub(super) fn started(&mut self, now: Now, worker: WorkerId, items: Vec<Started>) {
        for item in items {
            if self.is_current(worker, item.task, item.lease) {
                self.note_running(now, item.task, item.at);
            }
        }
    }

    pub(super) fn note_running(&mut self, now: Now, task: TaskId, at: Timestamp) {
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

    pub(super) fn leases_on(
        &self,
        worker: WorkerId,
        which: impl Fn(&TaskId) -> bool,
    ) -> Vec<TaskId> {
        let leases = self.workers.get(&worker).map(|w| w.leases.iter());
        leases
            .into_iter()
            .flatten()
            .filter(|t| which(t))
            .copied()
            .collect()
    }
}
