//! Silence and overruns: who is given up, and when.

use super::Primary;
use super::timers::Timer;
use crate::clock::Now;
use std::collections::BTreeMap;
use wasmhost_proto::limits::OVERRUN_MARGIN_MS;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::wire::ToWorker;
use wasmhost_proto::{JobId, Lease, TaskId, WorkerId};

impl Primary {
    /// Sets the worker's timer, unless it is set to an earlier time.
    pub(super) fn watch(&mut self, now: Now, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let Some(heard) = worker.heard else { return };
        if worker.session.is_none() && !worker.recorded {
            return;
        }
        let mut at = heard.after(self.config.lease_ms);
        if worker.registered().is_some() && !worker.suspect {
            at = at.min(heard.after(worker.suspect_after_ms()));
        }
        // Attempts that overrun are looked for twice per lease.
        at = at.min(now.mono.after(self.config.lease_ms / 2));
        at = at.min(worker.next_poll(self.config.poll_ms).unwrap_or(at));
        at = at.max(now.mono.after(1));
        match worker.watched {
            Some(set) if set <= at => return,
            Some(set) => self.timers.clear(set, Timer::Worker(id)),
            None => {}
        }
        worker.watched = Some(at);
        self.timers.set(at, Timer::Worker(id));
    }

    /// The worker's timer came.
    pub(super) fn look_at(&mut self, now: Now, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.watched = None;
        if worker.session.is_none() && !worker.recorded {
            return;
        }
        let silent_ms = worker.heard.map_or(0, |heard| now.mono.since(heard));
        if silent_ms >= self.config.lease_ms {
            return self.lose(now, id, silent_ms);
        }
        if worker.registered().is_some() && silent_ms >= worker.suspect_after_ms() {
            worker.suspect = true;
            self.refresh_lists(id);
            self.workers_changed.insert(id);
        }
        self.stop_overruns(now, id);
        if self.config.poll_ms > 0 {
            self.poll(now, id, self.config.poll_ms);
        }
        self.watch(now, id);
    }

    /// A worker was silent for a whole lease: what it held is lost.
    fn lose(&mut self, now: Now, id: WorkerId, silent_ms: u64) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let why = format!("worker '{}' was not heard for {silent_ms} ms", worker.name);
        let session = worker.session;
        self.persist.write(worker.record(id, false, now));
        if let Some(session) = session {
            self.close(session.id, why.clone());
        }
        self.lose_leases(now, id, &why);
        self.workers_changed.insert(id);
    }

    /// The wait for workers from before the restart is over.
    pub(super) fn end_recovery(&mut self) {
        self.awaited.clear();
        for (id, job) in &mut self.jobs {
            if std::mem::take(&mut job.held) {
                self.touched.insert(*id);
            }
        }
    }

    /// Workers that did not come back in time are gone.
    pub(super) fn recovery_over(&mut self, now: Now) {
        for id in std::mem::take(&mut self.awaited) {
            if let Some(worker) = self.workers.get_mut(&id) {
                self.persist.write(worker.record(id, false, now));
            }
        }
        self.end_recovery();
    }

    /// Tells the workers that hold leases of a job to stop them.
    pub(super) fn cancel_leases(&mut self, now: Now, job: JobId, grace_ms: u64) {
        let give_up = now.mono.after(grace_ms).after(self.config.lease_ms);
        let mut attempts: BTreeMap<WorkerId, Vec<(TaskId, Lease)>> = BTreeMap::new();
        self.leases.change_all(job, |l| l.give_up = Some(give_up));
        for run in self.leases.of_job(job) {
            let of_worker = attempts.entry(run.leased.worker).or_default();
            of_worker.extend(run.tasks().map(|task| (task, run.leased.lease)));
        }
        for (worker, attempts) in attempts {
            self.send(worker, ToWorker::Cancel { attempts, grace_ms });
        }
    }

    /// The primary's own backstop behind the worker's time limits.
    pub(super) fn stop_overruns(&mut self, now: Now, worker: WorkerId) {
        let (mut unheeded, mut overdue) = (Vec::new(), Vec::new());
        for run in self.leases.of_worker(worker) {
            let leased = run.leased;
            if leased.give_up.is_some_and(|at| at <= now.mono) {
                unheeded.extend(run.tasks());
            } else if let (Some(since), None, Some(job)) = (
                leased.running_since,
                leased.give_up,
                self.jobs.get(&run.first.job),
            ) {
                let wall_ms = job.plan.nodes[usize::from(run.first.node)].limits.wall_ms;
                if now.mono.since(since) > wall_ms.saturating_add(OVERRUN_MARGIN_MS) {
                    overdue.extend(run.tasks().map(|task| (task, leased.lease)));
                }
            }
        }
        for task in unheeded {
            let why = "its worker did not end it when told to";
            self.give_up(now, task, FailureKind::HostFault, why);
        }
        let give_up = now.mono.after(self.config.lease_ms);
        for (task, _) in &overdue {
            if let Some(leased) = self.leases.alone(*task) {
                leased.give_up = Some(give_up);
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
}
