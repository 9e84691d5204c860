//! What executors say for drivers: of a run that is one, and within bounds, or it costs
//! them their lives; and however much of it they say, it waits for its reader.

use super::super::pool::EVENTS;
use super::*;
use tokio::task::yield_now;
use wasmhost_proto::limits::{MAX_NAME, MAX_SPAWN_INPUT, MAX_SPAWN_KEY};
use wasmhost_sandbox::DriverCall;

/// An order for a driver, or for a plain task.
fn driver(is: bool) -> Order {
    let spec = NodeSpec {
        driver: is,
        ..spec(MODULE, 60_000)
    };
    Order {
        spec: Arc::new(spec),
        ..order(1, 60_000)
    }
}

fn spawn(run: u64, key: &str, node: &str, input: usize) -> FromExecutor {
    FromExecutor::Spawn {
        run,
        key: key.into(),
        node: node.into(),
        input: vec![0; input],
    }
}

fn cancel(run: u64, key: &str) -> FromExecutor {
    let key = key.into();
    FromExecutor::CancelSpawned { run, key }
}

#[tokio::test]
async fn who_lies_for_a_driver_loses_its_life() {
    // Not a driver.
    let plain: [fn(&Run) -> Vec<FromExecutor>; 4] = [
        |run| vec![spawn(run.run, "a", "work", 0)],
        |run| vec![cancel(run.run, "a")],
        |run| vec![FromExecutor::Await { run: run.run }],
        |run| vec![FromExecutor::NextRequest { run: run.run }],
    ];
    for lie in plain {
        check_lie_about(driver(false), "is no driver", lie).await;
    }
    // Another's run.
    let strange: [fn(&Run) -> Vec<FromExecutor>; 4] = [
        |run| vec![spawn(run.run + 1, "a", "work", 0)],
        |run| vec![cancel(run.run + 1, "a")],
        |run| vec![FromExecutor::Await { run: run.run + 1 }],
        |run| vec![FromExecutor::NextRequest { run: run.run + 1 }],
    ];
    for lie in strange {
        check_lie_about(driver(true), "none of its own", lie).await;
    }
    // More than a sandbox lets through.
    let large: [fn(&Run) -> Vec<FromExecutor>; 7] = [
        |run| vec![spawn(run.run, "", "work", 0)],
        |run| vec![spawn(run.run, "a\nb", "work", 0)],
        |run| vec![spawn(run.run, &"k".repeat(MAX_SPAWN_KEY + 1), "work", 0)],
        |run| vec![spawn(run.run, "a", &"n".repeat(MAX_NAME + 1), 0)],
        |run| vec![spawn(run.run, "a", "work", MAX_SPAWN_INPUT + 1)],
        |run| vec![cancel(run.run, "")],
        |run| vec![cancel(run.run, &"k".repeat(MAX_SPAWN_KEY + 1))],
    ];
    for lie in large {
        check_lie_about(driver(true), "out of bounds", lie).await;
    }
    // What it says of a run that is over is of none of its own.
    let late = |run: &Run| vec![ended(run.run, b""), spawn(run.run, "a", "work", 0)];
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, move |_, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            let run = peer.next_run().await;
            for message in late(&run) {
                peer.say(message).await;
            }
            std::future::pending().await
        })
    });
    pool.run(driver(true));
    let mut drives = 0;
    loop {
        match events.recv().await.unwrap() {
            PoolEvent::Drives { .. } => drives += 1,
            PoolEvent::Executors { lost: 1, .. } => break,
            _ => {}
        }
    }
    assert_eq!(drives, 0);
}

#[tokio::test]
async fn a_flood_waits_for_its_reader() {
    const FLOOD: usize = 4 * EVENTS;
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, |_, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            let run = peer.next_run().await.run;
            for _ in 0..FLOOD {
                peer.say(FromExecutor::Await { run }).await;
            }
            peer.say(ended(run, b"done")).await;
            std::future::pending().await
        })
    });
    pool.run(driver(true));
    while events.len() < EVENTS {
        yield_now().await;
    }
    assert_eq!(events.len(), EVENTS, "no more than that is held");
    let mut asked = 0;
    let end = loop {
        match events.recv().await.unwrap() {
            PoolEvent::Drives { call, .. } => asked += usize::from(call == DriverCall::Await),
            PoolEvent::Ended(mut ends) if !ends.is_empty() => break ends.remove(0),
            _ => {}
        }
    };
    assert_eq!((asked, end.failure), (FLOOD, None), "it is no crime");
}
