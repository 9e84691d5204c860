//! One live job: its records, its nodes, and what of it could be handed out.

use super::nodes::{Known, Node, ended, is_over};
use super::queue::GroupId;
use super::spawned::Spawns;
use crate::clock::Mono;
use crate::record::{JobRecord, RecoveredJob, StoredResult};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::{NodeIndex, Timestamp, WorkerId};

/// What the store is to hold of a job.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) record: Arc<JobRecord>,
    /// The nodes whose counts change with it, and whether it is decided what there is to
    /// do in them.
    pub(super) changed: Vec<(NodeIndex, Counts, bool)>,
}

#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) plan: Arc<JobPlan>,
    /// The truth of this instant; part of it may be on its way to the store.
    pub(super) record: Arc<JobRecord>,
    /// What the store holds; none until the job is durable.
    pub(super) durable: Option<Arc<JobRecord>>,
    pub(super) nodes: Vec<Node>,
    /// The nodes that wait for each, once for each time that they name it.
    pub(super) successors: BTreeMap<NodeIndex, Vec<NodeIndex>>,
    /// Nodes that could hand out tasks, those of high priority first, and how many in all.
    open: BTreeSet<(Reverse<i32>, NodeIndex)>,
    open_tasks: u64,
    /// Nodes of which it is not known yet what there is to do.
    pub(super) undecided: usize,
    /// Nodes whose tasks are started by drivers, and what these have started.
    pub(super) driven: Vec<NodeIndex>,
    pub(super) spawns: Spawns,
    /// Whom it shares a bound of tasks on workers with.
    pub(super) group: Option<GroupId>,
    /// Nodes whose counts have changed since the record was last written.
    changed: Vec<NodeIndex>,
    pub(super) leased: u32,
    /// Waits for workers that may still run its tasks from before a restart.
    pub(super) held: bool,
    /// Workers that were told of it in their session.
    pub(super) told: BTreeSet<WorkerId>,
    pub(super) queue_due: Option<Mono>,
    pub(super) total_due: Option<Mono>,
}

impl Job {
    pub(super) fn new(plan: Arc<JobPlan>, record: JobRecord) -> Box<Job> {
        let nodes = plan.nodes.iter().map(|n| Node::new(n, record.retries));
        let nodes: Vec<Node> = nodes.collect();
        let mut successors: BTreeMap<NodeIndex, Vec<NodeIndex>> = BTreeMap::new();
        for (n, node) in plan.nodes.iter().enumerate() {
            for before in &node.after {
                let after = successors.entry(*before).or_default();
                after.push(n as NodeIndex);
            }
        }
        let mut job = Box::new(Job {
            plan,
            record: Arc::new(record),
            durable: None,
            nodes,
            successors,
            open: BTreeSet::new(),
            open_tasks: 0,
            undecided: 0,
            driven: Vec::new(),
            spawns: Spawns::default(),
            group: None,
            changed: Vec::new(),
            leased: 0,
            held: false,
            told: BTreeSet::new(),
            queue_due: None,
            total_due: None,
        });
        job.driven = job.started_by_drivers();
        job.recount();
        job
    }

    /// The job as its records tell it, nothing of it leased.
    pub(super) fn recover(recovered: RecoveredJob) -> Box<Job> {
        let mut job = Job::new(Arc::new(recovered.plan), recovered.record);
        for (node, blob) in &job.record.gathered {
            if let Some(node) = job.nodes.get_mut(usize::from(*node)) {
                node.input = Some(StoredResult::Blob(blob.clone()));
                node.known = Known::Durable;
            }
        }
        for (node, record) in recovered.prepared {
            if let Some(node) = job.nodes.get_mut(usize::from(node)) {
                node.recover_prepared(record);
            }
        }
        for (node, items) in recovered.items {
            if let Some(node) = job.nodes.get_mut(usize::from(node)) {
                node.items = Some(items);
            }
        }
        for (node, record) in recovered.spawned {
            job.recover_spawned(node, record);
        }
        for (node, index, failed) in recovered.failed_attempts {
            if let Some(node) = job.nodes.get_mut(usize::from(node)) {
                node.failed.insert(index, failed);
            }
        }
        for (node, index, end) in recovered.ended {
            if let Some(node) = job.nodes.get_mut(usize::from(node)) {
                node.recover_end(index, end);
            }
        }
        job.recount();
        job
    }

    fn recount(&mut self) {
        let nodes = self.nodes.iter().map(|node| &node.counts);
        let counts = nodes.fold(Counts::default(), |sum, n| Counts {
            total: sum.total + n.total,
            succeeded: sum.succeeded + n.succeeded,
            failed: sum.failed + n.failed,
            cancelled: sum.cancelled + n.cancelled,
            skipped: sum.skipped + n.skipped,
            ..sum
        });
        let undecided = self.nodes.iter().filter(|node| node.known == Known::No);
        self.undecided = undecided.count();
        let record = self.record_mut();
        record.counts = counts;
        record.node_counts = Vec::new();
    }

    /// The record, to change it: versions that are on their way to the store stay.
    pub(super) fn record_mut(&mut self) -> &mut JobRecord {
        Arc::make_mut(&mut self.record)
    }

    /// What the store is to hold of it now.
    pub(super) fn version(&mut self) -> Version {
        let changed = self.changed.drain(..).map(|index| {
            let node = &mut self.nodes[usize::from(index)];
            node.changed = false;
            (index, node.counts, node.known != Known::No)
        });
        let changed = changed.collect();
        // Until the store's record of a repeated job says that it lives, it is read as
        // that of an ended one.
        let repeated = self.durable.is_none() && self.record.retries > 0;
        if self.record.state.is_final() || repeated {
            let counts = self.nodes.iter().map(|node| node.counts).collect();
            self.record_mut().node_counts = counts;
        } else if !self.record.node_counts.is_empty() {
            self.record_mut().node_counts = Vec::new();
        }
        let record = self.record.clone();
        Version { record, changed }
    }

    pub(super) fn count(&mut self, index: NodeIndex, change: impl Fn(&mut Counts)) {
        change(&mut self.record_mut().counts);
        let node = &mut self.nodes[usize::from(index)];
        change(&mut node.counts);
        if !std::mem::replace(&mut node.changed, true) {
            self.changed.push(index);
        }
    }

    /// The node's waiting tasks or its state have changed.
    pub(super) fn note_ready(&mut self, index: NodeIndex) {
        let node = &mut self.nodes[usize::from(index)];
        let ready = node.ready();
        let before = std::mem::replace(&mut node.counted, ready);
        self.open_tasks = self.open_tasks - before + ready;
        let place = (Reverse(self.plan.nodes[usize::from(index)].priority), index);
        match ready {
            0 => self.open.remove(&place),
            _ => self.open.insert(place),
        };
    }

    /// The node whose turn it is.
    pub(super) fn next_node(&self) -> Option<NodeIndex> {
        self.open.first().map(|(_, node)| *node)
    }

    /// The nodes that could hand out tasks, in order.
    pub(super) fn open_nodes(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.open.iter().map(|(_, node)| *node)
    }

    /// Whether nothing of it is to come.
    pub(super) fn is_over(&self) -> bool {
        is_over(&self.record.counts) && (self.undecided == 0 || self.is_stopping())
    }

    /// A node whose items are neither in the plan nor at hand, though some of its tasks
    /// are still to run.
    pub(super) fn without_items(&self) -> Option<NodeIndex> {
        let lacks = |(n, node): &(usize, &Node)| {
            let has = node.items.as_ref().map(|items| items.len() as u64);
            let dynamic = self.plan.nodes[*n].array.source().is_some();
            dynamic && node.unleased() > 0 && has != Some(node.counts.total)
        };
        let mut nodes = self.nodes.iter().enumerate();
        nodes.find(lacks).map(|(n, _)| n as NodeIndex)
    }

    /// Tasks that have not ended.
    pub(super) fn unended(&self) -> u64 {
        self.record.counts.total - ended(&self.record.counts)
    }

    /// Whether what is ready is counted as it is.
    pub(super) fn counts_ready(&self) -> bool {
        let open = self.nodes.iter().filter(|node| node.ready() > 0).count();
        open == self.open.len()
            && self.nodes.iter().all(|node| node.counted == node.ready())
            && self.open_tasks == self.nodes.iter().map(Node::ready).sum::<u64>()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.record.state == JobState::Stopping || self.record.state.is_final()
    }

    /// Tasks that could be handed out now.
    pub(super) fn ready(&self) -> u64 {
        if self.held || self.is_stopping() {
            return 0;
        }
        self.open_tasks
    }

    /// A task of it has begun. Whether that was the first.
    pub(super) fn note_start(&mut self, at: Timestamp) -> bool {
        let first = self.record.started.is_none();
        if first {
            self.record_mut().started = Some(at);
        }
        if self.record.state == JobState::Queued {
            self.record_mut().state = JobState::Running;
            return true;
        }
        first
    }
}
