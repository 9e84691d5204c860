//! Lets nodes of a job's graph go: when the ends of those before them are durable, and
//! their input is put together.

use super::jobs::Job;
use super::nodes::{Node, NodeState, is_over};
use super::{Effect, Primary};
use crate::clock::Now;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::plan::NodeInput;
use wasmhost_proto::{JobId, NodeIndex, TaskId};

impl Job {
    /// Lets a node go that waits for no other. Whether its input is to be gathered.
    fn unblock(&mut self, index: NodeIndex) -> Option<NodeIndex> {
        let plan = self.plan.nodes.get(usize::from(index))?;
        let node = &mut self.nodes[usize::from(index)];
        let blocked = node.state == NodeState::Blocked;
        let mut gather = None;
        node.state = match plan.input {
            NodeInput::Gather(from) if !node.gathered => {
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
    /// Lets those nodes of a new job go that wait for nothing, while its records are on
    /// their way to the store. What becomes of them is recorded after these; should
    /// the primary fall before, nobody was promised anything.
    pub(super) fn begin(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        for index in 0..job.nodes.len() {
            let plan = &job.plan.nodes[index];
            if plan.after.is_empty() && matches!(plan.input, NodeInput::Given(_)) {
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
        let Some(durable) = &job.durable else { return };
        for (index, _) in &durable.gathered {
            if let Some(node) = job.nodes.get_mut(usize::from(*index)) {
                node.gathered = true;
            }
        }
        for (n, plan) in job.plan.nodes.iter().enumerate() {
            let open = |before: &&NodeIndex| {
                let before = job.nodes.get(usize::from(**before));
                before.is_none_or(|before| !is_over(&before.durable))
            };
            job.nodes[n].blockers = plan.after.iter().filter(open).count() as u32;
        }
        let free = |node: &Node| node.blockers == 0 && node.state != NodeState::Ready;
        let free: Vec<NodeIndex> = (0..job.nodes.len() as NodeIndex)
            .filter(|n| free(&job.nodes[usize::from(*n)]))
            .collect();
        self.unblock(id, free);
    }

    /// The same when only the ends of the nodes that are `over` have become durable, and
    /// the inputs of those that are `gathered`.
    pub(super) fn advance_after(
        &mut self,
        id: JobId,
        over: &[NodeIndex],
        gathered: &[(NodeIndex, BlobRef)],
    ) {
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
        for (index, _) in gathered {
            let node = &mut job.nodes[usize::from(*index)];
            node.gathered = true;
            if node.blockers == 0 {
                free.push(*index);
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
                job.record_mut().gathered.push((node, blob));
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
