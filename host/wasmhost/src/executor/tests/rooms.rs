//! Runs with files: each in a process of its own, as many at once as there are slots, and
//! those that wait can still be stopped and given back.

use super::super::room::Room;
use super::*;
use wasmhost_proto::outcome::FailureKind;

fn with_files(index: u32) -> Order {
    Order {
        room: Some(Room::default()),
        ..order(index, 60_000)
    }
}

/// What becomes of the next run that is over or comes back: its index, and how it ended.
async fn next(events: &mut Events) -> (u32, &'static str) {
    loop {
        match events.recv().await.unwrap() {
            PoolEvent::Ended(ends) if !ends.is_empty() => {
                let failure = ends[0].failure.as_ref();
                return (
                    ends[0].task.index,
                    failure.map_or("success", |f| f.kind.name()),
                );
            }
            PoolEvent::Returned(keys) if !keys.is_empty() => return (keys[0].0.index, "returned"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn each_has_a_process_of_its_own_which_is_told_to_leave() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, |_, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            let run = peer.next_run().await;
            // The seat that is no room is not for them.
            let left = peer.from.next::<ToExecutor>().await.unwrap();
            assert_eq!(left, Some(ToExecutor::Shutdown));
            assert!(peer.runs.is_empty());
            peer.say(ended(run.run, b"")).await;
        })
    });
    for index in 0..12 {
        pool.run(with_files(index));
    }
    let mut seen = Vec::new();
    for _ in 0..12 {
        let (index, how) = next(&mut events).await;
        assert_eq!(how, "success", "{index}");
        seen.push(index);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..12).collect::<Vec<_>>());
}

#[tokio::test]
async fn those_that_wait_are_stopped_and_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, |_, mut peer| {
        Box::pin(async move {
            peer.say(FromExecutor::Ready).await;
            std::future::pending().await
        })
    });
    let runs: Vec<u64> = (0..7).map(|index| pool.run(with_files(index))).collect();
    // Four rooms, and the seat for runs without files.
    loop {
        if let PoolEvent::Executors { alive: 5, .. } = events.recv().await.unwrap() {
            break;
        }
    }
    pool.kill(runs[6]);
    assert_eq!(next(&mut events).await, (6, "cancelled"));
    pool.cancel(runs[5]);
    assert_eq!(next(&mut events).await, (5, "cancelled"));
    pool.take_back();
    assert_eq!(next(&mut events).await, (4, "returned"));
}

#[tokio::test]
async fn a_process_that_dies_costs_its_run_whatever_it_has_said() {
    let dir = tempfile::tempdir().unwrap();
    let (pool, mut events) = pool(&dir, 1, |launch, mut peer| {
        Box::pin(async move {
            // Before it is ready, before it says that the run begins, and after.
            if launch % 3 > 0 {
                peer.say(FromExecutor::Ready).await;
                let run = peer.next_run().await;
                if launch % 3 > 1 {
                    peer.say(FromExecutor::Started(vec![run.run])).await;
                }
            }
        })
    });
    for index in 0..6 {
        pool.run(with_files(index));
        let how = next(&mut events).await;
        assert_eq!(how, (index, FailureKind::LostExecutor.name()));
    }
}

#[tokio::test]
async fn where_there_are_no_rooms_they_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = PoolOptions {
        program: "unused".into(),
        executors: 1,
        slots: 1,
        dir: dir.path().join("pool"),
        rooms: None,
    };
    let fake = Fake {
        script: |_, _| -> Script { Box::pin(std::future::pending()) },
        launches: AtomicU32::new(0),
    };
    let (pool, mut events) = Pool::start_with(&options, Arc::new(fake)).unwrap();
    pool.load(MODULE, ModuleKind::Task, "module".into());
    pool.run(with_files(0));
    assert_eq!(next(&mut events).await, (0, "host_fault"));
}
