//! The primary as a whole, on a real disk and over real QUIC, with a worker
//! whose runs are a function of the test.

use super::{ApiRefusal, Change, Handle, PrimaryOptions, Running, start};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use wasmhost_core::primary::{Refusal, Reply};
use wasmhost_core::record::{StoredResult, TokenRecord, Write};
use wasmhost_link::{FrameReceiver, FrameSender, Identity, JoinToken, Uplink, WorkerLink};
use wasmhost_proto::api::{JobState, TokenKind};
use wasmhost_proto::input::{Array, BlobRef, Input};
use wasmhost_proto::limits::MAX_INLINE;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan, OnFailure, RetryPolicy};
use wasmhost_proto::wire::{
    AttemptLimits, AttemptOutcome, End, NodeSpec, PrimaryFrame, Register, ResultData, ToPrimary,
    ToWorker, WorkRequest, WorkerFrame,
};
use wasmhost_proto::{Digest, JobId, NodeIndex, TaskId, Timestamp};

async fn primary(dir: &Path) -> (Handle, Running) {
    let options = PrimaryOptions {
        data_dir: dir.join("primary"),
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        lease_ms: 60_000,
        cancel_grace_ms: 1_000,
    };
    start(options).await.unwrap()
}

fn node(name: &str, count: u32, input: NodeInput) -> NodePlan {
    let after = match input {
        NodeInput::Gather(node) => vec![node],
        NodeInput::Given(_) => vec![],
    };
    NodePlan {
        name: name.into(),
        module: Digest([1; 32]),
        module_len: 8,
        kind: ModuleKind::Task,
        array: match count {
            1 => Array::Single,
            count => Array::Range {
                start: 0,
                step: 1,
                count,
            },
        },
        input,
        args: vec![],
        env: vec![],
        limits: AttemptLimits {
            memory: 1 << 20,
            wall_ms: 60_000,
            output: 1 << 20,
        },
        retry: RetryPolicy {
            infrastructure: 0,
            ..RetryPolicy::default()
        },
        after,
    }
}

fn plan(nodes: Vec<NodePlan>) -> JobPlan {
    JobPlan {
        name: "job".into(),
        description: String::new(),
        priority: 0,
        queue_ms: None,
        total_ms: None,
        on_failure: OnFailure::Stop,
        nodes,
    }
}

fn array(count: u32) -> JobPlan {
    plan(vec![node("array", count, NodeInput::Given(Input::Item))])
}

async fn submit(handle: &Handle, plan: JobPlan) -> JobId {
    match handle.submit(plan, None).await {
        Ok(Reply::Job { id, created: true }) => id,
        other => panic!("{other:?}"),
    }
}

async fn join_token(handle: &Handle) -> JoinToken {
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
struct Worker {
    out: FrameSender<WorkerFrame>,
    incoming: FrameReceiver<PrimaryFrame>,
    uplink: Uplink,
    specs: BTreeMap<(JobId, NodeIndex), NodeSpec>,
    batch: u64,
    acked: u64,
    term: u64,
}

impl Worker {
    /// Joins if it has not yet, connects and registers with nothing held.
    async fn connect(handle: &Handle, dir: &Path, incarnation: u64) -> Worker {
        let dir = dir.join("worker");
        let address = handle.worker_address();
        let identity = match Identity::load(&dir).unwrap() {
            Some(identity) => identity,
            None => {
                let token = join_token(handle).await;
                Identity::join(&address, &token, "tester", &dir)
                    .await
                    .unwrap()
            }
        };
        let (out, incoming, uplink) = WorkerLink::connect(&address, &identity)
            .await
            .unwrap()
            .split();
        let specs = BTreeMap::new();
        let mut worker = Worker {
            out,
            incoming,
            uplink,
            specs,
            batch: 0,
            acked: 0,
            term: 0,
        };
        let register = Register {
            name: "tester".into(),
            version: "0".into(),
            slots: 4,
            cpus: 1,
            memory: 0,
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
    async fn work(&mut self, count: u32, mut run: impl FnMut(&NodeSpec, u32) -> End) {
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
                        for order in runs {
                            let spec = &self.specs[&(order.job, order.node)];
                            for index in order.first..order.first + order.count() {
                                items.push(AttemptOutcome {
                                    task: TaskId {
                                        job: order.job,
                                        node: order.node,
                                        index,
                                    },
                                    lease: order.lease,
                                    started: Some(Timestamp(1)),
                                    ended: Timestamp(2),
                                    end: run(spec, index),
                                    usage: Usage::default(),
                                    report: None,
                                });
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
}

fn text(index: u32) -> End {
    End::Success(ResultData::Inline(format!("result {index}").into_bytes()))
}

/// Waits until the job has left the primary's memory; gives its state in the store.
async fn ended(handle: &Handle, job: JobId) -> JobState {
    let mut changes = handle.changes();
    while handle
        .ask(move |core, now| core.job_view(now, job).is_some())
        .await
        .unwrap()
    {
        changes.recv().await.unwrap();
    }
    handle.store().job(job).unwrap().unwrap().state
}

#[tokio::test]
async fn results_are_recorded_and_gathered() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = primary(dir.path()).await;
    let mut changes = handle.changes();
    let gather = node("reduce", 1, NodeInput::Gather(0));
    let job = submit(
        &handle,
        plan(vec![
            node("map", 300, NodeInput::Given(Input::Item)),
            gather,
        ]),
    )
    .await;
    let mut worker = Worker::connect(&handle, dir.path(), 1).await;

    let large = vec![7; MAX_INLINE + 1];
    let file = dir.path().join("large");
    std::fs::write(&file, &large).unwrap();
    let blob = BlobRef {
        digest: Digest(Sha256::digest(&large).into()),
        len: large.len() as u64,
    };
    worker.uplink.push(&blob, &file).await.unwrap();
    let result = |index| match index {
        299 => End::Success(ResultData::Blob(blob.clone())),
        index => text(index),
    };
    worker.work(300, |_, index| result(index)).await;
    let mut input = None;
    let reduce = |spec: &NodeSpec, _| {
        input = Some(spec.input.clone());
        text(0)
    };
    worker.work(1, reduce).await;

    assert_eq!(ended(&handle, job).await, JobState::Succeeded);
    let Some(Input::Blob(input)) = input else {
        panic!("{input:?}")
    };
    let fetched = dir.path().join("input");
    worker.uplink.fetch(&input, &fetched).await.unwrap();
    let gathered: Vec<(u32, serde_bytes::ByteBuf)> =
        ciborium::from_reader(&*std::fs::read(&fetched).unwrap()).unwrap();
    let want = (0..300).map(|index| match index {
        299 => (index, large.clone().into()),
        index => (index, format!("result {index}").into_bytes().into()),
    });
    assert!(gathered.into_iter().eq(want));
    let outcomes = handle.store().outcomes(job, 0, 298, 10).unwrap();
    assert_eq!(outcomes[1].1.result, Some(StoredResult::Blob(blob)));
    let mut seen = Vec::new();
    while let Ok(change) = changes.try_recv() {
        seen.push(change);
    }
    assert!(seen.contains(&Change::Job(job)) && seen.contains(&Change::JobEnded(job)));
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_command_gets_the_successes_one_after_another() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = primary(dir.path()).await;
    let mut gather = node("reduce", 1, NodeInput::Gather(0));
    gather.kind = ModuleKind::CoreCommand;
    let mut plan = plan(vec![node("map", 3, NodeInput::Given(Input::Item)), gather]);
    plan.on_failure = OnFailure::Continue;
    let job = submit(&handle, plan).await;
    let mut worker = Worker::connect(&handle, dir.path(), 1).await;
    let failure = || Box::new(Failure::new(FailureKind::Trap, "unreachable"));
    let output = ResultData::Inline(b"output of a failure".to_vec());
    let map = |_: &NodeSpec, index| match index {
        1 => End::Failure(failure(), Some(output.clone())),
        index => text(index),
    };
    worker.work(3, map).await;
    let mut input = None;
    let reduce = |spec: &NodeSpec, _| {
        input = Some(spec.input.clone());
        text(0)
    };
    worker.work(1, reduce).await;
    assert_eq!(ended(&handle, job).await, JobState::Failed);
    let Some(Input::Blob(input)) = input else {
        panic!("{input:?}")
    };
    let (file, _) = handle.blobs().open_file(input.digest).unwrap().unwrap();
    assert_eq!(std::io::read_to_string(file).unwrap(), "result 0result 2");
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_restart_goes_on_with_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = primary(dir.path()).await;
    let job = submit(&handle, array(10)).await;
    let mut worker = Worker::connect(&handle, dir.path(), 1).await;
    worker.work(3, |_, index| text(index)).await;
    assert_eq!((worker.term, handle.term()), (1, 1));
    running.shutdown().await.unwrap();
    assert_eq!(handle.ask(|_, _| ()).await, Err(super::handle::Stopped));
    assert_eq!(
        handle.submit(array(1), None).await,
        Err(ApiRefusal::Stopped)
    );
    drop(handle);

    let (handle, running) = primary(dir.path()).await;
    let mut worker = Worker::connect(&handle, dir.path(), 2).await;
    worker.work(7, |_, index| text(index)).await;
    assert_eq!((worker.term, handle.term()), (2, 2));
    assert_eq!(ended(&handle, job).await, JobState::Succeeded);
    let outcomes = handle.store().outcomes(job, 0, 0, 100).unwrap();
    let terms: Vec<_> = outcomes
        .iter()
        .map(|(_, outcome)| outcome.lease.term)
        .collect();
    assert_eq!(terms.iter().filter(|term| **term == 1).count(), 3);
    assert_eq!(terms.len(), 10);
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_result_that_did_not_arrive_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = primary(dir.path()).await;
    let job = submit(&handle, array(1)).await;
    let mut worker = Worker::connect(&handle, dir.path(), 1).await;
    let lie = BlobRef {
        digest: Digest([9; 32]),
        len: 1 << 20,
    };
    worker
        .work(1, |_, _| End::Success(ResultData::Blob(lie.clone())))
        .await;
    assert_eq!(ended(&handle, job).await, JobState::Failed);
    let outcome = handle
        .store()
        .outcome(TaskId {
            job,
            node: 0,
            index: 0,
        })
        .unwrap()
        .unwrap();
    assert_eq!(outcome.result, None);
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::HostFault);
    assert!(
        failure.message.contains("did not reach the primary"),
        "{}",
        failure.message
    );
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_key_stands_for_one_job_before_and_after_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = primary(dir.path()).await;
    let key = || Some("key".to_owned());
    let (first, second) = tokio::join!(
        handle.submit(array(2), key()),
        handle.submit(array(2), key())
    );
    let Ok(Reply::Job { id, .. }) = first else {
        panic!("{first:?}")
    };
    let created = |reply| match reply {
        Ok(Reply::Job { id: got, created }) if got == id => created,
        other => panic!("{other:?}"),
    };
    assert!(created(first) != created(second), "one of them made it");
    let reused = Err(ApiRefusal::Refused(Refusal::KeyReused(id)));
    assert_eq!(handle.submit(array(3), key()).await, reused);
    handle.cancel(id, None).await.unwrap();
    assert_eq!(ended(&handle, id).await, JobState::Cancelled);
    assert!(!created(handle.submit(array(2), key()).await));
    assert_eq!(handle.submit(array(3), key()).await, reused);
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_ended_job_is_retried_once() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = primary(dir.path()).await;
    let job = submit(&handle, array(2)).await;
    let refused = |refusal| Err(ApiRefusal::Refused(refusal));
    assert_eq!(handle.retry(job).await, refused(Refusal::NotEnded(job)));
    assert_eq!(
        handle.retry(JobId(1)).await,
        refused(Refusal::NoSuchJob(JobId(1)))
    );
    handle.cancel(job, None).await.unwrap();
    assert_eq!(ended(&handle, job).await, JobState::Cancelled);
    let (first, second) = tokio::join!(handle.retry(job), handle.retry(job));
    assert!(first.is_ok() != second.is_ok(), "{first:?} and {second:?}");
    let mut worker = Worker::connect(&handle, dir.path(), 1).await;
    worker.work(2, |_, index| text(index)).await;
    assert_eq!(ended(&handle, job).await, JobState::Succeeded);
    assert_eq!(
        handle.retry(job).await,
        refused(Refusal::NothingToRetry(job))
    );
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_join_token_is_used_once() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = primary(dir.path()).await;
    let token = join_token(&handle).await;
    let address = handle.worker_address();
    let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    let (first, second) = tokio::join!(
        Identity::join(&address, &token, "one", &one),
        Identity::join(&address, &token, "two", &two)
    );
    let refusal = match (&first, &second) {
        (Ok(_), Err(refusal)) | (Err(refusal), Ok(_)) => refusal.to_string(),
        both => panic!("{both:?}"),
    };
    assert!(refusal.contains("used already"), "{refusal}");
    assert!(
        handle
            .store()
            .token(token.id)
            .unwrap()
            .unwrap()
            .used
            .is_some()
    );
    assert_eq!(handle.store().workers().unwrap().len(), 1);
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_data_directory_is_private_and_for_one() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, running) = primary(dir.path()).await;
    let data = dir.path().join("primary");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let token_file = data.join("client.token");
    assert_eq!((mode(&data), mode(&token_file)), (0o700, 0o600));
    let token = std::fs::read_to_string(&token_file).unwrap();
    let tokens = handle.store().tokens().unwrap();
    assert_eq!(tokens.len(), 1);
    assert!(
        token.starts_with(&format!("wht_{}_", tokens[0].id)),
        "{token}"
    );

    let options = PrimaryOptions {
        data_dir: data,
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        lease_ms: 1_000,
        cancel_grace_ms: 1_000,
    };
    let refusal = match start(options).await {
        Ok(_) => panic!("two primaries share a data directory"),
        Err(error) => format!("{error:#}"),
    };
    assert!(
        refusal.contains("another primary runs in the data directory"),
        "{refusal}"
    );
    running.shutdown().await.unwrap();
    drop(handle);

    let (handle, running) = primary(dir.path()).await;
    assert_eq!(
        std::fs::read_to_string(&token_file).unwrap(),
        token,
        "made once"
    );
    assert_eq!(handle.store().tokens().unwrap(), tokens);
    running.shutdown().await.unwrap();
}
