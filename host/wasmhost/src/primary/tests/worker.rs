//! A worker whose attempts end as the test says.

use super::Handle;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use wasmhost_core::record::{TokenRecord, Write};
use wasmhost_link::{FrameReceiver, FrameSender, Identity, JoinToken, Uplink, WorkerLink};
use wasmhost_proto::api::TokenKind;
use wasmhost_proto::input::{BlobRef, Input, Rendered, Scope};
use wasmhost_proto::outcome::Usage;
use wasmhost_proto::wire::{
    AttemptOutcome, End, NodeSpec, PrimaryFrame, Register, ResultData, ToPrimary, ToWorker,
    WorkRequest, WorkerFrame,
};
use wasmhost_proto::{JobId, Lease, NodeIndex, TaskId, Timestamp};

pub(super) async fn join_token(handle: &Handle) -> JoinToken {
    let token = JoinToken::generate(handle.authority().fingerprint()).unwrap();
    let record = TokenRecord {
        id: token.id,
        kind: TokenKind::Join,
        name: String::new(),
        secret_sha256: Sha256::digest(token.secret).into(),
        created: Timestamp(0),
        expires: None,
        used: None,
    };
    handle.write(vec![Write::Token(record)]).await.unwrap();
    token
}

/// A worker whose attempts end as the test says.
pub(super) struct Worker {
    out: FrameSender<WorkerFrame>,
    incoming: FrameReceiver<PrimaryFrame>,
    pub(super) uplink: Uplink,
    specs: BTreeMap<(JobId, NodeIndex), NodeSpec>,
    batch: u64,
    acked: u64,
    pub(super) term: u64,
    /// What it ran, and with what input.
    pub(super) ran: Vec<(String, u32, Rendered)>,
}

impl Worker {
    pub(super) async fn connect(handle: &Handle, dir: &Path, incarnation: u64) -> Worker {
        let address = handle.worker_address();
        let identity = match Identity::load(dir).unwrap() {
            Some(identity) => identity,
            None => {
                let token = join_token(handle).await;
                let joined = Identity::join(&address, &token, "tester", dir);
                joined.await.unwrap()
            }
        };
        let (out, incoming, uplink) = WorkerLink::connect(&address, &identity)
            .await
            .unwrap()
            .split();
        let mut worker = Worker {
            out,
            incoming,
            uplink,
            specs: BTreeMap::new(),
            batch: 0,
            acked: 0,
            term: 0,
            ran: Vec::new(),
        };
        let register = Register {
            name: "tester".into(),
            version: "0".into(),
            slots: 4,
            cpus: 1,
            memory: 0,
            offers: None,
            scratch: 0,
            term_seen: 0,
            incarnation,
            held: vec![],
        };
        worker
            .say(vec![ToPrimary::Register(Box::new(register))])
            .await;
        worker
    }

    async fn say(&mut self, messages: Vec<ToPrimary>) {
        self.out.send(&WorkerFrame { messages }).await.unwrap();
    }

    async fn ask(&mut self, want: u32) {
        let request = WorkRequest {
            want,
            free_slots: want,
            status_interval_ms: 60_000,
        };
        self.say(vec![ToPrimary::Request(request)]).await;
    }

    /// Asks for `count` tasks, ends them as `run` says, and waits until that is
    /// acknowledged.
    pub(super) async fn work(&mut self, count: u32, mut run: impl FnMut(&NodeSpec, u32) -> End) {
        self.ask(count).await;
        let mut done = 0;
        while done < count || self.acked < self.batch {
            let frame = self.incoming.recv().await.unwrap();
            self.term = frame.term;
            for message in frame.messages {
                match message {
                    ToWorker::Prepare(spec) => {
                        self.specs.insert((spec.job, spec.node), *spec);
                    }
                    ToWorker::Ack { batch } => self.acked = batch,
                    ToWorker::Assign(runs) => {
                        let mut items = Vec::new();
                        for mut order in runs {
                            let spec = &self.specs[&(order.job, order.node)];
                            for index in order.first..order.first + order.count() {
                                let (job, node) = (order.job, order.node);
                                let item = order.take_first().and_then(|one| one.item());
                                let scope = Scope {
                                    item: &item.unwrap(),
                                    index,
                                    count: spec.count,
                                    secrets: &[],
                                };
                                let input = scope.input(&spec.input).unwrap();
                                self.ran.push((spec.name.clone(), index, input));
                                let task = TaskId { job, node, index };
                                items.push(outcome(task, order.lease, run(spec, index)));
                            }
                        }
                        done += items.len() as u32;
                        self.batch += 1;
                        let (batch, items) = (self.batch, Arc::new(items));
                        self.say(vec![ToPrimary::Outcomes { batch, items }]).await;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Runs the one task of a node that gathers; gives the input that it got.
    pub(super) async fn reduce(&mut self) -> BlobRef {
        let mut input = None;
        let reduce = |spec: &NodeSpec, _| {
            input = Some(spec.input.clone());
            text(0)
        };
        self.work(1, reduce).await;
        match input {
            Some(Input::Blob(input)) => input,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn text(index: u32) -> End {
    End::Success(ResultData::Inline(format!("result {index}").into_bytes()))
}

fn outcome(task: TaskId, lease: Lease, end: End) -> AttemptOutcome {
    AttemptOutcome {
        task,
        lease,
        started: Some(Timestamp(1)),
        ended: Timestamp(2),
        end,
        usage: Usage::default(),
        report: None,
    }
}
