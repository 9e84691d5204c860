//! Our sandbox against bare wasmtime, one attempt after the other on one thread:
//! what limits, status, log, time and the naming of ends cost. In processor time,
//! which a busy machine does not stretch.

use crate::bare::{self, Bare};
use crate::place::{Folder, Place};
use crate::scenario::{Better, Figure, Group, Run, Sample, Target};
use anyhow::{Result, ensure};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use wasmhost_paths::processor_time;
use wasmhost_proto::executor::RunScript;
use wasmhost_proto::limits::{DEFAULT_MEMORY, DEFAULT_OUTPUT, DEFAULT_WALL_MS};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{JobId, Lease, TaskId};
use wasmhost_sandbox::{Attempt, Controls, Program, Reporter, Sandbox, SandboxOptions};

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[Figure {
            name: "sandbox-task",
            unit: "ns",
            better: Better::Lower,
            target: Some(Target::Ratio(2.0)),
            what: "one attempt of a no-op component by Sandbox::run; limit: bare wasmtime with WASI",
        }],
        runs: 7,
        set_up: |place| against_bare(place, "fixtures/noop", ModuleKind::Task, b"null"),
    },
    Group {
        figures: &[Figure {
            name: "sandbox-command",
            unit: "ns",
            better: Better::Lower,
            target: Some(Target::Ratio(2.0)),
            what: "a preview 1 program that copies 100 bytes to its output; limit: bare wasmtime",
        }],
        runs: 7,
        set_up: |place| {
            let input = [b'x'; 100];
            against_bare(place, "fixtures/plain-p1", ModuleKind::CoreCommand, &input)
        },
    },
    Group {
        figures: &[
            Figure {
                name: "bare-processes",
                unit: "runs/s",
                better: Better::Higher,
                target: None,
                what: "bare wasmtime, the no-op component in a process per core: the limit of throughput",
            },
            Figure {
                name: "bare-threads",
                unit: "runs/s",
                better: Better::Higher,
                target: None,
                what: "the same by threads of one process; limit: the processes",
            },
        ],
        runs: 5,
        set_up: all_cores,
    },
    Group {
        figures: &[Figure {
            name: "slot-memory",
            unit: "KiB",
            better: Better::Lower,
            target: None,
            what: "resident memory of a live instance of bare wasmtime, of 1,000: the limit of sandbox-memory",
        }],
        runs: 5,
        set_up: slot_memory,
    },
];

/// Attempts on either side before the sides change.
const TURN: u32 = 1_000;
/// Turns of a run.
const TURNS: u32 = 10;

/// A sandbox with one guest in it.
pub(crate) struct Ours {
    runtime: Runtime,
    sandbox: Sandbox,
    program: Program,
    script: Option<Arc<RunScript>>,
    _folder: Folder,
}

impl Ours {
    pub(crate) fn new(place: &Place, wasm: &[u8], kind: ModuleKind) -> Result<Ours> {
        let folder = place.folder()?;
        let path = folder.path().join("guest");
        wasmhost_sandbox::compile(wasm, kind, &path)?;
        let sandbox = Sandbox::new(SandboxOptions { slots: 16 })?;
        let program = sandbox.load(&path, kind)?;
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build()?;
        Ok(Ours {
            runtime,
            sandbox,
            program,
            script: None,
            _folder: folder,
        })
    }

    /// What its engine runs.
    pub(crate) fn with_script(self, script: Arc<RunScript>) -> Ours {
        Ours {
            script: Some(script),
            ..self
        }
    }

    /// Runs attempts with `input`, one after the other; their processor time without their making.
    pub(crate) fn run(&self, input: &[u8], runs: u32) -> Result<Duration> {
        let attempt = |n| Attempt {
            script: self.script.clone(),
            ..attempt(input, n)
        };
        let attempts: Vec<Attempt> = (0..runs).map(attempt).collect();
        self.runtime.block_on(async {
            let begin = processor_time();
            for attempt in attempts {
                let (controls, program) = (Controls::default(), &self.program);
                let done = self.sandbox.run(program, attempt, controls, Nobody).await;
                ensure!(
                    done.failure.is_none(),
                    "an attempt failed: {:?}",
                    done.failure
                );
            }
            Ok(processor_time() - begin)
        })
    }
}

/// Listens to nothing.
struct Nobody;

impl Reporter for Nobody {
    fn published(&self, _: Status, _: String) {}
}

fn attempt(input: &[u8], index: u32) -> Attempt {
    Attempt {
        task: TaskId {
            job: JobId(1),
            node: 0,
            index,
        },
        lease: Lease {
            term: 1,
            attempt: 1,
        },
        name: "bench".into(),
        count: 1,
        args: vec![],
        env: vec![],
        limits: AttemptLimits {
            memory: DEFAULT_MEMORY,
            wall_ms: DEFAULT_WALL_MS,
            output: DEFAULT_OUTPUT,
        },
        input: input.to_vec(),
        network: false,
        driver: None,
        root: None,
        collect: Vec::new(),
        config: vec![],
        script: None,
    }
}

fn against_bare(place: &Place, name: &str, kind: ModuleKind, input: &[u8]) -> Result<Run> {
    let wasm = place.guest(name)?;
    let (ours, bare) = (Ours::new(place, &wasm, kind)?, Bare::new(&wasm, 16)?);
    let input = input.to_vec();
    // First touches of memory are dear and come once.
    ours.run(&input, TURN)?;
    bare.nanoseconds(&input, TURN)?;
    Ok(Box::new(move || {
        let (mut value, mut limit) = (0.0, 0.0);
        for _ in 0..TURNS {
            value += ours.run(&input, TURN)?.as_nanos() as f64 / f64::from(TURN);
            limit += bare.nanoseconds(&input, TURN)?;
        }
        let turns = f64::from(TURNS);
        Ok(vec![Sample::new(value / turns, limit / turns)])
    }))
}

fn all_cores(place: &Place) -> Result<Run> {
    let wasm = place.guest("fixtures/noop")?;
    let mut processes = bare::Loops::start(place, &wasm, 0)?;
    let bare = Bare::new(&wasm, 16)?;
    let time = Duration::from_millis(500);
    Ok(Box::new(move || {
        let limit = processes.rate(time)?;
        let threads = bare.rate_of_threads(b"", time)?;
        Ok(vec![Sample::alone(limit), Sample::new(threads, limit)])
    }))
}

fn slot_memory(place: &Place) -> Result<Run> {
    let slots = bare::Slots::new(place, &place.guest("fixtures/noop")?)?;
    Ok(Box::new(move || {
        let bytes = slots.bytes(1_000)?;
        Ok(vec![Sample::alone(bytes / 1024.0)])
    }))
}
