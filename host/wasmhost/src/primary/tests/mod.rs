//! The primary as a whole, on a real disk and over real QUIC, with a worker
//! whose runs are a function of the test.

mod entry;
mod graphs;
mod jobs;
mod results;
mod worker;

use super::{Handle, PrimaryOptions, Running, start};
use std::path::Path;
use tempfile::TempDir;
use wasmhost_core::primary::{Primary, Reply};
use wasmhost_proto::api::JobState;
use wasmhost_proto::input::{Array, Input};
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan, RetryPolicy};
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{Digest, JobId};
use worker::Worker;

/// A primary on a folder of its own, where its worker lives as well.
struct Place {
    dir: TempDir,
    handle: Handle,
    running: Running,
}

impl Place {
    async fn new() -> Place {
        Place::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(dir: TempDir) -> Place {
        let (handle, running) = start(options(dir.path())).await.unwrap();
        Place {
            dir,
            handle,
            running,
        }
    }

    async fn submit(&self, plan: JobPlan) -> JobId {
        match self.handle.submit(plan, None).await {
            Ok(Reply::Job { id, created: true }) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Joins if it has not yet, connects and registers with nothing held.
    async fn worker(&self, incarnation: u64) -> Worker {
        Worker::connect(&self.handle, &self.dir.path().join("worker"), incarnation).await
    }

    /// Waits until the job has left the primary's memory; gives its state in the store.
    async fn ended(&self, job: JobId) -> JobState {
        let mut changes = self.handle.changes();
        let live = move |core: &Primary, now| core.job_view(now, job).is_some();
        while self.handle.ask(live).await.unwrap() {
            changes.recv().await.unwrap();
        }
        self.handle.store().job(job).unwrap().unwrap().state
    }

    /// Gives back the folder, for the next one.
    async fn shut_down(self) -> TempDir {
        self.running.shutdown().await.unwrap();
        self.dir
    }
}

fn options(dir: &Path) -> PrimaryOptions {
    PrimaryOptions {
        data_dir: dir.join("primary"),
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        lease_ms: 60_000,
        cancel_grace_ms: 1_000,
        poll_ms: 0,
        secrets_key: None,
    }
}

fn node(name: &str, count: u32, input: NodeInput) -> NodePlan {
    let after = match input {
        NodeInput::Gather(node) | NodeInput::Result(node) => vec![node],
        NodeInput::Join(ref nodes) => nodes.clone(),
        NodeInput::Given(_) => vec![],
    };
    NodePlan {
        name: name.into(),
        module: Digest([1; 32]),
        module_len: 8,
        array: match count {
            1 => Array::Single,
            count => Array::Range {
                start: 0,
                step: 1,
                count,
            },
        },
        input,
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
        ..NodePlan::default()
    }
}

fn plan(nodes: Vec<NodePlan>) -> JobPlan {
    JobPlan {
        name: "job".into(),
        nodes,
        ..JobPlan::default()
    }
}

fn array(count: u32) -> JobPlan {
    plan(vec![node("array", count, NodeInput::Given(Input::Item))])
}
