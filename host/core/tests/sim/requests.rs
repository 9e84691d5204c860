//! A primary with a driver of its own, in some schedules: what clients ask of it is
//! answered by one task each, whoever died meanwhile.

use crate::disk::Disk;
use crate::drivers;
use crate::rng::Rng;
use crate::world::{Asked, Item, RunStep, World};
use std::collections::BTreeMap;
use wasmhost_core::primary::{Ask, Event};
use wasmhost_core::record::RequestAnswer;
use wasmhost_core::worker;
use wasmhost_proto::limits::REQUEST_KEY_PREFIX;
use wasmhost_proto::plan::{JobPlan, OnFailure};
use wasmhost_proto::wire::{DriverRequest, GivenRequest, Spawn};
use wasmhost_proto::{Digest, Lease, TaskId, WorkerId};

/// What the driver of a schedule runs.
pub(crate) fn plan(rng: &mut Rng) -> JobPlan {
    let mut plan = drivers::plan(rng);
    plan.nodes.truncate(2);
    for node in &mut plan.nodes {
        node.module = Digest([0; 32]);
    }
    JobPlan {
        on_failure: OnFailure::Continue,
        serves: true,
        ..plan
    }
}

impl World {
    /// Says what the driver of this primary is: now and then another version.
    pub(crate) fn serve(&mut self) {
        if self.serving.is_some() && self.rng.percent(30) {
            self.serving = Some(plan(&mut self.rng));
            self.seen.note("driver replaced");
        }
        let plan = self.serving.clone().map(Box::new);
        self.primary_event(Event::Serve { plan });
    }

    /// The primary has no driver any more.
    pub(crate) fn serve_no_more(&mut self) {
        self.serving = None;
        self.serve();
    }

    /// A client asks the driver for a task.
    pub(crate) fn ask_driver(&mut self) {
        let key = format!("q{}", self.rng.range(0, 40));
        if self.disk.requests.values().any(|r| r.key == key) {
            // The store answers.
            return;
        }
        self.ask(Asked::Task(key.clone()), |request| {
            let ask = Ask {
                input: key.clone().into_bytes(),
                key,
                node: drivers::WORK.into(),
            };
            let ask = Box::new(ask);
            Event::Ask { request, ask }
        });
    }

    /// Whether all that clients asked for has its task.
    pub(crate) fn is_answered(&self) -> bool {
        self.disk.requests.values().all(|r| r.answer.is_some())
    }

    /// The driver goes on: starts what it was given, listens for more. True when it has
    /// nothing left to do.
    pub(crate) fn drive_requests(&mut self, id: WorkerId, key: (TaskId, Lease)) -> bool {
        let (task, lease) = key;
        let Some(drive) = self
            .workers
            .get_mut(&id)
            .and_then(|w| w.drives.get_mut(&key))
        else {
            return false;
        };
        let given = drive.given.take();
        drive
            .open
            .extend(given.iter().map(|request| request.key.clone()));
        let ask = !drive.open.is_empty() && !std::mem::replace(&mut drive.asked, true);
        let listen = !drive.closed && !std::mem::replace(&mut drive.listens, true);
        let over = drive.closed && drive.open.is_empty();
        if let Some(DriverRequest {
            key, node, input, ..
        }) = given
        {
            let spawn = Spawn {
                task,
                lease,
                key,
                node,
                input,
            };
            self.worker_event(id, worker::Event::Spawn(Box::new(spawn)));
        }
        if ask {
            self.worker_event(id, worker::Event::Await(task, lease));
        }
        if listen {
            self.worker_event(id, worker::Event::NextRequest(task, lease));
        }
        over
    }

    /// The driver is given a request, or told that no more come.
    pub(crate) fn driver_is_given(&mut self, worker: WorkerId, process: u64, given: GivenRequest) {
        let key = (given.task, given.lease);
        let Some(drive) = self
            .workers
            .get_mut(&worker)
            .and_then(|w| w.drives.get_mut(&key))
        else {
            return;
        };
        assert!(
            std::mem::take(&mut drive.listens),
            "a request that nobody asked for"
        );
        match given.request {
            None => drive.closed = true,
            Some(request) => {
                assert!(
                    request.number > drive.last,
                    "request {} comes after {}",
                    request.number,
                    drive.last
                );
                drive.last = request.number;
                drive.given = Some(request);
            }
        }
        let (after, step) = (self.rng.range(0, 30), RunStep::Drive);
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
}

/// After the faults: every request has one task, which is its own.
pub(crate) fn settled(disk: &Disk) {
    let mut tasks: BTreeMap<&str, u64> = BTreeMap::new();
    for (task, record) in &disk.spawned {
        if disk.plans[&task.job].serves {
            *tasks.entry(&record.key).or_default() += 1;
        }
    }
    for request in disk.requests.values() {
        let key = format!("{REQUEST_KEY_PREFIX}{}", request.key);
        assert_eq!(tasks.get(&*key), Some(&1), "{key} has not one task");
        let Some(RequestAnswer::Started(task)) = request.answer else {
            panic!("{key} was never answered: {request:?}");
        };
        assert_eq!(disk.spawned[&task].key, key, "{task} answers another");
    }
}
