//! Records with every field set, for the tests of stores.

#![allow(dead_code, unreachable_pub, reason = "each test uses what it needs")]

use std::collections::BTreeMap;
use std::sync::Arc;
use wasmhost_core::prepared::PreparedRecord;
use wasmhost_core::record::{
    AttemptRecord, CallRecord, CheckpointRecord, DataWrite, DefinitionBody, DefinitionHead,
    DefinitionRecord, JobFailureRecord, JobRecord, LibraryRecord, ModuleRecord, OutcomeRecord,
    OutputRecord, Published, RequestAnswer, RequestRecord, SpaceId, StoredResult, TokenRecord,
    WorkerRecord, Write,
};
use wasmhost_proto::api::{Counts, JobState, TokenKind};
use wasmhost_proto::data::{DataReply, DataValue, Entry, Writer};
use wasmhost_proto::input::{Array, BlobRef, Input, Item};
use wasmhost_proto::module::{Manifest, ModuleKind};
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan, OnFailure};
use wasmhost_proto::status::{Event, NamedValue, Past, Progress, Status, Value, Was};
use wasmhost_proto::wire::{AttemptLimits, ResultData};
use wasmhost_proto::{Digest, JobId, Lease, TaskId, Timestamp, TokenId, WorkerId};

pub fn task(job: u64, node: u16, index: u32) -> TaskId {
    TaskId {
        job: JobId(job),
        node,
        index,
    }
}

pub fn blob(byte: u8) -> BlobRef {
    BlobRef {
        digest: Digest([byte; 32]),
        len: u64::from(byte) << 20,
    }
}

/// A node that runs over so many items with a blob as its input.
pub fn prepared(count: u8) -> PreparedRecord {
    PreparedRecord::Run {
        input: Some(StoredResult::Blob(blob(count))),
        count: Some(count.into()),
    }
}

/// A request to the primary's driver.
pub fn request(key: &str, number: u64, answer: Option<RequestAnswer>) -> RequestRecord {
    RequestRecord {
        key: key.into(),
        number,
        node: "render".into(),
        input: vec![7],
        submitted: Timestamp(5),
        answer,
    }
}

pub fn plan() -> JobPlan {
    let node = NodePlan {
        name: "count".into(),
        module: Digest([1; 32]),
        module_len: 4096,
        kind: ModuleKind::Task,
        array: Array::Items(vec![
            Item::Json("{\"a\":[1,2.5,null]}".into()),
            Item::File {
                path: "text/ä.txt".into(),
                blob: blob(2),
            },
        ]),
        input: NodeInput::Given(Input::Item),
        args: vec!["--flag".into()],
        env: vec![("KEY".into(), "${item}".into())],
        limits: AttemptLimits {
            memory: 1 << 28,
            wall_ms: 60_000,
            output: 1 << 24,
        },
        ..NodePlan::default()
    };
    let shared = NodePlan {
        input: NodeInput::Given(Input::Blob(blob(3))),
        ..node.clone()
    };
    let inline = NodePlan {
        input: NodeInput::Given(Input::Bytes(vec![0, 255])),
        ..node.clone()
    };
    let range = Array::Range {
        start: -5,
        step: 3,
        count: 10_000_000,
    };
    let template = NodeInput::Given(Input::Template("\"${index}\"".into()));
    let reduce = NodePlan {
        module: Digest([4; 32]),
        kind: ModuleKind::CoreCommand,
        array: Array::Single,
        input: NodeInput::Gather(0),
        after: vec![0],
        ..node.clone()
    };
    let ranged = NodePlan {
        array: range,
        input: template,
        ..node.clone()
    };
    JobPlan {
        name: "words".into(),
        description: "counts words".into(),
        priority: -3,
        queue_ms: Some(1),
        total_ms: None,
        on_failure: OnFailure::Continue,
        nodes: vec![node, shared, inline, ranged, reduce],
        ..JobPlan::default()
    }
}

pub fn job(id: u64, state: JobState) -> JobRecord {
    JobRecord {
        id: JobId(id),
        name: "words".into(),
        priority: -3,
        state,
        submitted: Timestamp(1_000),
        started: Some(Timestamp(1_001)),
        ended: state.is_final().then_some(Timestamp(1_002)),
        counts: Counts {
            total: 9,
            succeeded: 4,
            ..Counts::default()
        },
        node_counts: vec![Counts::default(); 5],
        failure: Some(JobFailureRecord {
            task: Some(task(id, 1, 7)),
            failure: failure(FailureKind::Trap),
        }),
        cancelled: false,
        gathered: vec![(4, blob(5))],
        idempotency_key: Some(format!("key-{id}")),
        late_outcomes: 3,
        retries: 0,
    }
}

pub fn failure(kind: FailureKind) -> Failure {
    Failure {
        exit_code: Some(-7),
        backtrace: Some("0: main".into()),
        ..Failure::new(kind, "it broke")
    }
}

pub fn outcome(failed: Option<FailureKind>, result: Option<StoredResult>) -> OutcomeRecord {
    OutcomeRecord {
        lease: Lease {
            term: 7,
            attempt: 2,
        },
        worker: Some(WorkerId(99)),
        started: Some(Timestamp(5)),
        ended: Timestamp(6),
        failure: failed.map(failure).map(Box::new),
        result,
        usage: Usage {
            wall_us: 1,
            cpu_us: 2,
            peak_memory: 3,
        },
        published: Published::boxed(status(), "a line\n".into()),
    }
}

fn status() -> Status {
    Status {
        progress: Some(Progress {
            done: 1,
            total: Some(2),
            message: Some("half".into()),
        }),
        values: vec![
            NamedValue {
                name: "t".into(),
                value: Value::Text("x".into()),
            },
            NamedValue {
                name: "i".into(),
                value: Value::Int(-9),
            },
            NamedValue {
                name: "f".into(),
                value: Value::Float(0.1),
            },
            NamedValue {
                name: "b".into(),
                value: Value::Flag(true),
            },
            NamedValue {
                name: "j".into(),
                value: Value::Json("[1]".into()),
            },
        ],
        events: vec![
            Event {
                at: Timestamp(5),
                name: "e".into(),
                value: Some(Value::Int(1)),
            },
            Event {
                at: Timestamp(6),
                name: "none".into(),
                value: None,
            },
        ],
        events_dropped: 4,
        calls: 7,
        history: vec![
            Past {
                at: Timestamp(5),
                was: Was::Progress(Progress::default()),
            },
            Past {
                at: Timestamp(6),
                was: Was::Value(NamedValue {
                    name: "v".into(),
                    value: Value::Int(2),
                }),
            },
        ],
    }
}

pub fn plain(failed: Option<FailureKind>) -> OutcomeRecord {
    OutcomeRecord {
        worker: None,
        started: None,
        published: None,
        ..outcome(failed, None)
    }
}

pub fn attempt(term: u64, attempt: u32, kind: FailureKind) -> AttemptRecord {
    let o = outcome(None, None);
    AttemptRecord {
        lease: Lease { term, attempt },
        worker: o.worker,
        started: o.started,
        ended: o.ended,
        failure: failure(kind),
        usage: o.usage,
        status: status(),
        log: "a line\n".into(),
    }
}

pub fn put_job(id: u64, state: JobState) -> Vec<Write> {
    vec![
        Write::Plan(JobId(id), Arc::new(plan())),
        Write::Job(Arc::new(job(id, state))),
    ]
}

pub fn put_outcome(task: TaskId, outcome: OutcomeRecord) -> Write {
    Write::Outcome(task, outcome)
}

pub fn module(byte: u8) -> ModuleRecord {
    let mut schema = serde_json::json!({"type": "object"});
    for _ in 0..50 {
        schema = serde_json::json!({ "items": schema, "n": 1, "f": 0.5, "none": null });
    }
    ModuleRecord {
        digest: Digest([byte; 32]),
        len: 10,
        kind: ModuleKind::Command,
        names: vec!["a:1".into(), "a:2".into()],
        pushed: Timestamp(4),
        manifest: Manifest {
            input: Some(schema),
            name: "a".into(),
            ..Manifest::default()
        },
        imports: vec!["wasi:cli/stdin@0.2.0".into()],
        exports: vec![],
        uploaded: None,
        composed: None,
    }
}

pub fn library(name: &str, byte: u8) -> LibraryRecord {
    LibraryRecord {
        name: name.into(),
        digest: Digest([byte; 32]),
        len: 10,
        added: Timestamp(4),
        exports: vec!["acme:text/case@1.0.0".into()],
        imports: vec![],
    }
}

pub fn token(id: u64) -> TokenRecord {
    TokenRecord {
        id: TokenId(id),
        kind: TokenKind::Join,
        name: "note".into(),
        secret_sha256: [id as u8; 32],
        created: Timestamp(1),
        expires: Some(Timestamp(2)),
        used: None,
    }
}

pub fn worker(id: u64, connected: bool) -> WorkerRecord {
    WorkerRecord {
        id: WorkerId(id),
        name: format!("w{id}"),
        connected,
        draining: false,
        seen: Timestamp(3),
    }
}

/// A version that names two modules and a file.
pub fn definition(name: &str, version: u32) -> DefinitionRecord {
    let digest = |byte: u8| Digest([byte; 32]);
    DefinitionRecord {
        head: DefinitionHead {
            name: name.into(),
            version,
            created: Timestamp(u64::from(version)),
            note: "why".into(),
            digest: digest(version as u8),
            modules: BTreeMap::from([
                ("crate:a".into(), digest(21)),
                ("echo".into(), digest(20 + version as u8)),
            ]),
        },
        body: DefinitionBody {
            text: "[task]\nmodule = \"echo\"\n".into(),
            files: BTreeMap::from([("a.txt".into(), blob(30 + version as u8))]),
            lists: BTreeMap::from([("lines:l".into(), vec!["x".into(), String::new()])]),
        },
    }
}

/// A change of data: a value of every type in turn.
pub fn datum(space: SpaceId, key: &str, revision: u64) -> Write {
    let value = match revision % 6 {
        0 => DataValue::Text("red".into()),
        1 => DataValue::Int(-7),
        2 => DataValue::Float(0.5),
        3 => DataValue::Flag(true),
        4 => DataValue::Json("[1]".into()),
        _ => DataValue::Bytes(vec![1, 2, 255]),
    };
    let writer = match &space {
        SpaceId::Job(job) => Writer::Task(task(job.0, 1, 2)),
        SpaceId::Public(_) => Writer::Client,
    };
    Write::Data(Box::new(DataWrite {
        space,
        key: key.into(),
        entry: Some(Entry {
            key: key.into(),
            value,
            revision,
            at: Timestamp(revision),
            writer,
        }),
        revision,
    }))
}

/// The last change of an attempt.
pub fn data_call(task: TaskId, call: u64) -> Write {
    let record = CallRecord {
        lease: Lease {
            term: 1,
            attempt: 2,
        },
        call,
        reply: DataReply::Sum(4, call),
    };
    Write::DataCall(task, Box::new(record))
}

/// A checkpoint: a large one under an odd call.
pub fn checkpoint(task: TaskId, call: u64) -> Write {
    let content = match call % 2 {
        0 => ResultData::Inline(call.to_le_bytes().to_vec()),
        _ => ResultData::Blob(blob(call as u8)),
    };
    let lease = Lease {
        term: 1,
        attempt: 2,
    };
    let record = CheckpointRecord {
        lease,
        call,
        content,
    };
    Write::Checkpoint(task, Box::new(record))
}

/// An output of so many parts.
pub fn output(task: TaskId, number: u32, name: &str, parts: u32) -> Write {
    let lease = Lease {
        term: 1,
        attempt: 2,
    };
    let record = OutputRecord {
        lease,
        name: name.into(),
        content_type: "text/html".into(),
        parts,
        bytes: u64::from(parts) * 10,
        closed: parts > 1,
    };
    Write::Output(task, number, Box::new(record))
}

/// A part of an output: a large one under an odd number.
pub fn part(task: TaskId, number: u32, part: u32) -> Write {
    let content = match part % 2 {
        0 => ResultData::Inline(vec![part as u8; 3]),
        _ => ResultData::Blob(blob(part as u8)),
    };
    Write::OutputPart(task, number, part, Box::new(content))
}
