//! Messages between a worker's supervisor and an executor.

use super::*;
use wasmhost_proto::data::{DataOp, DataReply, DataValue, Expect, Space};
use wasmhost_proto::executor::*;
use wasmhost_proto::http::{HttpReply, HttpRequest, HttpResponse};
use wasmhost_proto::keep::{Keep, Kept};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::Failure;
use wasmhost_proto::program::{ProgramEnd, ProgramOp, ProgramReply, ProgramSaid};
use wasmhost_proto::wire::{FinalReport, ResultData};

pub(crate) fn to_executor() -> Vec<Sample<ToExecutor>> {
    vec![
        (
            "load",
            ToExecutor::Load {
                digest: digest(0xa1),
                kind: ModuleKind::Task,
                path: "/var/lib/wasmhost/code/a1.cwasm".into(),
            },
        ),
        (
            "unload",
            ToExecutor::Unload {
                digest: digest(0xa1),
            },
        ),
        (
            "spec",
            ToExecutor::Spec(
                7,
                Box::new(RunSpec {
                    module: digest(0xa1),
                    job: task(3).job,
                    node: task(3).node,
                    name: "count".into(),
                    count: 100,
                    limits: limits(),
                    driver: false,
                    network: false,
                    script: Some(RunScript {
                        name: "report.js".into(),
                        source: "export default () => 1".into(),
                    }),
                    collect: vec!["*.html".into()],
                }),
            ),
        ),
        (
            "runs",
            ToExecutor::Runs(vec![
                Run {
                    run: 12,
                    spec: 7,
                    index: 3,
                    term: 4,
                    attempt: 2,
                    args: vec!["-v".into()],
                    env: vec![("K".into(), "3".into())],
                    config: vec![("rate".into(), "0.5".into())],
                    input: b"in".to_vec(),
                    more_input: true,
                },
                Run::default(),
            ]),
        ),
        (
            "input_chunk",
            ToExecutor::InputChunk {
                run: 12,
                bytes: b"put".to_vec(),
                last: true,
            },
        ),
        ("cancel", ToExecutor::Cancel { run: 12 }),
        ("kill", ToExecutor::Kill { run: 12 }),
        ("return", ToExecutor::Return),
        (
            "data",
            ToExecutor::Data {
                run: 12,
                call: 3,
                reply: DataReply::Conflict(7),
            },
        ),
        (
            "bulk",
            ToExecutor::Bulk {
                run: 12,
                bytes: vec![0, 1, 2],
            },
        ),
        (
            "data.kept",
            ToExecutor::Data {
                run: 12,
                call: 4,
                reply: DataReply::Kept(Box::new(Kept::Checkpoint(None))),
            },
        ),
        (
            "program",
            ToExecutor::Program {
                run: 12,
                call: 4,
                reply: Box::new(ProgramReply::Said(ProgramSaid {
                    stdout: vec![0, 255],
                    stderr: Vec::new(),
                    end: Some(ProgramEnd {
                        code: Some(1),
                        why: "exited with code 1".into(),
                    }),
                })),
            },
        ),
        (
            "http",
            ToExecutor::Http {
                run: 12,
                call: 5,
                reply: Box::new(HttpReply::Answered(HttpResponse {
                    status: 200,
                    headers: vec![("content-type".into(), "text/plain".into())],
                    body: b"hello".to_vec(),
                })),
            },
        ),
        (
            "spawned",
            ToExecutor::Spawned {
                run: 12,
                key: "1/0".into(),
                end: SpawnedEnd::Success(b"42".to_vec()),
            },
        ),
        (
            "spawned.large",
            ToExecutor::Spawned {
                run: 12,
                key: "1/1".into(),
                end: SpawnedEnd::Large(1 << 20),
            },
        ),
        (
            "spawned.failure",
            ToExecutor::Spawned {
                run: 12,
                key: "1/2".into(),
                end: SpawnedEnd::Failure(Box::new(trap())),
            },
        ),
        (
            "spawned.refused",
            ToExecutor::Spawned {
                run: 12,
                key: "1/3".into(),
                end: SpawnedEnd::Refused("the job is stopping".into()),
            },
        ),
        (
            "request",
            ToExecutor::Request {
                run: 12,
                request: Some(Box::new(request())),
            },
        ),
        (
            "request.none",
            ToExecutor::Request {
                run: 12,
                request: None,
            },
        ),
        ("careful", ToExecutor::Careful(true)),
        ("shutdown", ToExecutor::Shutdown),
    ]
}

pub(crate) fn from_executor() -> Vec<Sample<FromExecutor>> {
    let ended = |failure: Option<Failure>, output: &[u8]| Ended {
        run: 12,
        usage: usage(),
        output: output.to_vec(),
        failure: failure.map(Box::new),
        report: Some(Box::new(FinalReport {
            status: status(),
            log: "bye\n".into(),
        })),
    };
    vec![
        ("ready", FromExecutor::Ready),
        (
            "loaded",
            FromExecutor::Loaded {
                digest: digest(0xa1),
                error: None,
            },
        ),
        (
            "loaded.error",
            FromExecutor::Loaded {
                digest: digest(0xa1),
                error: Some("cannot map it".into()),
            },
        ),
        ("started", FromExecutor::Started(vec![12, 13])),
        (
            "status",
            FromExecutor::Status {
                run: 12,
                status: status(),
                log: "line\n".into(),
            },
        ),
        (
            "output_chunk",
            FromExecutor::OutputChunk {
                run: 12,
                bytes: vec![0, 1, 2],
            },
        ),
        (
            "ended",
            FromExecutor::Ended(vec![ended(None, b"42"), Ended::default()]),
        ),
        (
            "ended.failure",
            FromExecutor::Ended(vec![ended(Some(trap()), b"")]),
        ),
        ("returned", FromExecutor::Returned(vec![14])),
        (
            "spawn",
            FromExecutor::Spawn {
                run: 12,
                key: "1/0".into(),
                node: "trial".into(),
                input: b"7".to_vec(),
            },
        ),
        (
            "cancel_spawned",
            FromExecutor::CancelSpawned {
                run: 12,
                key: "1/0".into(),
            },
        ),
        ("await", FromExecutor::Await { run: 12 }),
        ("next_request", FromExecutor::NextRequest { run: 12 }),
        (
            "data",
            FromExecutor::Data {
                run: 12,
                call: 3,
                space: Space::Private,
                op: DataOp::Set {
                    key: "half".into(),
                    value: DataValue::Bytes(vec![0, 255]),
                    expect: Expect::Absent,
                },
            },
        ),
        (
            "bulk",
            FromExecutor::Bulk {
                run: 12,
                bytes: vec![0, 1, 2],
            },
        ),
        (
            "data.keep",
            FromExecutor::Data {
                run: 12,
                call: 4,
                space: Space::Task,
                op: DataOp::Keep(Box::new(Keep::Save(ResultData::Inline(vec![3])))),
            },
        ),
        (
            "program",
            FromExecutor::Program {
                run: 12,
                call: 4,
                op: Box::new(ProgramOp::Start {
                    name: "gzip".into(),
                    args: vec!["-c".into()],
                }),
            },
        ),
        (
            "http",
            FromExecutor::Http {
                run: 12,
                call: 5,
                request: Box::new(HttpRequest {
                    method: "POST".into(),
                    url: "https://a.example/items?n=1".into(),
                    headers: vec![("accept".into(), "text/plain".into())],
                    body: b"{}".to_vec(),
                    timeout_ms: Some(1000),
                }),
            },
        ),
    ]
}
