//! Drivers: what they start, what they hear, and that a key means one task for ever.

use crate::data::SPACE;
use crate::disk::Disk;
use crate::jobs::node;
use crate::rng::Rng;
use crate::world::{Item, RunStep, World};
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_core::primary::SpawnEnded;
use wasmhost_core::record::StoredResult;
use wasmhost_core::worker::Event;
use wasmhost_proto::input::{Array, Input};
use wasmhost_proto::plan::{JobPlan, NodeInput};
use wasmhost_proto::wire::{
    CancelSpawned, ChildEnd, DriverRequest, ResultData, Spawn, SpawnedEnd, ToWorker,
};
use wasmhost_proto::{JobId, Lease, TaskId, WorkerId};

pub(crate) const WORK: &str = "work";

/// A driver, what it starts, and perhaps one that takes the results.
pub(crate) fn plan(rng: &mut Rng) -> JobPlan {
    let given = || NodeInput::Given(Input::Item);
    let mut steer = node(rng, "steer", Array::Single, given(), vec![]);
    steer.driver = true;
    steer.retry.infrastructure = 8;
    steer.limits.wall_ms = 200_000;
    let mut work = node(rng, WORK, Array::Spawned(0), given(), vec![]);
    work.tolerate = u32::MAX;
    work.concurrency = rng.percent(25).then(|| rng.range(1, 4) as u32);
    let mut nodes = vec![steer, work];
    if rng.percent(50) {
        let input = NodeInput::Gather(1);
        nodes.push(node(rng, "sum", Array::Single, input, vec![1]));
    }
    JobPlan {
        name: "driven".into(),
        nodes,
        publishes: vec![SPACE.into()],
        ..JobPlan::default()
    }
}

/// How many tasks the driver of a job starts.
pub(crate) fn wanted(job: JobId) -> u32 {
    (job.0 % 9) as u32
}

/// A driver at work.
#[derive(Default, Debug)]
pub(crate) struct Drive {
    started: u32,
    pub open: BTreeSet<String>,
    pub asked: bool,
    /// Of one that serves requests: it wants the next, no more come, the last number,
    /// what it was given and has not started.
    pub listens: bool,
    pub closed: bool,
    pub last: u64,
    pub given: Option<DriverRequest>,
}

/// What keys came to mean, in all processes of all workers.
pub(crate) type Meanings = BTreeMap<(JobId, String), Vec<u8>>;

impl World {
    /// The driver goes on: starts some, gives one up, waits for the next. True when it
    /// has nothing left to do.
    pub(crate) fn drive(&mut self, id: WorkerId, key: (TaskId, Lease)) -> bool {
        let (task, lease) = key;
        let plan = self.disk.plans.get(&task.job);
        let plan = plan.or_else(|| self.disk.plan_to_come(task.job));
        if plan.is_some_and(|plan| plan.serves) {
            return self.drive_requests(id, key);
        }
        let wanted = wanted(task.job);
        let some = self.rng.range(1, 5) as u32;
        let Some(drive) = self
            .workers
            .get_mut(&id)
            .and_then(|w| w.drives.get_mut(&key))
        else {
            return false;
        };
        let fresh = drive.started..wanted.min(drive.started + some);
        drive.started = fresh.end;
        drive.open.extend(fresh.clone().map(|n| n.to_string()));
        if drive.open.is_empty() {
            return drive.started == wanted;
        }
        let ask = !std::mem::replace(&mut drive.asked, true);
        let victim = drive.open.first().cloned();
        for n in fresh {
            let spawn = Spawn {
                task,
                lease,
                key: n.to_string(),
                node: WORK.into(),
                input: vec![n as u8],
            };
            self.worker_event(id, Event::Spawn(Box::new(spawn)));
        }
        if let Some(victim) = victim.filter(|_| self.rng.percent(5)) {
            self.seen.note("spawned task given up");
            let key = victim;
            let of = Box::new(CancelSpawned { task, lease, key });
            self.worker_event(id, Event::CancelSpawned(of));
        }
        if ask {
            self.worker_event(id, Event::Await(task, lease));
        }
        false
    }

    /// The driver is told of an end.
    pub(crate) fn driver_hears(&mut self, id: WorkerId, process: u64, end: SpawnedEnd) {
        let key = (end.task, end.lease);
        let Some(drive) = self
            .workers
            .get_mut(&id)
            .and_then(|w| w.drives.get_mut(&key))
        else {
            return;
        };
        assert!(
            drive.open.remove(&end.key),
            "{} ended twice for its driver",
            end.key
        );
        assert!(
            std::mem::take(&mut drive.asked),
            "an end that nobody asked for"
        );
        match end.end {
            ChildEnd::Success(ResultData::Inline(bytes)) => {
                let meaning = self.meanings.entry((end.task.job, end.key));
                let before = meaning.or_insert_with(|| bytes.clone());
                assert_eq!(*before, bytes, "a key came to mean another task");
                self.seen.note("spawned task ended");
            }
            ChildEnd::Failure(_) => self.seen.note("spawned task failed"),
            other => assert!(matches!(other, ChildEnd::Refused(_)), "{other:?}"),
        }
        let (after, step) = (self.rng.range(0, 30), RunStep::Drive);
        let worker = id;
        self.at(
            after,
            Item::Run {
                worker,
                process,
                key,
                step,
            },
        );
    }

    /// What the primary's driver reads of an end, which has to be durable.
    pub(crate) fn spawn_ended(&self, end: SpawnEnded) -> ToWorker {
        let outcome = self.disk.outcomes.get(&end.child);
        let outcome = outcome.unwrap_or_else(|| panic!("{} is told and not durable", end.child));
        let of = match (&outcome.failure, &outcome.result) {
            (Some(failure), _) => ChildEnd::Failure(failure.clone()),
            (None, Some(StoredResult::Inline(bytes))) => {
                ChildEnd::Success(ResultData::Inline(bytes.clone()))
            }
            other => panic!("{other:?}"),
        };
        ToWorker::Spawned(Box::new(SpawnedEnd {
            task: end.task,
            lease: end.lease,
            key: end.key,
            end: of,
        }))
    }
}

/// Of a job that has succeeded: its driver's every key is one task.
pub(crate) fn settled(disk: &Disk, job: JobId) {
    if disk.plans[&job].nodes[0].driver && !disk.plans[&job].serves {
        let first = TaskId {
            job,
            node: 1,
            index: 0,
        };
        let last = TaskId {
            index: u32::MAX,
            ..first
        };
        let keys: BTreeSet<&str> = disk
            .spawned
            .range(first..=last)
            .map(|(_, r)| &*r.key)
            .collect();
        let all = disk.spawned.range(first..=last).count();
        assert_eq!(
            (keys.len(), all),
            (wanted(job) as usize, wanted(job) as usize),
            "{job}"
        );
    }
}
