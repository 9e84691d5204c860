//! Ended attempts: recorded once, tried again, or counted as late.

use super::leases::Leased;
use super::nodes::Backoff;
use super::persist::After;
use super::timers::Timer;
use super::{Effect, Primary};
use crate::clock::Now;
use crate::record::{
    AttemptRecord, JobFailureRecord, OutcomeRecord, Published, StoredResult, Write,
};
use crate::rng::backoff_ms;
use wasmhost_proto::outcome::{Failure, FailureKind, RetryClass, Usage};
use wasmhost_proto::plan::OnFailure;
use wasmhost_proto::wire::{AttemptOutcome, End, ResultData};
use wasmhost_proto::{Lease, TaskId, WorkerId};

impl Primary {
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
        let mut items = match news {
            true => items.into_iter(),
            false => Vec::new().into_iter(),
        };
        while let Some(first) = items.as_slice().first() {
            let (task, lease) = (first.task, first.lease);
            // No more of them are looked at than are leased together.
            let alike = |leased: &Leased, reach: u32| match leased.is(worker, lease) {
                true => successes(items.as_slice(), reach),
                false => 0,
            };
            if let Some((count, _)) = self.unlease_run(task, alike) {
                self.succeed(now, worker, task, items.by_ref().take(count as usize));
                continue;
            }
            let Some(item) = items.next() else { break };
            if self.is_current(worker, task, lease) {
                if let Some(w) = self.workers.get_mut(&worker) {
                    w.completed += 1;
                }
                self.conclude(now, task, outcome_record(worker, item));
            } else if lease.term == self.term || self.is_open(task) {
                self.late(task);
            }
            // Else it is most likely what an earlier primary recorded and could not
            // acknowledge any more.
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
            job.record_mut().late_outcomes += 1;
            self.persist.job(task.job);
        }
    }

    /// Consecutive tasks that are no longer leased have succeeded.
    fn succeed(
        &mut self,
        now: Now,
        worker: WorkerId,
        first: TaskId,
        items: impl ExactSizeIterator<Item = AttemptOutcome>,
    ) {
        let Some(job) = self.jobs.get_mut(&first.job) else {
            return;
        };
        let count = items.len() as u32;
        let node = &mut job.nodes[usize::from(first.node)];
        if !node.failed.is_empty() || !node.given_up.is_empty() {
            for index in first.index..=first.index + (count - 1) {
                node.failed.remove(&index);
                node.given_up.remove(&index);
            }
        }
        job.count(first.node, |c| c.succeeded += u64::from(count));
        self.open_tasks -= u64::from(count);
        let mut started = false;
        for item in items {
            started |= item.started.is_some();
            self.persist.end(item.task, outcome_record(worker, item));
        }
        if started {
            job.note_start(now.wall);
        }
        self.persist.job(first.job);
        if let Some(w) = self.workers.get_mut(&worker) {
            w.completed += u64::from(count);
        }
        if self.desk.has_calls() {
            for index in first.index..=first.index + (count - 1) {
                self.forget_calls(TaskId { index, ..first });
            }
        }
    }

    /// The current attempt of a task has failed.
    fn conclude(&mut self, now: Now, task: TaskId, mut outcome: OutcomeRecord) {
        let Some(failure) = outcome.failure.as_mut() else {
            return;
        };
        if self.unlease(task).is_none() {
            return;
        }
        let Some(job) = self.jobs.get_mut(&task.job) else {
            return;
        };
        if outcome.started.is_some() {
            job.note_start(now.wall);
        }
        self.persist.job(task.job);
        let node = &mut job.nodes[usize::from(task.node)];
        let given_up = node.given_up.remove(&task.index);
        let stopping = job.is_stopping() || given_up;
        let node = &mut job.nodes[usize::from(task.node)];
        match (stopping, failure.kind) {
            (true, FailureKind::Cancelled) => {}
            (true, _) => {
                failure.kind = FailureKind::Cancelled;
                failure.message = format!("cancelled; it ended so: {}", failure.message);
            }
            // Nobody asked for it: the worker's doing.
            (false, FailureKind::Cancelled) => failure.kind = FailureKind::HostFault,
            (false, _) => {}
        }
        let failure = (**failure).clone();
        let attempt = attempt_record(&outcome, &failure);
        self.persist.write(Write::Attempt(task, Box::new(attempt)));
        if stopping {
            node.failed.remove(&task.index);
            job.count(task.node, |c| c.cancelled += 1);
            self.record_end(task, outcome);
        } else if !self.try_again(now, task, outcome.lease, &failure) {
            self.fail_task(now, task, outcome, failure);
        }
    }

    /// Queues a failed task again, unless its retries are spent.
    fn try_again(&mut self, now: Now, task: TaskId, lease: Lease, failure: &Failure) -> bool {
        let Some(job) = self.jobs.get_mut(&task.job) else {
            return false;
        };
        let node = &mut job.nodes[usize::from(task.node)];
        let policy = &job.plan.nodes[usize::from(task.node)].retry;
        let failed = node.failed.entry(task.index).or_default();
        failed.last = failed.last.max(lease.attempt);
        let class = failure.kind.retry_class();
        let Some((nth, allowed)) = failed.charge(policy, failure.kind) else {
            return false;
        };
        if nth > allowed {
            return false;
        }
        if nth == 1 && class == RetryClass::Infrastructure {
            node.waiting.insert(task.index);
            job.note_ready(task.node);
            return true;
        }
        let wait = backoff_ms(&mut self.rng, nth, policy.backoff_ms, policy.max_backoff_ms);
        let due = now.mono.after(wait);
        let backoff = Backoff {
            due,
            retry: (nth, allowed),
            kind: failure.kind,
            message: failure.message.clone(),
        };
        node.backing_off.insert(task.index, backoff);
        self.timers.set(due, Timer::Retry(task));
        true
    }

    /// A task has failed for good.
    fn fail_task(&mut self, now: Now, task: TaskId, outcome: OutcomeRecord, failure: Failure) {
        let Some(job) = self.jobs.get_mut(&task.job) else {
            return;
        };
        let tolerated = u64::from(job.plan.nodes[usize::from(task.node)].tolerate);
        let node = &mut job.nodes[usize::from(task.node)];
        node.failed.remove(&task.index);
        let tolerated = node.counts.failed < tolerated;
        job.count(task.node, |c| c.failed += 1);
        if !tolerated {
            let task_failure = JobFailureRecord {
                task: Some(task),
                failure,
            };
            job.record_mut().failure.get_or_insert(task_failure);
        }
        let stop = !tolerated && job.plan.on_failure == OnFailure::Stop;
        self.record_end(task, outcome);
        if stop {
            self.stop(now, task.job, None);
        }
    }

    pub(super) fn record_end(&mut self, task: TaskId, outcome: OutcomeRecord) {
        self.open_tasks -= 1;
        if self.desk.has_calls() {
            self.forget_calls(task);
        }
        self.persist.end(task, outcome);
    }

    /// A failed task's wait is over.
    pub(super) fn retry_due(&mut self, task: TaskId) {
        if let Some(job) = self.jobs.get_mut(&task.job) {
            let node = &mut job.nodes[usize::from(task.node)];
            if node.backing_off.remove(&task.index).is_some() {
                node.waiting.insert(task.index);
                job.note_ready(task.node);
                self.touched.insert(task.job);
            }
        }
    }

    /// Leases whose worker may or may not run them still: their attempts failed.
    pub(super) fn lose_leases(&mut self, now: Now, worker: WorkerId, why: &str) {
        for task in self.leases_on(worker) {
            self.give_up(now, task, FailureKind::LostWorker, why);
        }
    }

    pub(super) fn give_up(&mut self, now: Now, task: TaskId, kind: FailureKind, why: &str) {
        let Some(leased) = self.leases.alone(task) else {
            return;
        };
        let report = leased.report.take();
        let outcome = OutcomeRecord {
            lease: leased.lease,
            worker: Some(leased.worker),
            started: leased.started,
            ended: now.wall,
            failure: Some(Box::new(Failure::new(kind, why))),
            result: None,
            usage: Usage::default(),
            published: report.and_then(|r| Published::boxed(r.status, r.log.text())),
        };
        self.conclude(now, task, outcome);
    }
}

/// How many outcomes from the first on, `most` at most, are successes of consecutive
/// tasks under one lease.
fn successes(items: &[AttemptOutcome], most: u32) -> u32 {
    let succeeded = |item: &AttemptOutcome| matches!(item.end, End::Success(_));
    let Some(first) = items.first().filter(|first| succeeded(first)) else {
        return 0;
    };
    let next = |(offset, item): (u32, &AttemptOutcome)| {
        let task = TaskId {
            index: item.task.index,
            ..first.task
        };
        item.task == task
            && item.task.index.checked_sub(first.task.index) == Some(offset)
            && item.lease == first.lease
            && succeeded(item)
    };
    let alike = (0..most).zip(items).take_while(|item| next(*item));
    alike.count() as u32
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
        End::Failure(failure, data) => (Some(failure), data),
    };
    OutcomeRecord {
        lease: item.lease,
        worker: Some(worker),
        started: item.started,
        ended: item.ended,
        failure,
        result: result.map(stored),
        usage: item.usage,
        published: item.report.and_then(|r| Published::boxed(r.status, r.log)),
    }
}

fn attempt_record(outcome: &OutcomeRecord, failure: &Failure) -> AttemptRecord {
    let published = outcome.published.as_deref().cloned().unwrap_or_default();
    AttemptRecord {
        lease: outcome.lease,
        worker: outcome.worker,
        started: outcome.started,
        ended: outcome.ended,
        failure: failure.clone(),
        usage: outcome.usage,
        status: published.status,
        log: published.log,
    }
}
