//! Hands waiting tasks to workers that ask, and takes unstarted ones back for
//! workers that idle.

use super::Primary;
use super::nodes::Node;
use super::workers::{TakeBack, Worker};
use crate::record::StoredResult;
use std::collections::BTreeSet;
use wasmhost_proto::input::{Array, Input, Item};
use wasmhost_proto::limits::{ASSIGN_BYTES, FAIR_RUN, MAX_LEASES_PER_WORKER, MAX_NEWS};
use wasmhost_proto::plan::{JobPlan, NodeInput};
use wasmhost_proto::wire::{AssignRun, NodeSpec, RunItems, ToWorker};
use wasmhost_proto::{JobId, Lease, NodeIndex, TaskId, WorkerId};

impl Worker {
    /// Its leases have changed: it may have something to give back again.
    pub(super) fn take_back_again(&mut self) {
        if self.take_back == TakeBack::Empty {
            self.take_back = TakeBack::Idle;
        }
    }

    fn room(&self) -> u32 {
        let room = MAX_LEASES_PER_WORKER.saturating_sub(self.leased);
        self.request.want.min(room)
    }
}

impl Primary {
    /// Free slots are served first, in proportion when there is not enough for
    /// all; then queues are filled, no worker's with more than its share.
    pub(super) fn dispatch(&mut self) {
        // No more workers are looked at than there are tasks, if any will do.
        let any = self.lists.picky.is_empty();
        let some = |list: &BTreeSet<WorkerId>, ready: u64| -> Vec<WorkerId> {
            let most = usize::try_from(ready).unwrap_or(usize::MAX);
            let most = if any { most } else { usize::MAX };
            list.iter().take(most).copied().collect()
        };
        if self.queue.ready() > 0 {
            let free = some(&self.lists.free, self.queue.ready());
            self.share(&free, |w| w.request.free_slots.min(w.room()), u64::MAX);
        }
        if self.queue.ready() > 0 {
            let fair = self.queue.ready();
            let fair = fair.div_ceil(self.lists.takers.len().max(1) as u64);
            let hungry = some(&self.lists.hungry, self.queue.ready());
            self.share(&hungry, Worker::room, fair);
        }
        // Whatever else has changed their leases says so here.
        let changed: Vec<WorkerId> = self.workers_changed.iter().copied().collect();
        changed.into_iter().for_each(|id| self.refresh_lists(id));
        if self.queue.ready() == 0 && !self.lists.laden.is_empty() {
            self.rebalance();
        }
    }

    fn share(&mut self, workers: &[WorkerId], need: impl Fn(&Worker) -> u32, most: u64) {
        let needs = |p: &Primary, id| p.workers.get(id).map_or(0, |w| u64::from(need(w)));
        let total: u64 = workers.iter().map(|id| needs(self, id)).sum();
        let ready = self.queue.ready();
        for id in workers {
            let need = needs(self, id);
            let share = match ready >= total {
                true => need,
                false => (ready * need).div_ceil(total.max(1)),
            };
            self.give(*id, share.min(most));
        }
    }

    /// Leases up to `count` tasks to a worker.
    fn give(&mut self, worker: WorkerId, count: u64) {
        let mut left = count.min(u64::from(MAX_LEASES_PER_WORKER)) as u32;
        let (mut runs, mut bytes, mut news) = (Vec::new(), 0, 0);
        let picky = self.lists.picky.contains(&worker);
        while left > 0 && news < MAX_NEWS {
            let head = match picky {
                false => self.queue.head().map(|(job, more)| (job, None, more)),
                true => self.head_for(worker).map(|(job, at)| (job, Some(at), true)),
            };
            let Some((job, at, contended)) = head else {
                break;
            };
            let most = if contended { left.min(FAIR_RUN) } else { left };
            let Some((run, run_bytes)) = self.take_run(worker, job, at, most) else {
                break;
            };
            let given = run.count();
            left -= given;
            self.queue.charge(job, u64::from(given));
            news += usize::from(self.prepare(worker, run.job, run.node));
            runs.push(run);
            bytes += run_bytes;
            if bytes > ASSIGN_BYTES {
                self.send(worker, ToWorker::Assign(std::mem::take(&mut runs)));
                bytes = 0;
            }
        }
        if !runs.is_empty() {
            self.send(worker, ToWorker::Assign(runs));
        }
        self.refresh_lists(worker);
    }

    /// Leases the job's next consecutive tasks, or those of a node of it. With the run's
    /// size on the wire, roughly.
    fn take_run(
        &mut self,
        worker: WorkerId,
        id: JobId,
        at: Option<NodeIndex>,
        most: u32,
    ) -> Option<(AssignRun, usize)> {
        let job = self.jobs.get_mut(&id)?;
        let at = usize::from(at.or_else(|| job.next_node())?);
        let node = &mut job.nodes[at];
        let room = node.room().min(self.queue.room(job.group));
        let most = u64::from(most).min(room) as u32;
        let named = node.items.clone();
        let array = &job.plan.nodes[at].array;
        let named = named.as_deref().or(match array {
            Array::Items(items) => Some(items),
            Array::Spawned(_) => Some(job.spawns.items(at as NodeIndex)),
            _ => None,
        });
        let (most, bytes) = fitting(named, node.waiting.first()?, most);
        let (indexes, attempt) = node.take_run(most)?;
        let items = run_items(array, named, &indexes);
        job.note_ready(at as NodeIndex);
        let lease = Lease {
            term: self.term,
            attempt,
        };
        let node = at as NodeIndex;
        let first = indexes.start;
        let taken = indexes.len() as u32;
        let task = TaskId {
            job: id,
            node,
            index: first,
        };
        self.lease(task, taken, worker, lease);
        let job = self.jobs.get(&id)?;
        let (priority, ready) = (job.record.priority, job.ready());
        self.queue.update(id, priority, ready, job.group);
        if let Some(w) = self.workers.get_mut(&worker) {
            w.request.want = w.request.want.saturating_sub(taken);
            w.request.free_slots = w.request.free_slots.saturating_sub(taken);
            w.take_back_again();
        }
        self.workers_changed.insert(worker);
        self.jobs_changed.insert(id);
        let run = AssignRun {
            job: id,
            node,
            lease,
            first,
            items,
        };
        Some((run, bytes + 64))
    }

    /// Tells a worker of a node, once per session. Whether this was the time.
    fn prepare(&mut self, worker: WorkerId, id: JobId, node: NodeIndex) -> bool {
        let (Some(w), Some(job)) = (self.workers.get_mut(&worker), self.jobs.get_mut(&id)) else {
            return false;
        };
        if !w.prepared.insert((id, node)) {
            return false;
        }
        job.told.insert(worker);
        let spec = node_spec(id, node, &job.plan, &job.nodes[usize::from(node)]);
        self.send(worker, ToWorker::Prepare(Box::new(spec)));
        true
    }

    /// Asks the worker with most that it cannot start for half of it, when another idles.
    fn rebalance(&mut self) {
        let idle = |id: &&WorkerId| {
            let worker = self.workers.get(id);
            worker.is_some_and(|w| w.excess() == 0)
        };
        let mut idle = self.lists.free.iter().filter(idle).copied();
        let picky = |id: &WorkerId| self.lists.picky.contains(id);
        // One that takes everything, if there is one.
        let Some(first) = idle.next() else {
            return;
        };
        let idle = match picky(&first) {
            true => idle.find(|id| !picky(id)).unwrap_or(first),
            false => first,
        };
        let under_way = |w: &Worker| w.take_back == TakeBack::Asked;
        if self.workers.values().any(under_way) {
            return;
        }
        let willing = |w: &Worker| w.registered().is_some() && w.take_back == TakeBack::Idle;
        let laden = self.lists.laden.iter().filter(|id| **id != idle);
        let full = laden.filter_map(|id| Some((id, self.workers.get(id)?)));
        let full = full.filter(|(_, w)| willing(w));
        let Some((id, excess)) = full.map(|(id, w)| (*id, w.excess())).max_by_key(|f| f.1) else {
            return;
        };
        if excess > 0 && self.could_take(idle, id) {
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.take_back = TakeBack::Asked;
            }
            let max = excess.div_ceil(2);
            self.send(id, ToWorker::TakeBack { max });
        }
    }
}

/// How many of `most` indexes from the start of a run fit into one message, and their size.
fn fitting(items: Option<&[Item]>, run: std::ops::Range<u32>, most: u32) -> (u32, usize) {
    let Some(items) = items else {
        return (most, 0);
    };
    let (mut count, mut bytes) = (0, 0);
    for index in run.take(most as usize) {
        let size = match items.get(index as usize) {
            Some(Item::Json(text)) => text.len() + 16,
            Some(Item::File { path, .. }) => path.len() + 80,
            Some(Item::Bytes(bytes)) => bytes.len() + 16,
            None => 0,
        };
        if count > 0 && bytes + size > ASSIGN_BYTES {
            break;
        }
        (count, bytes) = (count + 1, bytes + size);
    }
    (count, bytes)
}

fn run_items(array: &Array, items: Option<&[Item]>, indexes: &std::ops::Range<u32>) -> RunItems {
    match array {
        Array::Single => RunItems::Single,
        Array::Range { start, step, .. } => RunItems::Range {
            start: *start,
            step: *step,
            count: indexes.len() as u32,
        },
        // Nothing of an array waits before its items are known.
        Array::Items(_) | Array::Results(_) | Array::Elements(_) | Array::Spawned(_) => {
            let some = items.unwrap_or_default();
            let some = some.get(indexes.start as usize..indexes.end as usize);
            RunItems::Items(some.unwrap_or_default().iter().cloned().collect())
        }
    }
}

fn node_spec(job: JobId, node: NodeIndex, plan: &JobPlan, live: &Node) -> NodeSpec {
    let of = &plan.nodes[usize::from(node)];
    let input = match (&of.input, &live.input) {
        (NodeInput::Given(input), _) => input.clone(),
        (_, Some(StoredResult::Blob(blob))) => Input::Blob(blob.clone()),
        (_, Some(StoredResult::Inline(bytes))) => Input::Bytes(bytes.clone()),
        // There was no result to take.
        (_, None) => Input::Bytes(Vec::new()),
    };
    NodeSpec {
        job,
        node,
        name: of.name.clone(),
        count: live.counts.total as u32,
        module: of.module,
        module_len: of.module_len,
        kind: of.kind,
        input,
        args: of.args.clone(),
        env: of.env.clone(),
        limits: of.limits,
        script: of.script.clone(),
        config: of.config.clone(),
        driver: of.driver,
        grants: of.grants.clone(),
        files: of.files.clone(),
        secrets: None,
    }
}
