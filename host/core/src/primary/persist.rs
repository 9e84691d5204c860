//! What is on its way to the store, and what waits for it. One batch per event
//! at most; nothing is promised before the batch that holds it is durable.

use super::job::Version;
use super::marks::Marks;
use super::nodes::Known;
use super::{Effect, Primary, Refusal, Reply, RequestId};
use crate::record::{OutcomeRecord, Write};
use std::collections::VecDeque;
use wasmhost_proto::data::DataAnswer;
use wasmhost_proto::wire::ToWorker;
use wasmhost_proto::{Digest, JobId, TaskId, WorkerId};

/// What waits for durability.
#[derive(Clone, Debug)]
pub(super) enum After {
    Reply(RequestId, Result<Reply, Refusal>),
    Ack {
        worker: WorkerId,
        incarnation: u64,
        batch: u64,
    },
    /// A request to the primary's driver may be given to it.
    Offer(u64),
    /// What came of an attempt's call.
    Data(WorkerId, Box<DataAnswer>),
    /// The blob of a checkpoint can go.
    DropCheckpoint(TaskId, Digest),
}

#[derive(Clone, Debug)]
struct Pending {
    seq: u64,
    jobs: Vec<Version>,
    /// Tasks whose end is in it, as runs.
    ended: Vec<(TaskId, u32)>,
    after: Vec<After>,
}

/// The batch being filled by the current event, and those under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Persist {
    seq: u64,
    writes: Vec<Write>,
    /// Tasks whose end is among them, consecutive ones together.
    ended: Vec<(TaskId, u32)>,
    dirty: Marks,
    after: Vec<After>,
    pending: VecDeque<Pending>,
}

impl Persist {
    pub(super) fn write(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// A task's end.
    pub(super) fn end(&mut self, task: TaskId, outcome: OutcomeRecord) {
        self.writes.push(Write::Outcome(task, outcome));
        match self.ended.last_mut() {
            Some((first, count))
                if (first.job, first.node) == (task.job, task.node)
                    && first.index.checked_add(*count) == Some(task.index) =>
            {
                *count += 1;
            }
            _ => self.ended.push((task, 1)),
        }
    }

    /// The job's record is part of this event's batch.
    pub(super) fn job(&mut self, job: JobId) {
        self.dirty.insert(job);
    }

    /// Done once this event's batch and all earlier ones are durable.
    pub(super) fn after(&mut self, after: After) {
        self.after.push(after);
    }

    /// Batches on their way to the store.
    pub(super) fn under_way(&self) -> usize {
        self.pending.len()
    }

    /// Whether the task's recorded end is still on its way to the store.
    pub(super) fn is_ending(&self, task: TaskId) -> bool {
        let is = |(first, count): &(TaskId, u32)| {
            (first.job, first.node) == (task.job, task.node)
                && task.index.wrapping_sub(first.index) < *count
        };
        self.ended.iter().any(is) || self.pending.iter().any(|p| p.ended.iter().any(is))
    }
}

impl Primary {
    /// Closes this event's batch.
    pub(super) fn flush(&mut self) {
        let mut writes = std::mem::take(&mut self.persist.writes);
        let after = std::mem::take(&mut self.persist.after);
        let dirty = self.persist.dirty.take();
        let mut jobs = Vec::with_capacity(dirty.len());
        for id in dirty {
            if let Some(job) = self.jobs.get_mut(&id) {
                jobs.push(job.version());
            }
        }
        if writes.is_empty() && jobs.is_empty() {
            match self.persist.pending.back_mut() {
                Some(last) => last.after.extend(after),
                None => after.into_iter().for_each(|a| self.promise(a)),
            }
            return;
        }
        let ended = std::mem::take(&mut self.persist.ended);
        writes.extend(jobs.iter().map(|job| Write::Job(job.record.clone())));
        self.persist.seq += 1;
        let seq = self.persist.seq;
        self.persist.pending.push_back(Pending {
            seq,
            jobs,
            ended,
            after,
        });
        self.effects.push_back(Effect::Persist { seq, writes });
    }

    /// Everything up to `seq` is durable.
    pub(super) fn persisted(&mut self, seq: u64) {
        while self.persist.pending.front().is_some_and(|p| p.seq <= seq) {
            let Some(batch) = self.persist.pending.pop_front() else {
                return;
            };
            batch.after.into_iter().for_each(|a| self.promise(a));
            if self.driven > 0 {
                let ended = batch.ended.iter();
                ended.for_each(|(first, count)| self.tell_drivers(*first, *count));
            }
            batch.jobs.into_iter().for_each(|job| self.stored(job));
        }
    }

    /// A version of a job is durable.
    fn stored(&mut self, version: Version) {
        let Version { record, changed } = version;
        let id = record.id;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let (mut over, mut decided) = (Vec::new(), Vec::new());
        for (index, counts, known) in changed {
            let node = &mut job.nodes[usize::from(index)];
            if known && node.known == Known::Decided {
                decided.push(index);
            }
            if node.note_durable(counts, known) {
                // Nobody asks for them any more.
                (node.input, node.items) = (None, None);
                over.push(index);
            }
        }
        let new = job.durable.replace(record.clone()).is_none();
        self.jobs_changed.insert(id);
        if record.state.is_final() {
            self.evict(id);
        } else if new {
            self.advance(id);
        } else {
            self.advance_after(id, &over, decided);
        }
    }

    fn promise(&mut self, after: After) {
        match after {
            After::Reply(request, reply) => {
                self.effects.push_back(Effect::Reply { request, reply })
            }
            After::Offer(number) => self.offered(number),
            After::Ack {
                worker,
                incarnation,
                batch,
            } => {
                let current = self.workers.get(&worker);
                if current.is_some_and(|w| w.incarnation == Some(incarnation)) {
                    self.send(worker, ToWorker::Ack { batch });
                }
            }
            // It asks again in another session.
            After::Data(worker, answer) => self.send(worker, ToWorker::Data(answer)),
            After::DropCheckpoint(task, blob) => {
                let drop = Effect::DropCheckpoint(task, blob);
                self.effects.push_back(drop);
            }
        }
    }
}
