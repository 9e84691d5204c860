//! Executors: fed, killed by others, killed by us, replaced.

use crate::executor::*;
use crate::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use wasmhost_proto::executor::RunId;
use wasmhost_proto::input::Input;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::wire::{AttemptLimits, NodeSpec};
use wasmhost_proto::{JobId, Lease, TaskId};

struct Running {
    pool: Pool,
    events: mpsc::Receiver<PoolEvent>,
    module: Digest,
    place: Place,
    ends: VecDeque<PoolEnd>,
}

async fn start(executors: u32, slots: u32) -> Running {
    let place = Place::new();
    let wasm = guest();
    let path = place.get(&place.cache(1 << 30), &wasm).await.unwrap();
    let options = PoolOptions {
        program: program(),
        executors,
        slots,
        dir: place.dir.path().join("pool"),
        rooms: None,
    };
    let (pool, events) = Pool::start(options).unwrap();
    let module = digest(&wasm);
    pool.load(module, KIND, path);
    Running {
        pool,
        events,
        module,
        place,
        ends: VecDeque::new(),
    }
}

impl Running {
    fn order(&self, index: u32, wall_ms: u64, input: InputData) -> Order {
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
            spec: Arc::new(NodeSpec {
                job: JobId(1),
                node: 0,
                name: "copy".into(),
                count: 1,
                module: self.module,
                module_len: 1,
                kind: KIND,
                input: Input::Item,
                args: Vec::new(),
                env: Vec::new(),
                limits: AttemptLimits {
                    memory: 1 << 20,
                    wall_ms,
                    output: 64 << 20,
                },
                script: None,
                config: Vec::new(),
                driver: false,
                grants: None,
                files: None,
                secrets: None,
            }),
            args: Vec::new(),
            env: Vec::new(),
            config: Vec::new(),
            script: None,
            input,
            room: None,
        }
    }

    fn run(&self, index: u32, wall_ms: u64, input: InputData) -> RunId {
        self.pool.run(self.order(index, wall_ms, input))
    }

    async fn next(&mut self) -> PoolEvent {
        self.events.recv().await.unwrap()
    }

    async fn started(&mut self, index: u32) {
        let is = |runs: &[(TaskId, Lease)]| runs.iter().any(|(task, _)| task.index == index);
        while !matches!(self.next().await, PoolEvent::Started(runs) if is(&runs)) {}
    }

    async fn ended(&mut self) -> PoolEnd {
        loop {
            if let Some(end) = self.ends.pop_front() {
                return end;
            }
            if let PoolEvent::Ended(ends) = self.next().await {
                self.ends.extend(ends);
            }
        }
    }

    async fn alive(&mut self, count: u32) {
        while !matches!(self.next().await, PoolEvent::Executors { alive, .. } if alive == count) {}
    }
}

fn kind(end: &PoolEnd) -> Option<FailureKind> {
    end.failure.as_ref().map(|f| f.kind)
}

fn bytes(text: &[u8]) -> InputData {
    InputData::Bytes(text.to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_and_outputs_of_any_size() {
    let mut running = start(1, 4).await;
    for (i, len) in [
        0,
        1,
        16 << 10,
        (16 << 10) + 1,
        256 << 10,
        1 << 20,
        5_000_001,
    ]
    .into_iter()
    .enumerate()
    {
        let content: Vec<u8> = (0..len).map(|n| n as u8 | 128).collect();
        let path = running.place.dir.path().join("input");
        fs::write(&path, &content).unwrap();
        for (j, input) in [InputData::Bytes(content.clone()), InputData::File(path)]
            .into_iter()
            .enumerate()
        {
            running.run((2 * i + j) as u32, 60_000, input);
            let end = running.ended().await;
            assert_eq!(kind(&end), None, "{end:?}");
            match end.output {
                OutputData::Bytes(bytes) => assert!(bytes == content && len <= 16 << 10),
                OutputData::File {
                    path,
                    len: said,
                    digest: sum,
                } => {
                    assert!(len > 16 << 10 && said == len as u64 && sum == digest(&content));
                    assert!(fs::read(path).unwrap() == content);
                }
            }
        }
    }
    running.run(100, 60_000, InputData::File("/nonexistent".into()));
    assert_eq!(kind(&running.ended().await), Some(FailureKind::HostFault));
    running.pool.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spinning_guests_end_and_neighbours_do_not_notice() {
    let mut running = start(1, 4).await;
    running.run(1, 200, bytes(b"!"));
    let long = running.run(2, 3_600_000, bytes(b"!"));
    running.started(2).await;
    running.run(3, 60_000, bytes(b"good"));
    let end = running.ended().await;
    // The good one comes first unless the machine is very slow.
    let mut ends = vec![(end.task.index, kind(&end)), {
        let end = running.ended().await;
        (end.task.index, kind(&end))
    }];
    ends.sort_unstable();
    assert_eq!(ends, [(1, Some(FailureKind::TimeLimit)), (3, None)]);
    running.pool.kill(long);
    assert_eq!(kind(&running.ended().await), Some(FailureKind::Cancelled));
}

/// The executor processes of this test's pool: children of this process that run it.
fn children(threads_of: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{threads_of}/task")).unwrap() {
        let path = task.unwrap().path().join("children");
        let text = fs::read_to_string(path).unwrap_or_default();
        found.extend(
            text.split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_executor_costs_only_its_own_runs() {
    let mut running = start(2, 6).await;
    running.alive(2).await;
    for i in 0..2 {
        running.run(i, 3_600_000, bytes(b"!"));
        running.started(i).await;
    }
    // One run on each. No other test here has executors of three slots.
    let slots = "3";
    let parent = std::process::id().to_string();
    let ours = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut args = line.split('\0').skip(1);
        [args.next(), args.next(), args.next()] == [Some("executor"), Some(slots), Some(&parent)]
    };
    let pid = children(std::process::id()).into_iter().find(ours).unwrap();
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let end = running.ended().await;
    let failure = end.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::LostExecutor);
    assert!(
        failure.message.contains("was killed by signal 9"),
        "{}",
        failure.message
    );
    running.alive(2).await;
    running.run(7, 60_000, bytes(b"again"));
    let end = running.ended().await;
    assert_eq!((end.task.index, kind(&end)), (7, None));
    assert_eq!(end.output, OutputData::Bytes(b"again".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_lets_runs_end() {
    let mut running = start(2, 4).await;
    running.run(1, 500, bytes(b"!"));
    running.started(1).await;
    let shutdown = tokio::spawn(running.pool.shutdown(Duration::from_secs(60)));
    let end = loop {
        match running.events.recv().await.unwrap() {
            PoolEvent::Ended(ends) => match ends.into_iter().next() {
                Some(end) => break end,
                None => continue,
            },
            _ => continue,
        }
    };
    assert_eq!(kind(&end), Some(FailureKind::TimeLimit));
    while running.events.recv().await.is_some() {}
    shutdown.await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_none_does_not_hurt() {
    let dir = tempfile::tempdir().unwrap();
    let options = PoolOptions {
        program: "/bin/false".into(),
        executors: 1,
        slots: 1,
        dir: dir.path().join("pool"),
        rooms: None,
    };
    let (pool, mut events) = Pool::start(options).unwrap();
    while !matches!(
        events.recv().await.unwrap(),
        PoolEvent::Executors { alive: 0, lost: 2 }
    ) {}
    drop(pool);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_behind_a_long_run_comes_back() {
    let mut running = start(1, 1).await;
    let long = running.run(1, 3_600_000, bytes(b"!"));
    running.started(1).await;
    let waiting: Vec<u32> = (2..50).collect();
    for index in &waiting {
        running.run(*index, 60_000, bytes(b"good"));
    }
    running.pool.take_back();
    let back = loop {
        if let PoolEvent::Returned(back) = running.next().await {
            break back;
        }
    };
    let back: Vec<u32> = back.iter().map(|(task, _)| task.index).collect();
    assert_eq!(back, waiting);
    running.run(60, 60_000, bytes(b"good"));
    running.pool.kill(long);
    assert_eq!(kind(&running.ended().await), Some(FailureKind::Cancelled));
    let end = running.ended().await;
    assert_eq!((end.task.index, kind(&end)), (60, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_short_runs_ends_in_order() {
    let mut running = start(1, 2).await;
    let all: Vec<u32> = (0..3000).collect();
    for index in &all {
        running.run(*index, 60_000, bytes(b"short"));
    }
    let mut ended = Vec::new();
    for _ in &all {
        let end = running.ended().await;
        assert_eq!(kind(&end), None, "{end:?}");
        ended.push(end.task.index);
    }
    assert_eq!(ended, all);
}
