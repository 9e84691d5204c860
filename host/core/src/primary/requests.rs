//! What clients ask of the primary's driver. A request waits, durably, until a task is
//! started under its key, by whichever driver comes to it; that and its end are written
//! together, so that no request is answered twice. Runs nothing itself.

use super::persist::After;
use super::{Ask, Primary, Refusal, Reply, RequestId};
use crate::clock::Now;
use crate::record::{RequestAnswer, RequestRecord, Write};
use std::collections::BTreeMap;
use wasmhost_proto::input::Array;
use wasmhost_proto::limits::{MAX_REQUESTS, MAX_REQUESTS_BYTES, REQUEST_KEY_PREFIX};
use wasmhost_proto::wire::{GivenRequest, NextRequest, ToWorker};
use wasmhost_proto::{JobId, Lease, TaskId, WorkerId};

/// Requests that no task answers yet, and the drivers that wait for one.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// By number.
    open: BTreeMap<u64, Open>,
    keys: BTreeMap<String, u64>,
    bytes: usize,
    /// Made in this term.
    made: u64,
    /// Drivers that want the next, by job.
    asking: BTreeMap<JobId, Asking>,
}

#[derive(Clone, Debug)]
struct Open {
    record: RequestRecord,
    /// Told to no driver before: an unknown request is never known again by its number.
    durable: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asking {
    worker: WorkerId,
    task: TaskId,
    lease: Lease,
    /// The number of the last that it was given.
    after: u64,
}

impl Requests {
    /// Those that the store holds.
    pub(super) fn recovered(records: Vec<RequestRecord>) -> Requests {
        let mut requests = Requests::default();
        for record in records {
            requests.add(record, true);
        }
        requests
    }

    fn add(&mut self, record: RequestRecord, durable: bool) {
        self.bytes += record.input.len();
        self.keys.insert(record.key.clone(), record.number);
        self.open.insert(record.number, Open { record, durable });
    }

    fn take(&mut self, key: &str) -> Option<RequestRecord> {
        let number = self.keys.remove(key)?;
        let open = self.open.remove(&number)?;
        self.bytes -= open.record.input.len();
        Some(open.record)
    }

    /// Whether a driver's key for a task is that of a request which waits.
    pub(super) fn waits(&self, spawn_key: &str) -> bool {
        let key = spawn_key.strip_prefix(REQUEST_KEY_PREFIX);
        key.is_some_and(|key| self.keys.contains_key(key))
    }

    /// Whether all that is counted is what there is.
    pub(super) fn check(&self) -> Result<(), String> {
        let bytes: usize = self.open.values().map(|o| o.record.input.len()).sum();
        let named = |(key, number): (&String, &u64)| {
            self.open.get(number).is_some_and(|o| o.record.key == *key)
        };
        match self.bytes == bytes
            && self.keys.len() == self.open.len()
            && self.keys.iter().all(named)
        {
            true => Ok(()),
            false => Err("requests are not counted as they are".into()),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

impl Primary {
    /// A client asks for a task.
    pub(super) fn ask(&mut self, now: Now, request: RequestId, ask: Ask) {
        let Ask { key, node, input } = ask;
        let known = self.requests.keys.get(&key);
        if let Some(open) = known.and_then(|number| self.requests.open.get(number)) {
            let reply = match open.record.asks_same(&node, &input) {
                true => Ok(Reply::Request { created: false }),
                false => Err(Refusal::RequestKeyReused),
            };
            return self.persist.after(After::Reply(request, reply));
        }
        let Some(tasks) = self.servable() else {
            return self.reply(request, Err(Refusal::NoDriver));
        };
        if !tasks.contains(&node.as_str()) {
            let tasks = tasks.into_iter().map(str::to_owned).collect();
            return self.reply(request, Err(Refusal::NoSuchTask(tasks)));
        }
        let full = self.requests.bytes + input.len() > MAX_REQUESTS_BYTES;
        if full || self.requests.len() >= MAX_REQUESTS {
            let waiting = self.requests.len();
            return self.reply(request, Err(Refusal::RequestsFull(waiting)));
        }
        self.requests.made += 1;
        let record = RequestRecord {
            key,
            // A later term's are above those of the ones before.
            number: (self.term << 32) + self.requests.made,
            node,
            input,
            submitted: now.wall,
            answer: None,
        };
        self.persist.write(Write::Request(Box::new(record.clone())));
        self.persist.after(After::Offer(record.number));
        let reply = Ok(Reply::Request { created: true });
        self.persist.after(After::Reply(request, reply));
        self.requests.add(record, false);
    }

    /// The tasks that can be asked for; none when there is no driver.
    fn servable(&self) -> Option<Vec<&str>> {
        let plan = self.serving.plan.as_deref()?;
        let nodes = plan
            .nodes
            .iter()
            .filter(|node| matches!(node.array, Array::Spawned(_)));
        Some(nodes.map(|node| node.name.as_str()).collect())
    }

    /// A client takes a request back, if no task was started for it.
    pub(super) fn withdraw(&mut self, request: RequestId, key: &str) {
        let Some(mut record) = self.requests.take(key) else {
            return self.reply(request, Err(Refusal::NoSuchRequest));
        };
        record.answer = Some(RequestAnswer::Withdrawn);
        self.persist.write(Write::Request(Box::new(record)));
        let reply = Ok(Reply::Request { created: false });
        self.persist.after(After::Reply(request, reply));
    }

    /// A request is durable: a driver may have it.
    pub(super) fn offered(&mut self, number: u64) {
        if let Some(open) = self.requests.open.get_mut(&number) {
            open.durable = true;
        }
        if let Some(job) = self.serving.job {
            self.answer_asking(job);
        }
    }

    /// A driver wants the next request.
    pub(super) fn next_request(&mut self, now: Now, worker: WorkerId, next: NextRequest) {
        let NextRequest { task, lease, after } = next;
        if !self.is_current(worker, task, lease) {
            return;
        }
        let asking = Asking {
            worker,
            task,
            lease,
            after,
        };
        let live = self.jobs.get(&task.job);
        if live.and_then(|job| job.server()) != Some(task) {
            return self.give_request(asking, None);
        }
        self.requests.asking.insert(task.job, asking);
        self.offer(now, task.job);
    }

    /// The same for all that ask.
    pub(super) fn offer_to_all(&mut self, now: Now) {
        let asking: Vec<JobId> = self.requests.asking.keys().copied().collect();
        asking.into_iter().for_each(|job| self.offer(now, job));
    }

    /// Gives the driver of a job the next request, if it asks and there is one; one that
    /// has lost its place is told so, and so is one that has done enough.
    pub(super) fn offer(&mut self, now: Now, job: JobId) {
        if !self.serving.decided || !self.requests.asking.contains_key(&job) {
            return;
        }
        let live = self.jobs.get(&job);
        if self.serving.job == Some(job) && live.is_some_and(|job| job.spawns.is_worn()) {
            self.serving.job = None;
            self.serve_anew(now);
        }
        if self.serving.job == Some(job) {
            self.answer_asking(job);
        } else if let Some(asking) = self.requests.asking.remove(&job) {
            self.give_request(asking, None);
        }
    }

    fn answer_asking(&mut self, job: JobId) {
        let Some(asking) = self.requests.asking.get(&job).copied() else {
            return;
        };
        let mut later = self.requests.open.range(asking.after.saturating_add(1)..);
        let next = later.find(|(_, open)| open.durable);
        if let Some((_, open)) = next {
            let record = open.record.clone();
            self.requests.asking.remove(&job);
            self.give_request(asking, Some(&record));
        }
    }

    fn give_request(&mut self, asking: Asking, request: Option<&RequestRecord>) {
        let given = GivenRequest {
            task: asking.task,
            lease: asking.lease,
            request: request.map(RequestRecord::for_driver),
        };
        self.send(asking.worker, ToWorker::Request(Box::new(given)));
    }

    /// A task was started under a driver's key: if that is a request's, it is answered.
    pub(super) fn answered(&mut self, spawn_key: &str, task: TaskId) {
        let key = spawn_key.strip_prefix(REQUEST_KEY_PREFIX);
        if let Some(mut record) = key.and_then(|key| self.requests.take(key)) {
            record.answer = Some(RequestAnswer::Started(task));
            self.persist.write(Write::Request(Box::new(record)));
        }
    }

    /// Requests for which the driver has started no task yet.
    pub fn requests_waiting(&self) -> usize {
        self.requests.len()
    }

    /// Nobody asks for a job's driver any more.
    pub(super) fn asks_no_more(&mut self, job: JobId) {
        self.requests.asking.remove(&job);
    }
}
