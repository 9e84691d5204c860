//! A worker on a bench: executors and a primary that do as they are told.

use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::worker::{Effect, Ended, Event, Worker, WorkerConfig};
use wasmhost_proto::input::Input;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{
    AssignRun, AttemptLimits, AttemptOutcome, End, NodeSpec, Register, ResultData, RunItems,
    ToPrimary, ToWorker, WorkRequest,
};
use wasmhost_proto::{Digest, JobId, Lease, TaskId, Timestamp, WorkerId};

pub(crate) const MODULE: Digest = Digest([1; 32]);
pub(crate) const LEASE: Lease = Lease {
    term: 3,
    attempt: 1,
};

pub(crate) struct Bench {
    pub(crate) worker: Worker,
    pub(crate) now: u64,
    pub(crate) sent: Vec<ToPrimary>,
    /// Indexes of started runs, in order.
    pub(crate) started: Vec<u32>,
    pub(crate) effects: Vec<Effect>,
}

pub(crate) fn task(index: u32) -> TaskId {
    TaskId {
        job: JobId(1),
        node: 0,
        index,
    }
}

pub(crate) fn spec(arg: &str) -> NodeSpec {
    NodeSpec {
        job: JobId(1),
        node: 0,
        name: "map".into(),
        count: 1_000_000,
        module: MODULE,
        module_len: 10,
        kind: ModuleKind::Task,
        input: Input::Item,
        args: vec![arg.into()],
        env: vec![],
        limits: AttemptLimits {
            memory: 1,
            wall_ms: 1,
            output: 1,
        },
        script: None,
        config: vec![],
        driver: false,
        grants: None,
        files: None,
        secrets: None,
    }
}

impl Bench {
    pub(crate) fn new(slots: u32, prefetch: u32) -> Bench {
        let config = WorkerConfig {
            name: "w".into(),
            version: "1".into(),
            slots,
            cpus: 1,
            memory: 0,
            offers: Default::default(),
            scratch: 0,
            prefetch,
            status_interval_ms: 400,
            incarnation: 5,
        };
        let mut bench = Bench {
            worker: Worker::new(config, Now::default()),
            now: 0,
            sent: vec![],
            started: vec![],
            effects: vec![],
        };
        bench.connect();
        bench
    }

    /// A bench whose module is ready.
    pub(crate) fn ready(slots: u32, prefetch: u32) -> Bench {
        let mut bench = Bench::new(slots, prefetch);
        bench.hear(ToWorker::Prepare(Box::new(spec("${index}"))));
        bench.event(Event::ModuleReady(MODULE));
        bench
    }

    /// Connects anew. What it says of itself.
    pub(crate) fn connect(&mut self) -> Register {
        self.sent.clear();
        self.event(Event::Connected);
        let [ToPrimary::Register(register)] = &self.sent[..] else {
            panic!("{:?}", self.sent)
        };
        let register = register.as_ref().clone();
        self.hear(ToWorker::Welcome {
            worker: WorkerId(1),
            lease_ms: 1_000,
        });
        register
    }

    pub(crate) fn event(&mut self, event: Event) {
        let now = Now {
            mono: Mono(self.now),
            wall: Timestamp(self.now),
        };
        self.worker.handle(now, event);
        while let Some(effect) = self.worker.poll_effect() {
            match effect {
                Effect::Send(message) => self.sent.push(message),
                Effect::Start(start) => {
                    assert_eq!(start.args, [start.task.index.to_string()]);
                    self.started.push(start.task.index);
                }
                other => self.effects.push(other),
            }
        }
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = self.worker.next_timeout().filter(|due| due.0 <= end) {
            assert!(due.0 > self.now || ms == 0, "a timer stands still");
            self.now = due.0;
            self.event(Event::Timeout);
        }
        self.now = end;
    }

    pub(crate) fn hear(&mut self, message: ToWorker) {
        self.event(Event::Frame {
            term: 3,
            messages: vec![message],
        });
    }

    pub(crate) fn assign(&mut self, first: u32, count: u32) {
        let items = RunItems::Range {
            start: 0,
            step: 1,
            count,
        };
        let run = AssignRun {
            job: JobId(1),
            node: 0,
            lease: LEASE,
            first,
            items,
        };
        self.hear(ToWorker::Assign(vec![run]));
    }

    pub(crate) fn end(&mut self, index: u32, bytes: usize, failure: Option<FailureKind>) {
        let end = match failure {
            None => End::Success(ResultData::Inline(vec![0; bytes])),
            Some(kind) => End::Failure(Box::new(Failure::new(kind, "why")), None),
        };
        self.event(Event::Ended(Box::new(Ended {
            task: task(index),
            lease: LEASE,
            end,
            usage: Usage::default(),
            status: Status::default(),
            log: String::new(),
        })));
    }

    /// The outcome batches sent since the last call.
    pub(crate) fn batches(&mut self) -> Vec<(u64, Vec<AttemptOutcome>)> {
        let mut batches = vec![];
        self.sent.retain(|message| match message {
            ToPrimary::Outcomes { batch, items } => {
                batches.push((*batch, items.to_vec()));
                false
            }
            _ => true,
        });
        batches
    }

    /// Index and kind of failure of each of those outcomes.
    pub(crate) fn ends(&mut self) -> Vec<(u32, Option<FailureKind>)> {
        let items = self.batches().into_iter().flat_map(|(_, items)| items);
        let ends = items.map(|item| match item.end {
            End::Success(_) => (item.task.index, None),
            End::Failure(failure, _) => (item.task.index, Some(failure.kind)),
        });
        ends.collect()
    }

    pub(crate) fn requests(&mut self) -> Vec<(u32, u32)> {
        let mut requests = vec![];
        self.sent.retain(|message| match message {
            ToPrimary::Request(WorkRequest {
                want, free_slots, ..
            }) => {
                requests.push((*want, *free_slots));
                false
            }
            _ => true,
        });
        requests
    }
}
