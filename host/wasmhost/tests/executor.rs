//! The pool and the compile cache with real processes of the real binary.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    dead_code,
    unused_imports,
    unreachable_pub
)]

// The binary has no library; its module is built a second time for these tests.
#[path = "../src/executor/mod.rs"]
mod executor;

use executor::*;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{Digest, JobId, Lease, TaskId};

const KIND: ModuleKind = ModuleKind::CoreCommand;

/// Copies standard input to standard output; spins when it begins with `!`.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_start")
        (loop $more
            (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 65536))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (if (i32.load (i32.const 8)) (then
                (if (i32.eq (i32.load8_u (i32.const 65536)) (i32.const 33))
                    (then (loop $spin (br $spin))))
                (i32.store (i32.const 4) (i32.load (i32.const 8)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (br $more))))))"#;

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_wasmhost").into()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// A folder with a cache, and modules put into it.
struct Place {
    dir: tempfile::TempDir,
    compiles: AtomicU32,
}

impl Place {
    fn new() -> Place {
        let (dir, compiles) = (tempfile::tempdir().unwrap(), AtomicU32::new(0));
        Place { dir, compiles }
    }

    fn cache(&self, max_bytes: u64) -> CompileCache {
        CompileCache::open(&self.dir.path().join("cache"), max_bytes, program()).unwrap()
    }

    async fn get(&self, cache: &CompileCache, wasm: &[u8]) -> Result<PathBuf, CompileFailure> {
        let digest = digest(wasm);
        let path = self.dir.path().join(digest.hex());
        fs::write(&path, wasm).unwrap();
        let count = || drop(self.compiles.fetch_add(1, Ordering::SeqCst));
        cache.get(&path, digest, KIND, count).await
    }

    /// The number of compiles since the last call.
    fn compiles(&self) -> u32 {
        self.compiles.swap(0, Ordering::SeqCst)
    }
}

fn guest() -> Vec<u8> {
    wat::parse_str(GUEST).unwrap()
}

/// A module that is unlike any other.
fn numbered(n: u32) -> Vec<u8> {
    wat::parse_str(format!(
        "(module (func (export \"_start\") (drop (i32.const {n}))))"
    ))
    .unwrap()
}

#[tokio::test]
async fn compiled_modules_are_kept_and_checked() {
    let place = Place::new();
    let cache = place.cache(1 << 30);
    let wasm = guest();
    let (one, two) = tokio::join!(place.get(&cache, &wasm), place.get(&cache, &wasm));
    let path = one.unwrap();
    assert_eq!(path, two.unwrap());
    assert_eq!(place.compiles(), 1, "one compile for all who ask");
    place.get(&cache, &wasm).await.unwrap();
    assert_eq!(place.compiles(), 0);

    place.get(&place.cache(1 << 30), &wasm).await.unwrap();
    assert_eq!(place.compiles(), 0, "kept over a restart");

    // Whatever another hand has touched is compiled again.
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let damages: [&dyn Fn(); 5] = [
        &|| flip(&path),
        &|| flip(&path.with_extension("mac")),
        &|| flip(&path.with_file_name("key")),
        &|| fs::remove_file(path.with_extension("mac")).unwrap(),
        &|| fs::write(&path, b"").unwrap(),
    ];
    for (i, damage) in damages.iter().enumerate() {
        damage();
        place.get(&place.cache(1 << 30), &wasm).await.unwrap();
        assert_eq!(place.compiles(), 1, "damage {i}");
    }
    // A good file under another module's name is as wrong.
    let other = place
        .get(&place.cache(1 << 30), &numbered(1))
        .await
        .unwrap();
    assert_eq!(place.compiles(), 1);
    for extension in ["code", "mac"] {
        fs::copy(
            other.with_extension(extension),
            path.with_extension(extension),
        )
        .unwrap();
    }
    place.get(&place.cache(1 << 30), &wasm).await.unwrap();
    assert_eq!(place.compiles(), 1);
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let place = Place::new();
    let len = |path: &Path| fs::metadata(path).unwrap().len();
    let one = place
        .get(&place.cache(1 << 30), &numbered(1))
        .await
        .unwrap();
    let cache = place.cache(2 * len(&one) + len(&one) / 2);
    let two = place.get(&cache, &numbered(2)).await.unwrap();
    assert!(one.exists() && two.exists());
    place.get(&cache, &numbered(1)).await.unwrap();
    let three = place.get(&cache, &numbered(3)).await.unwrap();
    assert!(
        one.exists() && !two.exists() && three.exists(),
        "the longest unused goes"
    );
    fs::write(one.with_file_name("stray.tmp"), b"x").unwrap();
    let tiny = place.cache(1);
    assert!(!one.exists() && !three.exists() && !one.with_file_name("stray.tmp").exists());
    let four = place.get(&tiny, &numbered(4)).await.unwrap();
    assert!(
        four.exists(),
        "what was asked for is there whatever the bound"
    );
}

#[tokio::test]
async fn bad_modules_are_rejected_and_remembered() {
    let place = Place::new();
    let cache = place.cache(1 << 30);
    let unknown = "(module (import \"env\" \"system\" (func)) (func (export \"_start\")))";
    for (wasm, want) in [
        (b"\x7fELF".to_vec(), "magic"),
        (guest()[..100].to_vec(), ""),
        (wat::parse_str(unknown).unwrap(), "env::system"),
    ] {
        for compiles in [1, 0] {
            let failure = place.get(&cache, &wasm).await.unwrap_err();
            let CompileFailure::Rejected(reason) = failure else {
                panic!("{failure}");
            };
            assert!(reason.contains(want) && !reason.is_empty(), "{reason}");
            assert_eq!(place.compiles(), compiles);
        }
    }
    let missing = place.dir.path().join("missing");
    let failure = cache
        .get(&missing, digest(b""), KIND, || {})
        .await
        .unwrap_err();
    assert!(matches!(failure, CompileFailure::Fault(_)), "{failure}");
}

struct Running {
    pool: Pool,
    events: mpsc::Receiver<PoolEvent>,
    module: Digest,
    place: Place,
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
    };
    let (pool, events) = Pool::start(options).unwrap();
    let module = digest(&wasm);
    pool.load(module, KIND, path);
    Running {
        pool,
        events,
        module,
        place,
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
            name: "copy".into(),
            count: 1,
            module: self.module,
            args: Vec::new(),
            env: Vec::new(),
            limits: AttemptLimits {
                memory: 1 << 20,
                wall_ms,
                output: 64 << 20,
            },
            input,
        }
    }

    fn run(&self, index: u32, wall_ms: u64, input: InputData) {
        self.pool.run(self.order(index, wall_ms, input));
    }

    async fn next(&mut self) -> PoolEvent {
        self.events.recv().await.unwrap()
    }

    async fn started(&mut self, index: u32) {
        while !matches!(self.next().await, PoolEvent::Started(task, _) if task.index == index) {}
    }

    async fn ended(&mut self) -> PoolEnd {
        loop {
            if let PoolEvent::Ended(end) = self.next().await {
                return *end;
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
    running.run(2, 3_600_000, bytes(b"!"));
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
    let order = running.order(2, 0, bytes(b""));
    running.pool.kill(order.task, order.lease);
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
    let mut running = start(2, 3).await;
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
            PoolEvent::Ended(end) => break end,
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
    };
    let (pool, mut events) = Pool::start(options).unwrap();
    while !matches!(
        events.recv().await.unwrap(),
        PoolEvent::Executors { alive: 0, lost: 2 }
    ) {}
    drop(pool);
}
