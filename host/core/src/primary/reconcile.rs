//! A worker comes back: what it holds against what it should hold.

use super::Primary;
use crate::clock::Now;
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::wire::{Held, ToWorker};
use wasmhost_proto::{Lease, TaskId, WorkerId};

impl Primary {
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
        let mut gone: Vec<TaskId> = Vec::new();
        for run in self.leases.of_worker(worker) {
            let holds = |task: &TaskId| {
                let held = by_task.get(task);
                held.is_some_and(|leases| leases.contains(&run.leased.lease))
            };
            gone.extend(run.tasks().filter(|task| !holds(task)));
        }
        for task in gone {
            if same_process {
                // It never arrived, or its return was under way.
                self.give_back(task);
            } else {
                let why = "its worker was restarted";
                self.give_up(now, task, FailureKind::LostWorker, why);
            }
        }
        let (mut stop, mut forget) = (Vec::new(), BTreeSet::new());
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
        // A job that an earlier primary had begun and could not make durable is gone, and
        // its number may be another's now.
        if lease.term < self.term && task.job > self.last_recovered {
            return false;
        }
        let fresh = lease.attempt >= node.next_attempt(task.index) && lease.term <= self.term;
        // A bound on tasks at once holds for these, too.
        let room = node.ready() > 0 && self.queue.room(job.group) > 0;
        if !fresh || !room || !node.waiting.remove(task.index) {
            return false;
        }
        job.note_ready(task.node);
        self.touched.insert(task.job);
        self.lease(task, 1, worker, lease);
        true
    }
}
