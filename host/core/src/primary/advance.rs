//! Lets nodes of a job's graph go: when the ends of those before them are durable, and
//! it is known, durably too, whether they run, over which items, with what input.

use super::job::Job;
use super::nodes::{Known, NodeState};
use super::{Effect, Primary};
use crate::clock::Now;
use crate::prepared::{Preparation, Prepared, is_dynamic, is_needed};
use crate::record::Write;
use std::sync::Arc;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::{JobId, NodeIndex, TaskId};

impl Job {
    /// Whether a node does not run because nothing that it comes after has run.
    fn is_passed_over(&self, index: NodeIndex) -> bool {
        let plan = &self.plan.nodes[usize::from(index)];
        let skipped = |before: &NodeIndex| {
            let before = self.nodes.get(usize::from(*before));
            before.is_some_and(|before| before.durable.skipped > 0)
        };
        plan.when.is_none() && !plan.after.is_empty() && plan.after.iter().all(skipped)
    }

    fn preparation(&self, id: JobId, index: NodeIndex) -> Preparation {
        let after = &self.plan.nodes[usize::from(index)].after;
        let counts = |before: &NodeIndex| {
            let node = self.nodes.get(usize::from(*before))?;
            Some((*before, node.durable))
        };
        Preparation {
            job: id,
            node: index,
            round: self.record.retries,
            plan: Arc::clone(&self.plan),
            before: after.iter().filter_map(counts).collect(),
        }
    }
}

impl Primary {
    /// Lets those nodes of a new job go that wait for nothing, while its records are on
    /// their way to the store. What becomes of them is recorded after these; should
    /// the primary fall before, nobody was promised anything.
    pub(super) fn begin(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        for index in 0..job.nodes.len() {
            let plan = &job.plan.nodes[index];
            if plan.after.is_empty() && !is_needed(plan) {
                job.nodes[index].state = NodeState::Ready;
                job.note_ready(index as NodeIndex);
            }
        }
    }

    /// Lets nodes go whose predecessors' ends are durable, looking at all of them.
    pub(super) fn advance(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        self.touched.insert(id);
        for (n, plan) in job.plan.nodes.iter().enumerate() {
            let open = |before: &&NodeIndex| {
                let before = job.nodes.get(usize::from(**before));
                before.is_none_or(|before| !before.is_over())
            };
            job.nodes[n].blockers = plan.after.iter().filter(open).count() as u32;
        }
        let free = |n: &NodeIndex| {
            let node = &job.nodes[usize::from(*n)];
            node.blockers == 0 && node.state == NodeState::Blocked
        };
        let free: Vec<NodeIndex> = (0..job.nodes.len() as NodeIndex).filter(free).collect();
        self.unblock(id, free);
    }

    /// The same when only the ends of the nodes that are `over` have become durable, and
    /// what there is to do in those that are `decided`.
    pub(super) fn advance_after(&mut self, id: JobId, over: &[NodeIndex], decided: Vec<NodeIndex>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        self.touched.insert(id);
        let mut free = decided;
        for after in over.iter().filter_map(|node| job.successors.get(node)) {
            for index in after {
                let node = &mut job.nodes[usize::from(*index)];
                node.blockers = node.blockers.saturating_sub(1);
                if node.blockers == 0 && node.state == NodeState::Blocked {
                    free.push(*index);
                }
            }
        }
        self.unblock(id, free);
    }

    /// These wait for no other node.
    fn unblock(&mut self, id: JobId, nodes: Vec<NodeIndex>) {
        for index in nodes {
            let Some(job) = self.jobs.get_mut(&id) else {
                return;
            };
            let node = &job.nodes[usize::from(index)];
            if node.counts.skipped > 0 {
                continue;
            }
            let fresh = node.state == NodeState::Blocked;
            let state = match node.may_begin() && !(fresh && job.is_passed_over(index)) {
                true => NodeState::Ready,
                false => NodeState::Preparing,
            };
            job.nodes[usize::from(index)].state = state;
            job.note_ready(index);
            if state == NodeState::Ready || !fresh {
                continue;
            }
            if job.is_passed_over(index) {
                self.decide(id, index, Prepared::Skipped);
            } else {
                let preparation = Box::new(job.preparation(id, index));
                self.effects.push_back(Effect::Prepare(preparation));
            }
        }
    }

    /// A node was prepared, or could not be.
    pub(super) fn prepared(
        &mut self,
        now: Now,
        id: JobId,
        index: NodeIndex,
        round: u32,
        result: Result<Prepared, String>,
    ) {
        let job = self.jobs.get(&id);
        let Some(job) = job.filter(|job| !job.is_stopping() && job.record.retries == round) else {
            return;
        };
        let node = job.nodes.get(usize::from(index));
        let asked = |n: &&super::nodes::Node| n.state == NodeState::Preparing;
        if node.filter(asked).is_none_or(|n| n.known != Known::No) {
            return;
        }
        let why = match result {
            Ok(prepared) => return self.decide(id, index, prepared),
            Err(why) => why,
        };
        let failure = Failure::new(FailureKind::BadInput, why);
        let task = TaskId {
            job: id,
            node: index,
            index: 0,
        };
        self.fail(now, id, Some(task), failure);
    }

    /// It is known what there is to do in a node, and will be recorded.
    fn decide(&mut self, id: JobId, index: NodeIndex, prepared: Prepared) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let dynamic = is_dynamic(&job.plan.nodes[usize::from(index)].array);
        let node = &mut job.nodes[usize::from(index)];
        if node.known == Known::No {
            node.known = Known::Decided;
            job.undecided -= 1;
        }
        self.persist
            .write(Write::Prepared(id, index, prepared.record()));
        match prepared {
            Prepared::Skipped => {
                let dropped = node.skip();
                self.open_tasks -= dropped;
                job.count(index, |c| {
                    c.total = c.total - dropped + dropped.max(1);
                    c.skipped += dropped.max(1);
                });
            }
            Prepared::Run { input, items } => {
                node.input = input;
                let items = items.filter(|_| dynamic);
                let count = items.as_ref().map_or(0, |items| items.len() as u32);
                if dynamic {
                    node.wait_for(count);
                }
                node.items = items;
                self.open_tasks += u64::from(count);
                job.count(index, |c| c.total += u64::from(count));
            }
        }
        self.persist.job(id);
        self.touched.insert(id);
    }
}
