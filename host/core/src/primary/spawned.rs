//! Tasks that drivers start while they run: found by the driver's key, so that a driver
//! which begins anew starts none of them twice, and told of once their ends are durable.

use super::job::Job;
use super::nodes::{Known, ended};
use super::timers::Timer;
use super::{Effect, Primary, SpawnEnded};
use crate::clock::Now;
use crate::record::{OutcomeRecord, SpawnRecord, Write};
use std::collections::BTreeMap;
use wasmhost_proto::input::{Array, Item};
use wasmhost_proto::limits::{
    MAX_ITEMS, MAX_ITEMS_BYTES, MAX_SERVED, MAX_SERVED_BYTES, MAX_SPAWN_INPUT, MAX_SPAWN_KEY,
    REQUEST_KEY_PREFIX,
};
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::wire::{ChildEnd, Spawn, SpawnedEnd, ToWorker};
use wasmhost_proto::{JobId, Lease, NodeIndex, TaskId, WorkerId};

/// What drivers have started in one job.
#[derive(Clone, Debug, Default)]
pub(super) struct Spawns {
    /// By driver and key.
    tasks: BTreeMap<(NodeIndex, String), (NodeIndex, u32)>,
    nodes: BTreeMap<NodeIndex, Started>,
    bytes: usize,
}

/// The tasks of a node, by index.
#[derive(Clone, Debug, Default)]
struct Started {
    keys: Vec<String>,
    items: Vec<Item>,
}

impl Spawns {
    /// The items of a node's tasks.
    pub(super) fn items(&self, node: NodeIndex) -> &[Item] {
        self.nodes.get(&node).map_or(&[], |started| &started.items)
    }

    fn find(&self, driver: NodeIndex, key: &str) -> Option<(NodeIndex, u32)> {
        self.tasks.get(&(driver, key.to_owned())).copied()
    }

    fn key(&self, node: NodeIndex, index: u32) -> Option<&str> {
        let key = self.nodes.get(&node)?.keys.get(index as usize)?;
        Some(key)
    }

    /// Adds a task; its index.
    fn add(&mut self, driver: NodeIndex, node: NodeIndex, record: SpawnRecord) -> u32 {
        let SpawnRecord { key, item } = record;
        self.bytes += size(&key, &item);
        let started = self.nodes.entry(node).or_default();
        let index = started.items.len() as u32;
        started.items.push(item);
        started.keys.push(key.clone());
        self.tasks.insert((driver, key), (node, index));
        index
    }

    /// Whether so many are enough for one job of the primary's driver.
    pub(super) fn is_worn(&self) -> bool {
        self.tasks.len() >= MAX_SERVED || self.bytes >= MAX_SERVED_BYTES
    }

    fn is_full(&self, key: &str, input: &[u8]) -> bool {
        self.tasks.len() >= MAX_ITEMS || self.bytes + key.len() + input.len() > MAX_ITEMS_BYTES
    }
}

fn size(key: &str, item: &Item) -> usize {
    key.len()
        + match item {
            Item::Bytes(bytes) => bytes.len(),
            Item::Json(text) => text.len(),
            Item::File { path, .. } => path.len(),
        }
}

impl Job {
    /// The node whose tasks start those of this one.
    fn driver_of(&self, node: NodeIndex) -> Option<NodeIndex> {
        match self.plan.nodes.get(usize::from(node))?.array {
            Array::Spawned(driver) => Some(driver),
            _ => None,
        }
    }

    /// The nodes whose tasks are started by drivers.
    pub(super) fn started_by_drivers(&self) -> Vec<NodeIndex> {
        let nodes = self.nodes.iter().enumerate();
        let spawned = nodes.filter(|(_, node)| node.spawned);
        spawned.map(|(n, _)| n as NodeIndex).collect()
    }

    /// Takes a started task over from the store, in order of index.
    pub(super) fn recover_spawned(&mut self, node: NodeIndex, record: SpawnRecord) {
        if let Some(driver) = self.driver_of(node) {
            let index = self.spawns.add(driver, node, record);
            let node = &mut self.nodes[usize::from(node)];
            node.waiting.insert(index);
            node.counts.total += 1;
            node.durable = node.counts;
        }
    }

    /// Nodes whose driver has ended: it starts none of their tasks any more.
    fn released(&self) -> Vec<NodeIndex> {
        let over = |node: &NodeIndex| {
            let driver = self
                .driver_of(*node)
                .map(|driver| &self.nodes[usize::from(driver)]);
            self.nodes[usize::from(*node)].known == Known::No
                && driver
                    .is_some_and(|d| d.known != Known::No && ended(&d.counts) == d.counts.total)
        };
        self.driven.iter().copied().filter(over).collect()
    }
}

impl Primary {
    /// A driver starts a task, perhaps not for the first time.
    pub(super) fn spawn(&mut self, worker: WorkerId, spawn: Spawn) {
        if !self.is_current(worker, spawn.task, spawn.lease) {
            return;
        }
        let Some(job) = self.jobs.get_mut(&spawn.task.job) else {
            return;
        };
        let driver = spawn.task.node;
        if let Some((node, index)) = job.spawns.find(driver, &spawn.key) {
            let child = TaskId {
                node,
                index,
                ..spawn.task
            };
            return self.tell_again(child);
        }
        let named = job
            .plan
            .nodes
            .iter()
            .position(|node| node.name == spawn.node);
        let node = named.map(|node| node as NodeIndex);
        let node = node.filter(|node| job.driver_of(*node) == Some(driver));
        let out_of_bounds = spawn.key.len() > MAX_SPAWN_KEY || spawn.input.len() > MAX_SPAWN_INPUT;
        let of_request = job.plan.serves && spawn.key.starts_with(REQUEST_KEY_PREFIX);
        let why = match node {
            _ if job.is_stopping() => "the job is stopping".into(),
            None => format!(
                "the job has no task '{}' that says `spawned_by = \"{}\"`",
                spawn.node,
                job.plan.nodes[usize::from(driver)].name
            ),
            // Another driver has answered it meanwhile, or nobody asks any more.
            _ if of_request && !self.requests.waits(&spawn.key) => {
                format!("no request '{}' waits", spawn.key)
            }
            _ if out_of_bounds => "its key or its input is too long".into(),
            _ if job.spawns.is_full(&spawn.key, &spawn.input) => format!(
                "a job has at most {MAX_ITEMS} started tasks, with {MAX_ITEMS_BYTES} bytes of input in all"
            ),
            Some(node) => return self.add_spawned(spawn, node),
        };
        let end = SpawnedEnd {
            task: spawn.task,
            lease: spawn.lease,
            key: spawn.key,
            end: ChildEnd::Refused(why),
        };
        self.send(worker, ToWorker::Spawned(Box::new(end)));
    }

    fn add_spawned(&mut self, spawn: Spawn, node: NodeIndex) {
        let id = spawn.task.job;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let record = SpawnRecord {
            key: spawn.key,
            item: Item::Bytes(spawn.input),
        };
        let index = job.spawns.add(spawn.task.node, node, record.clone());
        job.nodes[usize::from(node)].waiting.insert(index);
        job.count(node, |c| c.total += 1);
        job.note_ready(node);
        self.open_tasks += 1;
        let task = TaskId {
            job: id,
            node,
            index,
        };
        if job.plan.serves {
            self.answered(&record.key, task);
        }
        self.persist.write(Write::Spawned(task, Box::new(record)));
        self.persist.job(id);
        self.touched.insert(id);
    }

    /// Nodes of a job whose driver has ended become like others. Part of settling it.
    pub(super) fn release_spawned(&mut self, id: JobId) {
        let driven = |job: &&mut Box<Job>| !job.driven.is_empty();
        let Some(job) = self.jobs.get_mut(&id).filter(driven) else {
            return;
        };
        for node in job.released() {
            job.nodes[usize::from(node)].known = Known::Decided;
            job.undecided -= 1;
            job.count(node, |_| {});
            self.persist.job(id);
        }
    }

    /// Consecutive tasks have ended, durably: their driver hears of it, if one runs.
    pub(super) fn tell_drivers(&mut self, first: TaskId, count: u32) {
        let job = self.jobs.get(&first.job);
        if job.is_none_or(|job| !job.driven.contains(&first.node)) {
            return;
        }
        for index in first.index..first.index.saturating_add(count) {
            self.tell(TaskId { index, ..first });
        }
    }

    /// The driver has asked for a task that it had started before.
    fn tell_again(&mut self, child: TaskId) {
        // Else it is told when the end is durable.
        if !self.is_open(child) && !self.persist.is_ending(child) {
            self.tell(child);
        }
    }

    fn tell(&mut self, child: TaskId) {
        let Some(job) = self.jobs.get(&child.job) else {
            return;
        };
        let driver = job.driver_of(child.node);
        let (Some(node), Some(key)) = (driver, job.spawns.key(child.node, child.index)) else {
            return;
        };
        let task = TaskId {
            node,
            index: 0,
            ..child
        };
        let Some(leased) = self.leases.get(task) else {
            return;
        };
        let worker = self.workers.get(&leased.worker);
        if let Some(session) = worker.and_then(|worker| worker.registered()) {
            self.effects
                .push_back(Effect::SpawnEnded(Box::new(SpawnEnded {
                    session,
                    task,
                    lease: leased.lease,
                    key: key.to_owned(),
                    child,
                })));
        }
    }

    /// A driver gives up a task that it has started. One on a worker is told to stop.
    pub(super) fn cancel_spawned(
        &mut self,
        now: Now,
        worker: WorkerId,
        driver: TaskId,
        lease: Lease,
        key: &str,
    ) {
        if !self.is_current(worker, driver, lease) {
            return;
        }
        let Some(job) = self
            .jobs
            .get_mut(&driver.job)
            .filter(|job| !job.is_stopping())
        else {
            return;
        };
        let Some((node, index)) = job.spawns.find(driver.node, key) else {
            return;
        };
        let child = TaskId {
            node,
            index,
            ..driver
        };
        let live = &mut job.nodes[usize::from(node)];
        if let Some(backoff) = live.backing_off.remove(&index) {
            self.timers.clear(backoff.due, Timer::Retry(child));
        } else if !live.waiting.remove(index) {
            return self.stop_spawned(now, child);
        }
        live.failed.remove(&index);
        job.note_ready(node);
        job.count(node, |c| c.cancelled += 1);
        let why = "given up by the task that had started it";
        let outcome = OutcomeRecord {
            lease: Lease {
                term: self.term,
                attempt: 0,
            },
            worker: None,
            started: None,
            ended: now.wall,
            failure: Some(Box::new(Failure::new(FailureKind::Cancelled, why))),
            result: None,
            usage: Usage::default(),
            published: None,
        };
        self.record_end(child, outcome);
        self.persist.job(driver.job);
        self.touched.insert(driver.job);
    }

    /// The same for one that is on a worker, if it still is.
    fn stop_spawned(&mut self, now: Now, child: TaskId) {
        let grace_ms = self.config.cancel_grace_ms;
        let give_up = now.mono.after(grace_ms).after(self.config.lease_ms);
        let Some(leased) = self.leases.alone(child) else {
            return;
        };
        leased.give_up = Some(give_up);
        let (worker, lease) = (leased.worker, leased.lease);
        if let Some(job) = self.jobs.get_mut(&child.job) {
            job.nodes[usize::from(child.node)]
                .given_up
                .insert(child.index);
        }
        let attempts = vec![(child, lease)];
        self.send(worker, ToWorker::Cancel { attempts, grace_ms });
    }
}
