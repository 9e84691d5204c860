//! What was taken off a seat is told, wherever its executor is killed: while the
//! channel of events is full, or while an output is on its way to a disk that hangs.

use super::super::pool::EVENTS;
use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::OpenOptions;
use tokio::sync::Notify;
use tokio::task::yield_now;
use wasmhost_proto::limits::MAX_INLINE;

/// What became of each order, by index, up to the death of the only executor.
async fn became(events: &mut Events) -> Vec<(u32, &'static str)> {
    let mut became = Vec::new();
    loop {
        match events.recv().await.unwrap() {
            PoolEvent::Ended(ends) => became.extend(ends.into_iter().map(|end| {
                let how = end.failure.map_or("success", |f| f.kind.name());
                (end.task.index, how)
            })),
            PoolEvent::Returned(keys) => {
                became.extend(keys.into_iter().map(|(task, _)| (task.index, "returned")));
            }
            PoolEvent::Executors { alive: 0, .. } => break,
            _ => {}
        }
    }
    became.sort_unstable();
    became
}

/// Publishes so much about a run that all events waiting are `count`.
async fn fill(peer: &mut Peer, run: u64, count: usize) {
    for _ in 1..count {
        let (status, log) = (Status::default(), String::new());
        peer.say(FromExecutor::Status { run, status, log }).await;
    }
}

/// Lets the pool come to `count` events that nobody reads.
async fn wait_for(events: &Events, count: usize) {
    while events.len() < count {
        yield_now().await;
    }
}

/// Says when the executor is killed.
struct Gone(Arc<Notify>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Orders 1 and 2 are on an executor that goes on with the second one for too long.
/// Before it is killed for that, with `count` events waiting, its last words are read.
async fn check_overdue(count: usize, last: fn() -> FromExecutor, want: [(u32, &str); 2]) {
    let dir = tempfile::tempdir().unwrap();
    let gone = Arc::new(Notify::new());
    let signal = gone.clone();
    let (pool, mut events) = pool(&dir, 1, move |launch, mut peer| {
        let signal = signal.clone();
        Box::pin(async move {
            if launch == 0 {
                let _gone = Gone(signal);
                peer.say(FromExecutor::Ready).await;
                let run = peer.next_run().await;
                peer.next_run().await;
                fill(&mut peer, run.run, count).await;
                peer.asked().await;
                peer.say(last()).await;
                std::future::pending().await
            }
        })
    });
    // Nothing can be written to it before somebody reads.
    let pipe = dir.path().join("pool/2");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    pool.run(order(1, 3_600_000));
    pool.run(order(2, 10));
    wait_for(&events, count).await;
    pool.take_back();
    gone.notified().await;
    let became = became(&mut events).await;
    drop(OpenOptions::new().read(true).write(true).open(pipe));
    assert_eq!(became, want);
}

#[tokio::test]
async fn ends_outlive_an_executor_that_is_killed_while_nobody_reads_them() {
    let want = [(1, "returned"), (2, "time_limit")];
    check_overdue(EVENTS, || ended(1, b"end"), want).await;
}

#[tokio::test]
async fn what_was_given_back_outlives_an_executor_that_is_killed_while_nobody_reads() {
    let want = [(1, "returned"), (2, "time_limit")];
    check_overdue(EVENTS, || FromExecutor::Returned(vec![1]), want).await;
}

#[tokio::test]
async fn ends_outlive_an_executor_that_is_killed_while_the_disk_hangs() {
    let last = || {
        let end = |run, len| Ended {
            run,
            output: vec![0; len],
            ..Ended::default()
        };
        FromExecutor::Ended(vec![end(1, 1), end(2, MAX_INLINE + 1)])
    };
    check_overdue(1, last, [(1, "success"), (2, "time_limit")]).await;
}

#[tokio::test]
async fn refused_orders_outlive_an_executor_that_leaves_while_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let leave = Arc::new(Notify::new());
    let signal = leave.clone();
    let (pool, mut events) = pool(&dir, 1, move |launch, mut peer| {
        let signal = signal.clone();
        Box::pin(async move {
            if launch == 0 {
                peer.say(FromExecutor::Ready).await;
                let run = peer.next_run().await;
                fill(&mut peer, run.run, EVENTS).await;
                signal.notified().await;
            }
        })
    });
    pool.run(order(1, 60_000));
    wait_for(&events, EVENTS).await;
    let mut huge = order(2, 60_000);
    huge.args = vec!["x".repeat(2 << 20)];
    pool.run(huge);
    // The refusal gets as far as it can, and then the leaving does.
    let far = async || {
        for _ in 0..1000 {
            yield_now().await
        }
    };
    far().await;
    leave.notify_one();
    far().await;
    let want = [(1, "returned"), (2, "returned")];
    assert_eq!(became(&mut events).await, want);
}
