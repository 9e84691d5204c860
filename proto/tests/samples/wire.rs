//! Messages between a primary and a worker.

use super::*;
use std::sync::Arc;
use wasmhost_proto::data::*;
use wasmhost_proto::files::{Files, InputContent, InputFiles};
use wasmhost_proto::grants::Grants;
use wasmhost_proto::input::{Input, Item};
use wasmhost_proto::keep::{Keep, Kept};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::secret::Secret;
use wasmhost_proto::wire::*;

pub(crate) fn to_worker() -> Vec<Sample<ToWorker>> {
    let run = |first, items| AssignRun {
        job: job(),
        node: 1,
        lease: lease(1),
        first,
        items,
    };
    let range = |start, step, count| RunItems::Range { start, step, count };
    let node = |input| {
        ToWorker::Prepare(Box::new(NodeSpec {
            job: job(),
            node: 1,
            name: "count".into(),
            count: 100,
            module: digest(0xa1),
            module_len: 123_456,
            kind: ModuleKind::Command,
            input,
            args: vec!["-v".into(), "${item}".into()],
            env: vec![("K".into(), "${index}".into())],
            limits: limits(),
            script: None,
            config: vec![],
            driver: true,
            grants: Some(Box::new(Grants {
                programs: vec!["gzip".into()],
                network: vec!["GET https://a.example".parse().unwrap()],
                secrets: vec!["key".into()],
                submits: vec!["report".into()],
            })),
            files: Some(Box::new(Files {
                inputs: vec![
                    InputFiles {
                        at: "/data".into(),
                        content: InputContent::Folder(vec![("a/b.md".into(), blob())]),
                    },
                    InputFiles {
                        at: "/etc/config.toml".into(),
                        content: InputContent::File(blob()),
                    },
                ],
                scratch: Some(64 << 20),
                collect: vec!["*.html".into()],
            })),
            secrets: Some(Box::new(vec![Secret {
                name: "key".into(),
                value: "hunter2".into(),
                to: vec!["GET https://a.example".parse().unwrap()],
                reveal: false,
            }])),
        }))
    };
    let file = Item::File {
        path: "a.md".into(),
        blob: blob(),
    };
    let spawned = |end| {
        ToWorker::Spawned(Box::new(SpawnedEnd {
            task: task(0),
            lease: lease(1),
            key: "1/0".into(),
            end,
        }))
    };
    vec![
        (
            "welcome",
            ToWorker::Welcome {
                worker: worker(),
                lease_ms: 15_000,
            },
        ),
        ("prepare", node(Input::Item)),
        (
            "prepare.template",
            node(Input::Template("{\"n\":\"${item}\"}".into())),
        ),
        ("prepare.text", node(Input::Text("n = ${item}".into()))),
        ("prepare.bytes", node(Input::Bytes(vec![0, 255, 16]))),
        ("prepare.blob", node(Input::Blob(blob()))),
        ("assign", ToWorker::Assign(vec![run(0, RunItems::Single)])),
        (
            "assign.range",
            ToWorker::Assign(vec![
                run(0, range(0, 1, 3)),
                run(90, range(-1, i64::MAX, 1000)),
            ]),
        ),
        (
            "assign.items",
            ToWorker::Assign(vec![run(
                7,
                RunItems::Items([Item::Json("{\"k\":1}".into()), file].into()),
            )]),
        ),
        ("ack", ToWorker::Ack { batch: 300 }),
        (
            "cancel",
            ToWorker::Cancel {
                attempts: vec![(task(1), lease(1)), (task(2), lease(3))],
                grace_ms: 2_000,
            },
        ),
        ("take_back", ToWorker::TakeBack { max: 16 }),
        ("forget", ToWorker::Forget { job: job() }),
        ("drain", ToWorker::Drain { on: true }),
        ("poll", ToWorker::Poll),
        (
            "spawned",
            spawned(ChildEnd::Success(ResultData::Blob(blob()))),
        ),
        (
            "spawned.failure",
            spawned(ChildEnd::Failure(Box::new(trap()))),
        ),
        (
            "spawned.refused",
            spawned(ChildEnd::Refused("the job is stopping".into())),
        ),
        (
            "request",
            ToWorker::Request(Box::new(GivenRequest {
                task: task(0),
                lease: lease(1),
                request: Some(request()),
            })),
        ),
        (
            "request.none",
            ToWorker::Request(Box::new(GivenRequest {
                task: task(0),
                lease: lease(1),
                request: None,
            })),
        ),
        (
            "data",
            ToWorker::Data(Box::new(DataAnswer {
                task: task(0),
                lease: lease(1),
                call: 3,
                reply: DataReply::Entry(Some(Entry {
                    key: "gold".into(),
                    value: DataValue::Float(0.5),
                    revision: 8,
                    at: at(10),
                    writer: Writer::Task(task(1)),
                })),
            })),
        ),
        (
            "data.kept",
            ToWorker::Data(Box::new(DataAnswer {
                task: task(0),
                lease: lease(1),
                call: 4,
                reply: DataReply::Kept(Box::new(Kept::Saved)),
            })),
        ),
    ]
}

pub(crate) fn to_primary() -> Vec<Sample<ToPrimary>> {
    let outcome = |index, end, report| AttemptOutcome {
        task: task(index),
        lease: lease(1),
        started: Some(at(10)),
        ended: at(1_510),
        end,
        usage: usage(),
        report,
    };
    let module = |state| ToPrimary::Module {
        digest: digest(0xa1),
        state,
    };
    vec![
        (
            "register",
            ToPrimary::Register(Box::new(Register {
                name: "host-1".into(),
                version: "0.1.0".into(),
                slots: 8,
                cpus: 4,
                memory: 8 << 30,
                offers: Some(Box::new(Grants {
                    programs: vec!["gzip".into()],
                    network: vec!["GET https://a.example".parse().unwrap()],
                    ..Grants::default()
                })),
                scratch: 1 << 30,
                term_seen: 6,
                incarnation: u64::MAX,
                held: vec![
                    Held {
                        task: task(1),
                        lease: lease(1),
                        started: Some(at(10)),
                    },
                    Held {
                        task: task(2),
                        lease: lease(2),
                        started: None,
                    },
                ],
            })),
        ),
        (
            "request",
            ToPrimary::Request(WorkRequest {
                want: 16,
                free_slots: 8,
                status_interval_ms: 1_000,
            }),
        ),
        (
            "beat",
            ToPrimary::Beat(Load {
                running: 8,
                queued: 16,
                executors: 2,
                executors_lost: 1,
            }),
        ),
        (
            "started",
            ToPrimary::Started(vec![Started {
                task: task(1),
                lease: lease(1),
                at: at(10),
            }]),
        ),
        (
            "status",
            ToPrimary::Status(vec![
                StatusReport {
                    task: task(1),
                    lease: lease(1),
                    at: at(20),
                    status: status(),
                    log: "one line\n".into(),
                },
                StatusReport {
                    task: task(2),
                    lease: lease(1),
                    at: at(21),
                    status: Default::default(),
                    log: String::new(),
                },
            ]),
        ),
        (
            "outcomes",
            ToPrimary::Outcomes {
                batch: 3,
                items: Arc::new(vec![
                    outcome(1, End::Success(ResultData::Inline(b"42".to_vec())), None),
                    outcome(2, End::Success(ResultData::Inline(vec![])), None),
                    outcome(3, End::Success(ResultData::Blob(blob())), None),
                ]),
            },
        ),
        (
            "outcomes.failures",
            ToPrimary::Outcomes {
                batch: 4,
                items: Arc::new(vec![
                    outcome(3, End::Failure(Box::new(trap()), None), None),
                    outcome(
                        4,
                        End::Failure(Box::new(failure()), Some(ResultData::Inline(vec![]))),
                        Some(Box::new(FinalReport {
                            status: status(),
                            log: "last words\n".into(),
                        })),
                    ),
                ]),
            },
        ),
        ("released", ToPrimary::Released(vec![(task(5), lease(1))])),
        ("module", module(ModuleState::Ready)),
        ("module.fetching", module(ModuleState::Fetching)),
        ("module.compiling", module(ModuleState::Compiling)),
        (
            "module.rejected",
            module(ModuleState::Rejected("unknown import".into())),
        ),
        ("bye", ToPrimary::Bye),
        (
            "spawn",
            ToPrimary::Spawn(Box::new(Spawn {
                task: task(0),
                lease: lease(1),
                key: "1/0".into(),
                node: "trial".into(),
                input: b"7".to_vec(),
            })),
        ),
        (
            "cancel_spawned",
            ToPrimary::CancelSpawned(Box::new(CancelSpawned {
                task: task(0),
                lease: lease(1),
                key: "1/0".into(),
            })),
        ),
        (
            "next_request",
            ToPrimary::NextRequest(Box::new(NextRequest {
                task: task(0),
                lease: lease(1),
                after: 7,
            })),
        ),
        (
            "data",
            ToPrimary::Data(Box::new(DataCall {
                task: task(0),
                lease: lease(1),
                call: 3,
                space: Space::Public("prices".into()),
                op: DataOp::Wait {
                    key: "gold".into(),
                    known: 7,
                    timeout_ms: 500,
                },
            })),
        ),
        (
            "data.keep",
            ToPrimary::Data(Box::new(DataCall {
                task: task(0),
                lease: lease(1),
                call: 4,
                space: Space::Task,
                op: DataOp::Keep(Box::new(Keep::Save(ResultData::Blob(blob())))),
            })),
        ),
    ]
}

pub(crate) fn primary_frame() -> PrimaryFrame {
    PrimaryFrame {
        term: 7,
        messages: vec![ToWorker::Poll, ToWorker::Ack { batch: 1 }],
    }
}

pub(crate) fn worker_frame() -> WorkerFrame {
    WorkerFrame {
        messages: vec![ToPrimary::Bye],
    }
}

pub(crate) fn stream_request() -> Vec<Sample<StreamRequest>> {
    vec![
        (
            "fetch",
            StreamRequest::Fetch {
                digest: digest(0xb1),
                offset: 4_000_000_000,
            },
        ),
        ("push", StreamRequest::Push(blob())),
        ("renew", StreamRequest::Renew),
    ]
}

pub(crate) fn fetch_answer() -> Vec<Sample<FetchAnswer>> {
    vec![
        ("found", FetchAnswer::Found { len: 5_000_000_000 }),
        ("missing", FetchAnswer::Missing),
        ("refused", FetchAnswer::Refused("the disk failed".into())),
    ]
}

pub(crate) fn push_answer() -> Vec<Sample<PushAnswer>> {
    vec![
        ("send", PushAnswer::Send),
        ("stored", PushAnswer::Stored),
        ("refused", PushAnswer::Refused("too large".into())),
    ]
}

pub(crate) fn join_request() -> JoinRequest {
    JoinRequest {
        token: token(),
        secret: vec![1, 2, 3, 250],
        name: "host-1".into(),
        request: vec![0x30, 0x00],
    }
}

pub(crate) fn certificate_answer() -> Vec<Sample<CertificateAnswer>> {
    vec![
        (
            "certificate",
            CertificateAnswer::Certificate(vec![0x30, 0x01, 0xff]),
        ),
        (
            "refused",
            CertificateAnswer::Refused("the token was used".into()),
        ),
    ]
}
