//! What the tests of guests share: a sandbox, an attempt, a reporter that listens.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use std::sync::Mutex;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{JobId, Lease, TaskId};
use wasmhost_sandbox::{Attempt, Finished, Program, Reporter, Sandbox, SandboxOptions};

pub fn sandbox() -> Sandbox {
    Sandbox::new(SandboxOptions { slots: 4 }).unwrap()
}

pub fn load(sandbox: &Sandbox, wat: &str, kind: ModuleKind) -> Result<Program, String> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("guest");
    let wasm = wat::parse_str(wat).unwrap();
    wasmhost_sandbox::compile(&wasm, kind, &out).map_err(|e| e.to_string())?;
    sandbox.load(&out, kind).map_err(|e| e.to_string())
}

pub fn attempt() -> Attempt {
    Attempt {
        task: TaskId {
            job: JobId(7),
            node: 1,
            index: 3,
        },
        lease: Lease {
            term: 1,
            attempt: 2,
        },
        name: "guest".into(),
        count: 10,
        args: vec!["one".into(), "two".into()],
        env: vec![("KEY".into(), "value".into())],
        config: vec![],
        script: None,
        limits: AttemptLimits {
            memory: 4 << 20,
            wall_ms: 60_000,
            output: 1 << 20,
        },
        input: b"input".to_vec(),
        network: false,
        driver: None,
        root: None,
        collect: Vec::new(),
    }
}

#[derive(Default)]
pub struct Heard(pub Mutex<Vec<(Status, String)>>);

impl Reporter for &Heard {
    fn published(&self, status: Status, log: String) {
        self.0.lock().unwrap().push((status, log));
    }
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

pub fn kind_of(finished: &Finished) -> Option<FailureKind> {
    finished.failure.as_ref().map(|f| f.kind)
}

/// The attempt for a guest that must end as `want`: one that is to run into its
/// time limit gets a short one.
pub fn attempt_for(want: Option<FailureKind>) -> Attempt {
    let mut attempt = attempt();
    if want == Some(FailureKind::TimeLimit) {
        attempt.limits.wall_ms = 200;
    }
    attempt
}
