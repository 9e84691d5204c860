//! One value of every message and variant, the same on every run.
#![allow(dead_code)] // Each test takes its part.

pub(crate) mod api;
pub(crate) mod executor;
pub(crate) mod wire;

use wasmhost_proto::input::BlobRef;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::status::{Event, NamedValue, Past, Progress, Status, Value, Was};
use wasmhost_proto::wire::{AttemptLimits, DriverRequest};
use wasmhost_proto::{Digest, JobId, Lease, TaskId, Timestamp, TokenId, WorkerId};

/// A named sample: the variant's name, and more where it has several.
pub(crate) type Sample<T> = (&'static str, T);

pub(crate) fn digest(first: u8) -> Digest {
    let mut bytes = [0xd0; 32];
    bytes[0] = first;
    Digest(bytes)
}

pub(crate) fn job() -> JobId {
    JobId::floor_at(1_795_176_000_000)
}

pub(crate) fn worker() -> WorkerId {
    WorkerId(0x1_2345_6789_abcd)
}

pub(crate) fn token() -> TokenId {
    TokenId(0x2_0000_0000_0001)
}

pub(crate) fn task(index: u32) -> TaskId {
    TaskId {
        job: job(),
        node: 1,
        index,
    }
}

pub(crate) fn lease(attempt: u32) -> Lease {
    Lease { term: 7, attempt }
}

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp(1_795_176_000_000 + ms)
}

pub(crate) fn request() -> DriverRequest {
    DriverRequest {
        number: 7 << 32 | 3,
        key: "request:a".into(),
        node: "render".into(),
        input: b"7".to_vec(),
    }
}

pub(crate) fn blob() -> BlobRef {
    BlobRef {
        digest: digest(0xb1),
        len: 5_000_000_000,
    }
}

pub(crate) fn limits() -> AttemptLimits {
    AttemptLimits {
        memory: 256 << 20,
        wall_ms: 60_000,
        output: 16 << 20,
    }
}

pub(crate) fn usage() -> Usage {
    Usage {
        wall_us: 1_500_000,
        cpu_us: 900_000,
        peak_memory: 3 << 20,
    }
}

pub(crate) fn failure() -> Failure {
    Failure {
        kind: FailureKind::ExitCode,
        message: "exit code 3".into(),
        exit_code: Some(3),
        backtrace: Some("0: wordcount!run\n".into()),
    }
}

pub(crate) fn trap() -> Failure {
    Failure::new(FailureKind::Trap, "unreachable")
}

/// A status with every kind of value.
pub(crate) fn status() -> Status {
    let value = |name: &str, value| NamedValue {
        name: name.into(),
        value,
    };
    Status {
        progress: Some(Progress {
            done: 3,
            total: Some(10),
            message: Some("reading".into()),
        }),
        values: vec![
            value("text", Value::Text("ä".into())),
            value("int", Value::Int(-1)),
            value("float", Value::Float(0.5)),
            value("flag", Value::Flag(true)),
            value("json", Value::Json("{\"a\":[1]}".into())),
        ],
        events: vec![
            Event {
                at: at(5),
                name: "page".into(),
                value: Some(Value::Int(1)),
            },
            Event {
                at: at(6),
                name: "done".into(),
                value: None,
            },
        ],
        events_dropped: 2,
        calls: 12,
        history: vec![
            Past {
                at: at(5),
                was: Was::Progress(Progress {
                    done: 1,
                    total: Some(10),
                    message: None,
                }),
            },
            Past {
                at: at(6),
                was: Was::Value(value("int", Value::Int(-2))),
            },
        ],
    }
}
