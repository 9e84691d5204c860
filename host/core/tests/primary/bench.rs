//! A primary on a bench: a clock that stands still, a store that is instant or
//! held back, workers that say what they are told to say.

use std::sync::Arc;
use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::prepared::{Prepared, PreparedRecord};
use wasmhost_core::primary::{Effect, Event, Primary, PrimaryConfig, Refusal, Reply, SessionId};
use wasmhost_core::record::{Recovered, RecoveredJob, SpawnRecord, Write};
use wasmhost_proto::input::Array;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan, RetryPolicy};
use wasmhost_proto::wire::{
    AssignRun, AttemptLimits, AttemptOutcome, End, Held, Register, ResultData, Started, ToPrimary,
    ToWorker, WorkRequest,
};
use wasmhost_proto::{Digest, JobId, Lease, TaskId, Timestamp, WorkerId};

pub(crate) const CONFIG: PrimaryConfig = PrimaryConfig {
    lease_ms: 1_000,
    cancel_grace_ms: 200,
    recovery_grace_ms: 500,
    poll_ms: 0,
};

pub(crate) struct Bench {
    pub(crate) primary: Primary,
    pub(crate) now: u64,
    /// Batches become durable at once.
    pub(crate) instant: bool,
    pub(crate) seq: u64,
    pub(crate) writes: Vec<Write>,
    pub(crate) replies: Vec<Result<Reply, Refusal>>,
    pub(crate) sent: Vec<(SessionId, ToWorker)>,
    pub(crate) closed: Vec<(SessionId, String)>,
    pub(crate) others: Vec<Effect>,
    batch: u64,
}

pub(crate) fn at(now: u64) -> Now {
    Now {
        mono: Mono(now),
        wall: Timestamp(1_795_176_000_000 + now),
    }
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::recovered(1, Recovered::default())
    }

    pub(crate) fn recovered(term: u64, recovered: Recovered) -> Bench {
        let mut bench = Bench {
            primary: Primary::new(CONFIG, term, 7, at(0), recovered),
            now: 0,
            instant: true,
            seq: 0,
            writes: vec![],
            replies: vec![],
            sent: vec![],
            closed: vec![],
            others: vec![],
            batch: 0,
        };
        bench.drain();
        bench
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.primary.handle(at(self.now), event);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.primary.poll_effect() {
            match effect {
                Effect::Persist { seq, writes } => {
                    assert_eq!(seq, self.seq + 1);
                    self.seq = seq;
                    self.writes.extend(writes);
                    if self.instant {
                        self.primary.handle(at(self.now), Event::Persisted { seq });
                    }
                }
                Effect::Reply { reply, .. } => self.replies.push(reply),
                Effect::Send { session, message } => self.sent.push((session, message)),
                Effect::Close { session, reason } => self.closed.push((session, reason)),
                Effect::JobChanged(_) | Effect::WorkerChanged(_) => {}
                other => self.others.push(other),
            }
        }
        self.primary.check().unwrap();
    }

    /// Lets time pass, with all timeouts in it.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = self.primary.next_timeout().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            self.event(Event::Timeout);
        }
        self.now = end;
    }

    pub(crate) fn submit(&mut self, plan: JobPlan) -> JobId {
        self.submit_with(plan, None);
        match self.replies.last() {
            Some(Ok(Reply::Job { id, .. })) => *id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn submit_with(&mut self, plan: JobPlan, key: Option<&str>) {
        let idempotency_key = key.map(str::to_owned);
        self.event(Event::Submit {
            request: 1,
            plan: Box::new(plan),
            idempotency_key,
        });
    }

    /// A worker whose session has its own number.
    pub(crate) fn worker(&mut self, id: u64, slots: u32) {
        self.join(id, id, slots, 0, vec![]);
    }

    pub(crate) fn join(&mut self, id: u64, session: u64, slots: u32, seen: u64, held: Vec<Held>) {
        self.event(Event::Connected {
            session,
            worker: WorkerId(id),
        });
        let register = Register {
            name: format!("w{id}"),
            version: "1".into(),
            slots,
            cpus: 1,
            memory: 0,
            offers: None,
            scratch: 0,
            term_seen: seen,
            incarnation: id,
            held,
        };
        self.say(session, ToPrimary::Register(Box::new(register)));
    }

    pub(crate) fn say(&mut self, session: SessionId, message: ToPrimary) {
        self.event(Event::Frame {
            session,
            messages: vec![message],
        });
    }

    pub(crate) fn want(&mut self, session: SessionId, want: u32, free_slots: u32) {
        let request = WorkRequest {
            want,
            free_slots,
            status_interval_ms: 100,
        };
        self.say(session, ToPrimary::Request(request));
    }

    /// The runs assigned since the last call, with their sessions.
    pub(crate) fn assigned(&mut self) -> Vec<(SessionId, AssignRun)> {
        let mut runs = vec![];
        self.sent.retain(|(session, message)| match message {
            ToWorker::Assign(some) => {
                runs.extend(some.iter().map(|run| (*session, run.clone())));
                false
            }
            _ => true,
        });
        runs
    }

    /// The same as tasks and leases, of any session.
    pub(crate) fn leases(&mut self) -> Vec<(TaskId, Lease)> {
        let runs = self.assigned();
        let tasks = runs.iter().flat_map(|(_, run)| {
            (0..run.count()).map(|n| {
                let AssignRun {
                    job, node, first, ..
                } = *run;
                (
                    TaskId {
                        job,
                        node,
                        index: first + n,
                    },
                    run.lease,
                )
            })
        });
        tasks.collect()
    }

    pub(crate) fn started(&mut self, session: SessionId, (task, lease): (TaskId, Lease)) {
        let at = at(self.now).wall;
        self.say(
            session,
            ToPrimary::Started(vec![Started { task, lease, at }]),
        );
    }

    pub(crate) fn end(
        &mut self,
        session: SessionId,
        lease: (TaskId, Lease),
        failure: Option<FailureKind>,
    ) {
        self.end_all(session, &[(lease, failure)]);
    }

    /// Ends in one batch.
    pub(crate) fn end_all(
        &mut self,
        session: SessionId,
        ends: &[((TaskId, Lease), Option<FailureKind>)],
    ) {
        self.batch += 1;
        let wall = at(self.now).wall;
        let outcome = |((task, lease), failure): &((TaskId, Lease), Option<FailureKind>)| {
            let end = match failure {
                None => End::Success(ResultData::Inline(vec![1])),
                Some(kind) => End::Failure(Box::new(Failure::new(*kind, "why")), None),
            };
            AttemptOutcome {
                task: *task,
                lease: *lease,
                started: Some(wall),
                ended: wall,
                end,
                usage: Usage::default(),
                report: None,
            }
        };
        let items = Arc::new(ends.iter().map(outcome).collect());
        let batch = self.batch;
        self.say(session, ToPrimary::Outcomes { batch, items });
    }

    /// The answer to the latest question about a node.
    pub(crate) fn prepared(&mut self, job: JobId, node: u16, result: Result<Prepared, String>) {
        let asked = self.others.iter().rev().find_map(|effect| match effect {
            Effect::Prepare(what) if (what.job, what.node) == (job, node) => Some(what.round),
            _ => None,
        });
        let round = asked.unwrap();
        self.event(Event::Prepared {
            job,
            node,
            round,
            result,
        });
    }

    /// The job's latest record as written.
    pub(crate) fn record(&self, id: JobId) -> wasmhost_core::record::JobRecord {
        let jobs = self.writes.iter().rev().filter_map(|write| match write {
            Write::Job(record) if record.id == id => Some((**record).clone()),
            _ => None,
        });
        jobs.into_iter().next().unwrap()
    }

    /// What drivers were recorded to have started.
    fn spawned(&self) -> Vec<(u16, SpawnRecord)> {
        let spawned = self.writes.iter().filter_map(|write| match write {
            Write::Spawned(task, record) => Some((task.node, (**record).clone())),
            _ => None,
        });
        spawned.collect()
    }

    /// What was recorded of nodes.
    pub(crate) fn prepared_nodes(&self) -> Vec<(u16, PreparedRecord)> {
        let prepared = self.writes.iter().filter_map(|write| match write {
            Write::Prepared(_, node, record) => Some((*node, record.clone())),
            _ => None,
        });
        prepared.collect()
    }

    pub(crate) fn ended_job(&self, id: JobId, plan: JobPlan) -> Box<RecoveredJob> {
        use wasmhost_core::record::RecordedEnd::*;
        let mut ended = std::collections::BTreeMap::new();
        for write in &self.writes {
            if let Write::Outcome(task, outcome) = write {
                let end = match outcome.failure.as_ref().map(|f| f.kind) {
                    None => Succeeded,
                    Some(FailureKind::Cancelled) => Cancelled,
                    Some(_) => Failed,
                };
                ended.insert((task.node, task.index), end);
            }
        }
        Box::new(RecoveredJob {
            record: self.record(id),
            plan,
            ended: ended.into_iter().map(|((n, i), end)| (n, i, end)).collect(),
            prepared: self.prepared_nodes(),
            items: vec![],
            spawned: self.spawned(),
            failed_attempts: vec![],
        })
    }
}

pub(crate) fn node(count: u32) -> NodePlan {
    NodePlan {
        name: "map".into(),
        module: Digest([1; 32]),
        module_len: 10,
        array: Array::Range {
            start: 0,
            step: 1,
            count,
        },
        limits: AttemptLimits {
            memory: 1,
            wall_ms: 500,
            output: 1,
        },
        retry: RetryPolicy {
            guest: 0,
            infrastructure: 2,
            backoff_ms: 100,
            max_backoff_ms: 400,
            ..RetryPolicy::default()
        },
        ..NodePlan::default()
    }
}

pub(crate) fn plan(count: u32) -> JobPlan {
    JobPlan {
        name: "job".into(),
        nodes: vec![node(count)],
        ..JobPlan::default()
    }
}

/// `count` tasks, and one that gathers their results.
pub(crate) fn reduced(count: u32) -> JobPlan {
    let reduce = NodePlan {
        name: "reduce".into(),
        array: Array::Single,
        input: NodeInput::Gather(0),
        after: vec![0],
        ..node(1)
    };
    JobPlan {
        nodes: vec![node(count), reduce],
        ..plan(1)
    }
}
