//! The pool against executors that lie, stall and die.
#![allow(clippy::unwrap_used)]

mod drives;
mod rooms;
mod told;

use super::ipc::{Receiver, Sender};
use super::launch::{Executor, Launch, Launched};
use super::room::Plan;
use super::*;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wasmhost_proto::executor::{Ended, FromExecutor, Run, ToExecutor};
use wasmhost_proto::input::Input;
use wasmhost_proto::limits::{MAX_LOG_BYTES, MAX_STATUS_VALUES};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::status::{NamedValue, Status, Value};
use wasmhost_proto::wire::{AttemptLimits, FinalReport, NodeSpec};
use wasmhost_proto::{Digest, JobId, Lease, TaskId};

/// The executor's end of the socket.
struct Peer {
    from: Receiver<OwnedReadHalf>,
    to: Sender<OwnedWriteHalf>,
    runs: VecDeque<Run>,
}

impl Peer {
    async fn say(&mut self, message: FromExecutor) {
        self.to.push(&message).unwrap();
        // The pool may have hung up on it already.
        let _ = self.to.flush().await;
    }

    async fn next_run(&mut self) -> Run {
        loop {
            if let Some(run) = self.runs.pop_front() {
                return run;
            }
            match self.from.next().await.unwrap() {
                Some(ToExecutor::Runs(runs)) => self.runs.extend(runs),
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until it is asked for what has not begun.
    async fn asked(&mut self) {
        while self.from.next().await.unwrap() != Some(ToExecutor::Return) {}
    }
}

fn ended(run: u64, output: &[u8]) -> FromExecutor {
    FromExecutor::Ended(vec![Ended {
        run,
        output: output.to_vec(),
        ..Ended::default()
    }])
}

type Script = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Launches tasks in place of processes; each gets the number of its launch.
struct Fake<F> {
    script: F,
    launches: AtomicU32,
}

struct Task(JoinHandle<()>);

impl Executor for Task {
    fn kill(&self) {
        self.0.abort();
    }

    fn ended(&mut self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async {
            match (&mut self.0).await {
                Ok(()) => "left".into(),
                Err(_) => "was killed".into(),
            }
        })
    }
}

impl<F: Fn(u32, Peer) -> Script + Send + Sync + 'static> Launch for Fake<F> {
    fn room(&self, _: Plan) -> Pin<Box<dyn Future<Output = io::Result<Launched>> + Send + '_>> {
        self.launch()
    }

    fn launch(&self) -> Pin<Box<dyn Future<Output = io::Result<Launched>> + Send + '_>> {
        Box::pin(async {
            let id = self.launches.fetch_add(1, Ordering::SeqCst);
            let (ours, theirs) = UnixStream::pair()?;
            let (from, to) = theirs.into_split();
            let (from, to) = (Receiver::new(from), Sender::new(to));
            let runs = VecDeque::new();
            let task = tokio::spawn((self.script)(id, Peer { from, to, runs }));
            Ok(Launched {
                id,
                stream: ours,
                process: Box::new(Task(task)),
            })
        })
    }
}

const MODULE: Digest = Digest([1; 32]);

fn spec(module: Digest, wall_ms: u64) -> NodeSpec {
    NodeSpec {
        job: JobId(1),
        node: 0,
        name: "fake".into(),
        count: 1,
        module,
        module_len: 1,
        kind: ModuleKind::Task,
        input: Input::Item,
        args: Vec::new(),
        env: Vec::new(),
        limits: AttemptLimits {
            memory: 1 << 20,
            wall_ms,
            output: 1 << 20,
        },
        script: None,
        config: Vec::new(),
        driver: false,
        grants: None,
        files: None,
        secrets: None,
    }
}

fn order(index: u32, wall_ms: u64) -> Order {
    Order {
        task: TaskId {
            job: JobId(1),
            node: 0,
            index,
        },
        lease: Lease {
            term: 1,
            attempt: 1,
        },
        spec: Arc::new(spec(MODULE, wall_ms)),
        args: Vec::new(),
        env: Vec::new(),
        config: Vec::new(),
        script: None,
        input: InputData::Bytes(b"in".to_vec()),
        room: None,
    }
}

type Events = mpsc::Receiver<PoolEvent>;

fn pool<F>(dir: &tempfile::TempDir, executors: u32, script: F) -> (Pool, Events)
where
    F: Fn(u32, Peer) -> Script + Send + Sync + 'static,
{
    let options = PoolOptions {
        program: "unused".into(),
        executors,
        slots: 4,
        dir: dir.path().join("pool"),
        rooms: Some(dir.path().join("rooms")),
    };
    let launches = AtomicU32::new(0);
    let (pool, events) = Pool::start_with(&options, Arc::new(Fake { script, launches })).unwrap();
    pool.load(MODULE, ModuleKind::Task, "module".into());
    (pool, events)
}

async fn end_of(events: &mut Events) -> PoolEnd {
    loop {
        if let PoolEvent::Ended(ends) = events.recv().await.unwrap()
            && let Some(end) = ends.into_iter().next()
        {
            return end;
        }
    }
}

/// Runs one order on an executor that answers it with `lie`, then on an honest one.
async fn check_lie(why: &str, lie: fn(&Run) -> Vec<FromExecutor>) {
    check_lie_about(order(1, 60_000), why, lie).await;
}

async fn check_lie_about(first: Order, why: &str, lie: fn(&Run) -> Vec<FromExecutor>) {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, move |launch, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            loop {
                let run = peer.next_run().await;
                peer.say(FromExecutor::Started(vec![run.run])).await;
                if launch == 0 {
                    for message in lie(&run) {
                        peer.say(message).await;
                    }
                } else {
                    peer.say(ended(run.run, b"honest")).await;
                }
            }
        })
    });
    pool.run(first);
    let end = end_of(&mut events).await;
    let failure = end.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::LostExecutor, "{failure:?}");
    assert!(
        failure.message.contains(why),
        "{} has no '{why}'",
        failure.message
    );
    pool.run(order(2, 60_000));
    let end = end_of(&mut events).await;
    assert_eq!(
        (end.failure, end.output),
        (None, OutputData::Bytes(b"honest".to_vec()))
    );
    pool.shutdown(Duration::ZERO).await;
    assert_eq!(
        std::fs::read_dir(dir.path().join("pool")).unwrap().count(),
        0
    );
}

#[tokio::test]
async fn liars_lose_their_lives() {
    check_lie("none of its own", |run| {
        vec![FromExecutor::Started(vec![run.run + 1])]
    })
    .await;
    check_lie("none of its own", |run| vec![ended(run.run + 1, b"")]).await;
    check_lie("none of its own", |run| {
        let (run, bytes) = (run.run + 1, Vec::new());
        vec![FromExecutor::OutputChunk { run, bytes }]
    })
    .await;
    check_lie("twice", |_| vec![FromExecutor::Ready]).await;
    check_lie("output", |run| {
        let (run, bytes) = (run.run, vec![0; 700_000]);
        let chunk = FromExecutor::OutputChunk { run, bytes };
        vec![chunk.clone(), chunk]
    })
    .await;
    check_lie("log", |run| {
        let (run, status) = (run.run, Status::default());
        let log = "x".repeat(MAX_LOG_BYTES);
        let message = FromExecutor::Status { run, status, log };
        vec![message.clone(), message]
    })
    .await;
    check_lie("log", |run| {
        let log = "x".repeat(2 * MAX_LOG_BYTES);
        let status = Status::default();
        vec![FromExecutor::Ended(vec![Ended {
            run: run.run,
            report: Some(Box::new(FinalReport { status, log })),
            ..Ended::default()
        }])]
    })
    .await;
    check_lie("status", |run| {
        let value = |i| NamedValue {
            name: format!("v{i}"),
            value: Value::Int(0),
        };
        let status = Status {
            values: (0..=MAX_STATUS_VALUES).map(value).collect(),
            ..Status::default()
        };
        let (run, log) = (run.run, String::new());
        vec![FromExecutor::Status { run, status, log }]
    })
    .await;
}

#[tokio::test]
async fn noise_and_silence_are_survived() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, |launch, mut peer| {
        Box::pin(async move {
            match launch {
                // Leaves at once, then talks nonsense, then never stops a run.
                0 => {}
                1 => {
                    peer.say(FromExecutor::Ready).await;
                    let run = peer.next_run().await;
                    peer.say(FromExecutor::Started(vec![run.run])).await;
                    peer.to.push(&"nonsense").unwrap();
                    peer.to.flush().await.unwrap();
                    std::future::pending().await
                }
                2 => {
                    peer.say(FromExecutor::Ready).await;
                    std::future::pending().await
                }
                _ => {
                    peer.say(FromExecutor::Ready).await;
                    let run = peer.next_run().await;
                    peer.say(ended(run.run, b"good")).await;
                    std::future::pending().await
                }
            }
        })
    });
    let mut ends = Vec::new();
    for i in 0..4 {
        // Two slots more: a neighbour on the same seat shares its fate.
        pool.run(order(i, 10));
        ends.push(loop {
            match events.recv().await.unwrap() {
                PoolEvent::Ended(ends) if !ends.is_empty() => {
                    break ends[0]
                        .failure
                        .as_ref()
                        .map_or("success", |f| f.kind.name());
                }
                PoolEvent::Returned(keys) if !keys.is_empty() => break "returned",
                _ => {}
            }
        });
    }
    assert_eq!(
        ends,
        ["lost_executor", "lost_executor", "time_limit", "success"]
    );
}

#[tokio::test]
async fn a_run_that_is_killed_ends_even_if_its_executor_does_not_obey() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, |_, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            let run = peer.next_run().await;
            peer.say(FromExecutor::Started(vec![run.run])).await;
            std::future::pending().await
        })
    });
    let order = order(1, 3_600_000);
    let (task, lease) = (order.task, order.lease);
    let run = pool.run(order);
    while events.recv().await.unwrap() != PoolEvent::Started(vec![(task, lease)]) {}
    pool.cancel(run);
    pool.kill(run);
    let end = end_of(&mut events).await;
    assert_eq!(end.failure.unwrap().kind, FailureKind::Cancelled);
}

#[tokio::test]
async fn orders_that_cannot_be_taken_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 2, |_, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            peer.next_run().await;
            std::future::pending().await
        })
    });
    let kind = |end: &PoolEnd| end.failure.as_ref().map(|f| f.kind);
    let mut unknown = order(0, 1000);
    unknown.spec = Arc::new(spec(Digest([2; 32]), 1000));
    pool.run(unknown);
    assert_eq!(
        kind(&end_of(&mut events).await),
        Some(FailureKind::HostFault)
    );
    let mut huge = order(0, 1000);
    huge.args = vec!["x".repeat(2 << 20)];
    pool.run(huge);
    assert_eq!(
        kind(&end_of(&mut events).await),
        Some(FailureKind::BadInput)
    );
    pool.shutdown(Duration::ZERO).await;
    assert!(
        events
            .recv()
            .await
            .is_none_or(|e| !matches!(e, PoolEvent::Ended(_)))
    );
}

#[tokio::test]
async fn executors_that_fall_over_what_they_never_begin_do_not_go_on_for_ever() {
    // The first may have been anybody's fault; from then on it is known whose.
    check_loss(["returned", "charged", "charged"], |_| vec![]).await;
}

#[tokio::test]
async fn what_nobody_asked_for_is_not_taken_back() {
    check_loss(["charged"; 3], |run| {
        vec![FromExecutor::Returned(vec![run.run])]
    })
    .await;
}

/// What becomes of three orders, one after the other, on executors that each take one,
/// say `words` to it and fall.
async fn check_loss(want: [&str; 3], words: fn(&Run) -> Vec<FromExecutor>) {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, move |_, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            let run = peer.next_run().await;
            for message in words(&run) {
                peer.say(message).await;
            }
        })
    });
    for (index, want) in (0..).zip(want) {
        pool.run(order(index, 60_000));
        let became = loop {
            match events.recv().await.unwrap() {
                PoolEvent::Ended(ends) if !ends.is_empty() => break "charged",
                PoolEvent::Returned(keys) if !keys.is_empty() => break "returned",
                _ => {}
            }
        };
        assert_eq!(became, want, "order {index}");
    }
}

/// What becomes of orders 1 and 2, in that order of events, when their executor is asked
/// for what has not begun and answers with `words`.
async fn check_taken_back(want: [(u32, &str); 2], words: fn(u64, u64) -> Vec<Vec<u64>>) {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, move |_, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            let (first, second) = (peer.next_run().await, peer.next_run().await);
            peer.asked().await;
            for runs in words(first.run, second.run) {
                peer.say(FromExecutor::Returned(runs)).await;
            }
            std::future::pending().await
        })
    });
    let alive = |event: &PoolEvent| matches!(event, PoolEvent::Executors { alive: 1, .. });
    while !alive(&events.recv().await.unwrap()) {}
    pool.run(order(1, 60_000));
    pool.run(order(2, 60_000));
    pool.take_back();
    let mut became = Vec::new();
    while became.len() < want.len() {
        match events.recv().await.unwrap() {
            PoolEvent::Ended(ends) => {
                became.extend(ends.into_iter().map(|end| (end.task.index, "charged")));
            }
            PoolEvent::Returned(keys) => {
                became.extend(keys.into_iter().map(|(task, _)| (task.index, "returned")));
            }
            _ => {}
        }
    }
    assert_eq!(became, want);
}

#[tokio::test]
async fn what_was_asked_for_is_taken_back_once_and_whole() {
    let once = |first, second| vec![vec![second], vec![first]];
    check_taken_back([(2, "returned"), (1, "charged")], once).await;
    let with_a_stranger = |_, second| vec![vec![second, 99]];
    check_taken_back([(1, "charged"), (2, "returned")], with_a_stranger).await;
}
