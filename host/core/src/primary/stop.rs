//! Ends jobs before their time: cancelled, expired, failed.

use super::persist::After;
use super::timers::Timer;
use super::{Primary, Refusal, Reply, RequestId};
use crate::clock::Now;
use crate::record::JobFailureRecord;
use wasmhost_proto::api::JobState;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::{JobId, NodeIndex, TaskId};

impl Primary {
    pub(super) fn cancel(&mut self, now: Now, request: RequestId, id: JobId, grace: Option<u64>) {
        let Some(job) = self
            .jobs
            .get_mut(&id)
            .filter(|job| !job.record.state.is_final())
        else {
            return self.reply(request, Err(Refusal::NoSuchJob(id)));
        };
        // A job that is stopping because it failed stays a failed job.
        if job.record.state != JobState::Stopping {
            job.record_mut().cancelled = true;
        }
        self.stop(now, id, grace);
        let reply = Ok(Reply::Job { id, created: false });
        self.persist.after(After::Reply(request, reply));
    }

    pub(super) fn expire(&mut self, now: Now, id: JobId, limit: Timer) {
        let Some(job) = self.jobs.get(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        let message = match limit {
            Timer::QueueLimit(_) if job.record.started.is_some() => return,
            Timer::QueueLimit(_) => format!(
                "no task of it was started within {} ms of its submission",
                job.plan.queue_ms.unwrap_or_default()
            ),
            _ => format!(
                "it had not ended {} ms after its submission",
                job.plan.total_ms.unwrap_or_default()
            ),
        };
        self.fail(now, id, None, Failure::new(FailureKind::Expired, message));
    }

    /// Fails a whole job.
    pub(super) fn fail(&mut self, now: Now, id: JobId, task: Option<TaskId>, failure: Failure) {
        if let Some(job) = self.jobs.get_mut(&id) {
            let failure = JobFailureRecord { task, failure };
            job.record_mut().failure.get_or_insert(failure);
            self.stop(now, id, None);
        }
    }

    /// Ends a job before its time: what waits is dropped, what is leased is cancelled.
    pub(super) fn stop(&mut self, now: Now, id: JobId, grace: Option<u64>) {
        let grace_ms = grace.unwrap_or(self.config.cancel_grace_ms);
        let Some(job) = self
            .jobs
            .get_mut(&id)
            .filter(|job| !job.record.state.is_final())
        else {
            return;
        };
        job.record_mut().state = JobState::Stopping;
        for index in 0..job.nodes.len() as NodeIndex {
            let node = &mut job.nodes[usize::from(index)];
            let dropped = node.unleased();
            for (task, backoff) in std::mem::take(&mut node.backing_off) {
                let task = TaskId {
                    job: id,
                    node: index,
                    index: task,
                };
                self.timers.clear(backoff.due, Timer::Retry(task));
            }
            node.waiting = Default::default();
            job.note_ready(index);
            // One record each would be millions: the counts say it.
            job.count(index, |c| c.cancelled += dropped);
            self.open_tasks -= dropped;
        }
        self.touched.insert(id);
        self.persist.job(id);
        self.cancel_leases(now, id, grace_ms);
    }
}
