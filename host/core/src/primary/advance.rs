//! Lets nodes of a job's graph go: when the ends of those before them are durable, and
//! their input is put together.

use super::jobs::Job;
use super::nodes::{Node, NodeState, ended};
use super::{Effect, Primary};
use crate::clock::Now;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::plan::NodeInput;
use wasmhost_proto::{JobId, NodeIndex, TaskId};

impl Job {
    /// Lets a node go that waits for no other. Whether its input is to be gathered.
    fn unblock(&mut self, index: NodeIndex) -> Option<NodeIndex> {
        let (Some(durable), Some(plan)) = (&self.durable, self.plan.nodes.get(usize::from(index)))
        else {
            return None;
        };
        let node = &mut self.nodes[usize::from(index)];
        let blocked = node.state == NodeState::Blocked;
        let mut gather = None;
        node.state = match plan.input {
            NodeInput::Gather(from) if durable.gathered.iter().all(|(n, _)| *n != index) => {
                gather = blocked.then_some(from);
                NodeState::Gathering
            }
            _ => NodeState::Ready,
        };
        self.note_ready(index);
        gather
    }
}

impl Primary {
    /// Lets nodes go whose predecessors' ends are durable, looking at all of them.
    pub(super) fn advance(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        self.touched.insert(id);
        let Some(durable) = &job.durable else { return };
        let open = |node: &&NodeIndex| {
            let counts = durable.node_counts.get(usize::from(**node));
            counts.is_none_or(|c| ended(c) < c.total)
        };
        for (node, plan) in job.nodes.iter_mut().zip(&job.plan.nodes) {
            node.blockers = plan.after.iter().filter(open).count() as u32;
        }
        let free = |node: &Node| node.blockers == 0 && node.state != NodeState::Ready;
        let free: Vec<NodeIndex> = (0..job.nodes.len() as NodeIndex)
            .filter(|n| free(&job.nodes[usize::from(*n)]))
            .collect();
        self.unblock(id, free);
    }

    /// The same when only these nodes' ends have become durable.
    pub(super) fn advance_after(&mut self, id: JobId, over: &[NodeIndex]) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        self.touched.insert(id);
        let mut free = Vec::new();
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

    fn unblock(&mut self, id: JobId, nodes: Vec<NodeIndex>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        for node in nodes {
            if let Some(from) = job.unblock(node) {
                let job = id;
                self.effects.push_back(Effect::Gather { job, node, from });
            }
        }
    }

    pub(super) fn gathered(
        &mut self,
        now: Now,
        id: JobId,
        node: NodeIndex,
        result: Result<BlobRef, String>,
    ) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| !job.is_stopping()) else {
            return;
        };
        let known = job.record.gathered.iter().any(|(n, _)| *n == node);
        if known || usize::from(node) >= job.nodes.len() {
            return;
        }
        match result {
            Ok(blob) => {
                job.record.gathered.push((node, blob));
                self.persist.job(id);
            }
            Err(why) => {
                let message = format!("its input could not be put together: {why}");
                let task = TaskId {
                    job: id,
                    node,
                    index: 0,
                };
                self.fail(
                    now,
                    id,
                    Some(task),
                    Failure::new(FailureKind::BadInput, message),
                );
            }
        }
    }
}
