//! The API as a client sees it: real requests through the whole router, over a
//! real primary on a folder of its own, without workers.

#![allow(clippy::unwrap_used)]

mod batch;
mod definitions;
mod hygiene;
mod jobs;
mod modules;
mod network;
mod waiting;

use super::definitions::Bounds;
use super::state::{App, Shared};
use super::{auth, router};
use crate::primary::{PrimaryOptions, Running, start};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use wasmhost_core::primary::Reply;
use wasmhost_core::record::{
    JobFailureRecord, JobRecord, OutcomeRecord, Published, StoredResult, Write,
};
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::grants::Ceiling;
use wasmhost_proto::input::Array;
use wasmhost_proto::outcome::{Failure, Usage};
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::AttemptLimits;
use wasmhost_proto::{Digest, JobId, Lease, TaskId, Timestamp};

/// A primary with its API.
struct Fixture {
    app: Shared,
    router: Router,
    token: String,
    _running: Running,
    _dir: TempDir,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The stable name of a problem; empty for anything else.
    fn code(&self) -> String {
        match self.header("content-type") {
            "application/problem+json" => self.json()["code"].as_str().unwrap().to_owned(),
            _ => String::new(),
        }
    }

    /// The status, and the code of a problem: `200`, `404 not_found`.
    fn said(&self) -> String {
        let said = format!("{} {}", self.status.as_u16(), self.code());
        said.trim_end().to_owned()
    }
}

impl Fixture {
    async fn new() -> Fixture {
        Fixture::with(Bounds::default()).await
    }

    /// One that keeps so many stored definitions.
    async fn with(bounds: Bounds) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let options = PrimaryOptions {
            data_dir: dir.path().to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            advertise: None,
            lease_ms: 15_000,
            cancel_grace_ms: 100,
            poll_ms: 0,
            secrets_key: None,
        };
        let (handle, running) = start(options).await.unwrap();
        // What the first start leaves is what the API takes.
        let token = std::fs::read_to_string(dir.path().join("client.token")).unwrap();
        let mut app = App::new(
            handle,
            CancellationToken::new(),
            false,
            None,
            Ceiling::default(),
        )
        .await
        .unwrap();
        Arc::get_mut(&mut app).unwrap().bounds = bounds;
        let router = router::service(app.clone());
        let token = token.trim().to_owned();
        Fixture {
            app,
            router,
            token,
            _running: running,
            _dir: dir,
        }
    }

    /// Sends a request as it is.
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A request with the token.
    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let bearer = format!("Bearer {}", self.token);
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, bearer)
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap())
            .await
    }

    /// What is named `field` in each item of a list, page after page.
    async fn list(&self, path: &str, field: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{cursor}")).await.json();
            let items = page["items"].as_array().unwrap();
            all.extend(items.iter().map(|item| item[field].clone()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// As somebody else: with this header of authorization, or none.
    async fn get_as(&self, path: &str, authorization: Option<&str>) -> Answer {
        let mut request = Request::get(path);
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        let request = self.request(Method::DELETE, path);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    async fn upload(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(self.request(Method::POST, path).body(body.into()).unwrap())
            .await
    }

    async fn write(&self, write: Write) {
        self.app.handle.write(vec![write]).await.unwrap();
    }

    /// A live job that nobody runs.
    async fn live_job(&self, plan: JobPlan) -> JobId {
        match self.app.handle.submit(plan, None).await.unwrap() {
            Reply::Job { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    /// A job of one task that has succeeded.
    async fn good_job(&self, id: &str) {
        let ends = vec![Some(success(b"x"))];
        self.ended_job(id, plan("a", Array::Single), ends).await;
    }

    /// An ended job, written to the store as a primary would have.
    async fn ended_job(&self, id: &str, plan: JobPlan, ends: Vec<Option<OutcomeRecord>>) -> JobId {
        let id: JobId = id.parse().unwrap();
        let mut counts = Counts {
            total: ends.len() as u64,
            ..Counts::default()
        };
        for end in &ends {
            match end {
                Some(OutcomeRecord { failure: None, .. }) => counts.succeeded += 1,
                Some(_) => counts.failed += 1,
                None => counts.cancelled += 1,
            }
        }
        let failed = |(index, end): (usize, &Option<OutcomeRecord>)| {
            let failure = end.as_ref()?.failure.as_deref()?.clone();
            let task = TaskId {
                job: id,
                node: 0,
                index: index as u32,
            };
            Some(JobFailureRecord {
                task: Some(task),
                failure,
            })
        };
        let failure = ends.iter().enumerate().find_map(failed);
        let record = JobRecord {
            id,
            name: plan.name.clone(),
            priority: 0,
            state: if counts.failed > 0 {
                JobState::Failed
            } else {
                JobState::Succeeded
            },
            submitted: Timestamp(1_000),
            started: Some(Timestamp(2_000)),
            ended: Some(Timestamp(3_000)),
            counts,
            node_counts: vec![counts],
            failure,
            cancelled: false,
            gathered: Vec::new(),
            idempotency_key: None,
            late_outcomes: 0,
            retries: 0,
        };
        let mut writes = vec![
            Write::Plan(id, Arc::new(plan)),
            Write::Job(Arc::new(record)),
        ];
        for (index, end) in ends.into_iter().enumerate() {
            let task = TaskId {
                job: id,
                node: 0,
                index: index as u32,
            };
            writes.extend(end.map(|outcome| Write::Outcome(task, outcome)));
        }
        self.app.handle.write(writes).await.unwrap();
        id
    }
}

/// A plan of one node.
fn plan(name: &str, array: Array) -> JobPlan {
    let node = NodePlan {
        name: "task".into(),
        module: Digest([7; 32]),
        module_len: 8,
        array,
        limits: AttemptLimits {
            memory: 1 << 20,
            wall_ms: 1_000,
            output: 1 << 20,
        },
        ..NodePlan::default()
    };
    JobPlan {
        name: name.into(),
        nodes: vec![node],
        ..JobPlan::default()
    }
}

/// `count` numbers.
fn range(count: u32) -> Array {
    Array::Range {
        start: 0,
        step: 1,
        count,
    }
}

/// The end of a task.
fn end(result: Option<StoredResult>, failure: Option<Failure>) -> OutcomeRecord {
    OutcomeRecord {
        lease: Lease {
            term: 1,
            attempt: 1,
        },
        worker: None,
        started: Some(Timestamp(2_000)),
        ended: Timestamp(3_000),
        failure: failure.map(Box::new),
        result,
        usage: Usage {
            wall_us: 1_500,
            cpu_us: 1_000,
            peak_memory: 65_536,
        },
        published: Published::boxed(Status::default(), "a line\n".into()),
    }
}

/// A task that succeeded with this result.
fn success(result: &[u8]) -> OutcomeRecord {
    end(Some(StoredResult::Inline(result.into())), None)
}

/// A new client token in the store.
async fn client_token(fixture: &Fixture, ttl_ms: Option<u64>) -> String {
    let (text, record) = auth::new_client_token("test", ttl_ms).unwrap();
    fixture.write(Write::Token(record)).await;
    text
}
