//! One node of a live job: which of its tasks wait, and what has failed before.
//!
//! A task is in exactly one place: waiting, backing off, leased, or ended. Ended
//! tasks leave no trace here: they are the ones in no other place.

use super::ranges::Ranges;
use crate::clock::Mono;
use crate::prepared::{self, PreparedRecord};
use crate::record::{FailedAttempts, RecordedEnd, StoredResult};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasmhost_proto::api::Counts;
use wasmhost_proto::input::{Array, Item};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::NodePlan;

/// What keeps a node from handing out tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NodeState {
    /// Nodes before it have not ended, or their end is not durable yet.
    Blocked,
    /// It is being prepared, or was found to be skipped.
    Preparing,
    /// Nothing.
    Ready,
}

/// Whether it is known what there is to do: whether it runs, over which items, with
/// what input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Known {
    /// No.
    No,
    /// Yes, and that is on its way to the store.
    Decided,
    /// Yes, durably, or from the plan.
    Durable,
}

/// A failed task on its way to the next attempt.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Backoff {
    pub(super) due: Mono,
    /// Which retry this is, and of how many.
    pub(super) retry: (u32, u32),
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    /// How often the job was told to run again.
    retries: u32,
    /// Where its tasks are: the truth of this instant.
    pub(super) counts: Counts,
    /// What of it the store holds.
    pub(super) durable: Counts,
    /// The counts have changed since the job's record was last written.
    pub(super) changed: bool,
    pub(super) known: Known,
    /// Its tasks are started one by one, by another task.
    pub(super) spawned: bool,
    /// Its tasks that are on workers and were given up.
    pub(super) given_up: BTreeSet<u32>,
    /// Its input, unless the plan has it.
    pub(super) input: Option<StoredResult>,
    /// Its items, unless the plan has them.
    pub(super) items: Option<Arc<[Item]>>,
    /// How many of its tasks may be on workers at once.
    pub(super) limit: Option<u32>,
    pub(super) state: NodeState,
    /// Nodes before it whose end is not durable.
    pub(super) blockers: u32,
    /// What its job counts as ready of it.
    pub(super) counted: u64,
    pub(super) waiting: Ranges,
    pub(super) backing_off: BTreeMap<u32, Backoff>,
    /// Failed attempts of tasks that have not ended.
    pub(super) failed: BTreeMap<u32, FailedAttempts>,
    pub(super) leased: u32,
    pub(super) running: u32,
}

impl Node {
    pub(super) fn new(plan: &NodePlan, retries: u32) -> Node {
        let count = plan.array.count();
        let spawned = matches!(plan.array, Array::Spawned(_));
        let counts = Counts {
            total: u64::from(count),
            ..Counts::default()
        };
        Node {
            retries,
            counts,
            durable: counts,
            changed: false,
            known: match prepared::is_needed(plan) || spawned {
                true => Known::No,
                false => Known::Durable,
            },
            spawned,
            input: None,
            items: None,
            limit: plan.concurrency,
            state: NodeState::Blocked,
            blockers: 0,
            counted: 0,
            waiting: Ranges::below(count),
            backing_off: BTreeMap::new(),
            given_up: BTreeSet::new(),
            failed: BTreeMap::new(),
            leased: 0,
            running: 0,
        }
    }

    /// Whether what there is of it may be handed out.
    pub(super) fn may_begin(&self) -> bool {
        self.known == Known::Durable || self.spawned
    }

    /// Tasks that could be handed out now.
    pub(super) fn ready(&self) -> u64 {
        match self.state {
            NodeState::Ready => self.waiting.len().min(self.room()),
            NodeState::Blocked | NodeState::Preparing => 0,
        }
    }

    /// How many more of its tasks may go to workers.
    pub(super) fn room(&self) -> u64 {
        let room = |limit: u32| u64::from(limit.saturating_sub(self.leased));
        self.limit.map_or(u64::MAX, room)
    }

    /// Tasks that have not ended and are on no worker.
    pub(super) fn unleased(&self) -> u64 {
        self.waiting.len() + self.backing_off.len() as u64
    }

    /// Tasks that have not ended and do not run.
    pub(super) fn not_running(&self) -> u64 {
        self.unleased() + u64::from(self.leased - self.running)
    }

    pub(super) fn is_unleased(&self, index: u32) -> bool {
        self.waiting.contains(index) || self.backing_off.contains_key(&index)
    }

    /// The number of the task's next attempt: beyond those that failed, and beyond
    /// those that succeeded and were taken back, of which each round had one at most.
    pub(super) fn next_attempt(&self, index: u32) -> u32 {
        let failed = self.failed.get(&index).map_or(0, |f| f.last);
        failed.saturating_add(self.retries).saturating_add(1)
    }

    /// Takes up to `max` consecutive waiting tasks with one attempt number.
    pub(super) fn take_run(&mut self, max: u32) -> Option<(std::ops::Range<u32>, u32)> {
        let first = self.waiting.first()?;
        let attempt = self.next_attempt(first.start);
        let mut end = first.end.min(first.start.saturating_add(max));
        if !self.failed.is_empty() {
            let same = |index: &u32| self.next_attempt(*index) == attempt;
            end = first.start + (first.start..end).take_while(same).count() as u32;
        }
        let run = self.waiting.take_first(end - first.start)?;
        Some((run, attempt))
    }

    /// So many items were found: so many tasks wait.
    pub(super) fn wait_for(&mut self, count: u32) {
        self.waiting = Ranges::below(count);
    }

    /// It does not run. How many tasks waited.
    pub(super) fn skip(&mut self) -> u64 {
        std::mem::take(&mut self.waiting).len()
    }

    /// Applies what was found out about it before a restart.
    pub(super) fn recover_prepared(&mut self, record: PreparedRecord) {
        match record {
            PreparedRecord::Skipped => {
                self.skip();
                self.counts.total = self.counts.total.max(1);
                self.counts.skipped = self.counts.total;
            }
            PreparedRecord::Run { input, count } => {
                self.input = input;
                if let Some(count) = count {
                    self.wait_for(count);
                    self.counts.total = u64::from(count);
                }
            }
        }
        self.known = Known::Durable;
        self.durable = self.counts;
    }

    /// Applies a recorded end found at recovery.
    pub(super) fn recover_end(&mut self, index: u32, end: RecordedEnd) {
        if self.waiting.remove(index) {
            self.failed.remove(&index);
            match end {
                RecordedEnd::Succeeded => self.counts.succeeded += 1,
                RecordedEnd::Failed => self.counts.failed += 1,
                RecordedEnd::Cancelled => self.counts.cancelled += 1,
            }
            self.durable = self.counts;
        }
    }

    /// Whether all of its tasks have ended durably, or will never begin.
    pub(super) fn is_over(&self) -> bool {
        self.known == Known::Durable && is_over(&self.durable)
    }

    /// So many of its tasks have ended durably, and with them it may be `decided` what
    /// there is to do. Whether that was the last that others waited for.
    pub(super) fn note_durable(&mut self, counts: Counts, decided: bool) -> bool {
        let before = self.is_over();
        self.durable = counts;
        if decided {
            self.known = Known::Durable;
        }
        !before && self.is_over()
    }
}

/// Whether all tasks have ended.
pub(super) fn is_over(counts: &Counts) -> bool {
    ended(counts) == counts.total
}

/// Tasks that have ended, and those that were skipped.
pub(super) fn ended(counts: &Counts) -> u64 {
    counts.succeeded + counts.failed + counts.cancelled + counts.skipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_attempt_number_comes_twice() {
        let (mut used, mut last) = (Vec::new(), 0);
        // Rounds of a retried job: one attempt fails, the next one succeeds, leaves no
        // trace and is taken back; in every second round nothing is tried at all.
        for round in 0..6 {
            let mut node = Node::new(&NodePlan::default(), round);
            let failed = FailedAttempts {
                last,
                ..FailedAttempts::default()
            };
            node.failed.insert(0, failed.clone());
            if round % 2 == 1 {
                continue;
            }
            last = node.next_attempt(0);
            node.failed.insert(0, FailedAttempts { last, ..failed });
            used.extend([last, node.next_attempt(0)]);
        }
        assert!(used.is_sorted_by(|a, b| a < b), "{used:?}");
    }
}
