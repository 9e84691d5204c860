//! What goes through the client API.

use super::*;
use std::collections::BTreeMap;
use wasmhost_proto::api::*;
use wasmhost_proto::grants::Grants;
use wasmhost_proto::module::{Manifest, ModuleKind, Provenance};
use wasmhost_proto::plan::DefinitionRef;

pub(crate) fn submit_request() -> SubmitRequest {
    SubmitRequest {
        definition: "[task]\nmodule = { crate = \"tasks/count\" }\n".into(),
        modules: BTreeMap::from([("crate:tasks/count".into(), digest(0xa1))]),
        files: BTreeMap::from([("a.md".into(), blob())]),
        lists: BTreeMap::from([("files:[\"*.md\"]".into(), vec!["a.md".into()])]),
        idempotency_key: Some("once".into()),
        ..SubmitRequest::default()
    }
}

pub(crate) fn submit_stored() -> SubmitRequest {
    SubmitRequest {
        stored: Some("words@3".into()),
        params: BTreeMap::from([("top".into(), serde_json::json!(10))]),
        wait_for_capacity: true,
        ..SubmitRequest::default()
    }
}

pub(crate) fn apply_request() -> ApplyRequest {
    ApplyRequest {
        name: Some("words".into()),
        note: "counts more".into(),
        job: SubmitRequest {
            idempotency_key: None,
            ..submit_request()
        },
    }
}

pub(crate) fn definition_view() -> DefinitionView {
    let SubmitRequest {
        definition,
        modules,
        files,
        lists,
        ..
    } = submit_request();
    DefinitionView {
        name: "words".into(),
        version: 3,
        created: at(0),
        note: "counts more".into(),
        digest: digest(0xd1),
        modules,
        definition: Some(definition),
        files,
        lists,
    }
}

pub(crate) fn check_view() -> CheckView {
    let import = |name: &str, functions: &[&str], grant: Option<&str>| ImportView {
        name: name.into(),
        functions: functions.iter().map(|f| f.to_string()).collect(),
        by: match grant {
            Some(_) => SatisfiedBy::Grant,
            None => SatisfiedBy::Sandbox,
        },
        grant: grant.map(str::to_owned),
        library: None,
        of: None,
    };
    let first = CheckNode {
        name: "count".into(),
        source: "crate tasks/count".into(),
        module: Some(digest(0xa1)),
        kind: Some(ModuleKind::CoreCommand),
        script: None,
        count: Some(3),
        items_of: None,
        driver: true,
        spawned_by: None,
        after: vec![],
        when: None,
        input_from: vec![],
        limits: limits(),
        asked: AskedLimits {
            memory: Some(1 << 20),
            ..AskedLimits::default()
        },
        ceiling: limits(),
        retry: RetryView {
            guest: 1,
            infrastructure: 5,
            kinds: BTreeMap::from([("trap".into(), 2)]),
            backoff_ms: 1_000,
            max_backoff_ms: 60_000,
        },
        tolerate: 2,
        concurrency: Some(8),
        priority: -1,
        imports: vec![
            import(
                "wasi_snapshot_preview1 (paths)",
                &["path_open"],
                Some("filesystem"),
            ),
            import("wasmhost:task/log@0.1.0", &[], None),
        ],
        grants: vec![GrantView {
            kind: "program".into(),
            name: "gzip".into(),
            allowed: true,
            offered_by: vec!["host-1".into()],
        }],
        files: vec![FileView {
            at: "/data".into(),
            from: "notes/".into(),
            files: Some(12),
        }],
        scratch: Some(64 << 20),
        collect: vec!["*.html".into()],
    };
    let second = CheckNode {
        name: "report".into(),
        source: "script report.js".into(),
        module: None,
        kind: None,
        script: Some(CheckScript {
            name: "report.js".into(),
            engine: "engine-js".into(),
            digest: Some(digest(0xb2)),
        }),
        count: None,
        items_of: Some("results of count".into()),
        driver: false,
        spawned_by: Some("count".into()),
        after: vec!["count".into()],
        when: Some("tasks.count.failed == 0".into()),
        input_from: vec!["count".into()],
        imports: vec![],
        grants: vec![],
        files: vec![],
        scratch: None,
        collect: vec![],
        ..first.clone()
    };
    CheckView {
        name: "words".into(),
        nodes: vec![first, second],
        params: Some(serde_json::json!({"type": "object"})),
    }
}

pub(crate) fn job_view() -> JobView {
    let counts = Counts {
        total: 8,
        waiting: 1,
        running: 2,
        succeeded: 1,
        failed: 1,
        cancelled: 1,
        skipped: 2,
    };
    JobView {
        id: job(),
        name: "words".into(),
        description: "how often".into(),
        state: JobState::Failed,
        priority: -1,
        submitted: at(0),
        started: Some(at(10)),
        ended: Some(at(9_000)),
        counts,
        nodes: vec![NodeView {
            name: "count".into(),
            module: digest(0xa1),
            array: true,
            counts,
            spawned_by: Some("steer".into()),
            open_ended: true,
            limits: limits(),
            after: vec!["split".into()],
            when: Some("results.split > 1".into()),
            skipped: true,
            tolerate: 2,
            concurrency: Some(3),
            grants: Some(Box::new(grants())),
        }],
        definition: Some(DefinitionRef {
            name: "words".into(),
            version: 3,
        }),
        params: BTreeMap::from([("top".into(), serde_json::json!(10))]),
        failure: Some(JobFailure {
            node: Some("count".into()),
            index: 4,
            failure: failure(),
        }),
        late_outcomes: 1,
        submitted_by: Some(job()),
    }
}

fn moment(what: Happening) -> Moment {
    Moment {
        at: at(10),
        attempt: 1,
        what,
    }
}

pub(crate) fn task_view() -> TaskView {
    TaskView {
        job: job(),
        node: "count".into(),
        index: 3,
        state: TaskState::Running,
        waits_for: None,
        attempts: vec![
            AttemptView {
                attempt: 2,
                worker: Some(worker()),
                worker_name: "host-1".into(),
                started: Some(at(30)),
                ended: None,
                failure: None,
                usage: None,
                status: status(),
                status_age_ms: Some(120),
            },
            AttemptView {
                attempt: 1,
                worker: None,
                worker_name: String::new(),
                started: Some(at(10)),
                ended: Some(at(20)),
                failure: Some(trap()),
                usage: Some(UsageView {
                    wall_ms: 10.0,
                    cpu_ms: 7.5,
                    peak_memory: 65_536,
                }),
                status: Default::default(),
                status_age_ms: None,
            },
        ],
        timeline: vec![
            moment(Happening::Started {
                worker: "host-1".into(),
            }),
            moment(Happening::Progress(Default::default())),
            moment(Happening::Value(NamedValue {
                name: "phase".into(),
                value: Value::Text("parse".into()),
            })),
            moment(Happening::Event {
                name: "page".into(),
                value: Some(Value::Int(1)),
            }),
            moment(Happening::Ended {
                failure: Some(trap().kind),
            }),
        ],
        result: Some(ResultView {
            len: 2,
            digest: Some(digest(0xb2)),
            text: Some("42".into()),
        }),
        checkpoint: Some(CheckpointView {
            attempt: 1,
            len: 4_096,
        }),
        outputs: vec![OutputView {
            node: "count".into(),
            index: 3,
            name: "report.html".into(),
            content_type: "text/html".into(),
            bytes: 70_000,
            complete: true,
        }],
    }
}

pub(crate) fn job_status() -> JobStatus {
    JobStatus {
        at: at(40),
        job: job_view(),
        tasks: vec![task_view()],
        tasks_left_out: 5,
        workers: vec![WorkerFreshness {
            worker: worker(),
            name: "host-1".into(),
            age_ms: 100,
            running: 2,
        }],
    }
}

pub(crate) fn info() -> Info {
    Info {
        version: "0.1.0".into(),
        cluster: "d0d0d0d0".into(),
        term: 7,
        started: at(0),
        now: at(50),
        worker_address: "127.0.0.1:7311".into(),
        workers: 2,
        slots: 16,
        live_jobs: 1,
        waiting_tasks: 90,
        running_tasks: 10,
        load_percent: 62,
        modules: 3,
        modules_bytes: 4_096,
        definitions: 2,
    }
}

pub(crate) fn worker_view() -> WorkerView {
    WorkerView {
        id: worker(),
        name: "host-1".into(),
        state: WorkerState::Draining,
        version: "0.1.0".into(),
        slots: 8,
        running: 3,
        queued: 4,
        completed: 1_000,
        executors_lost: 1,
        age_ms: Some(300),
        status_interval_ms: 1_000,
        connected: Some(at(1)),
        offers: grants(),
    }
}

pub(crate) fn grants() -> Grants {
    Grants {
        programs: vec!["gzip".into(), "sha256sum".into()],
        ..Grants::default()
    }
}

pub(crate) fn module_view() -> ModuleView {
    ModuleView {
        digest: digest(0xa1),
        len: 123_456,
        kind: ModuleKind::CoreCommand,
        names: vec!["count:0.1.0".into()],
        pushed: at(0),
        manifest: Manifest {
            name: "count".into(),
            version: "0.1.0".into(),
            description: "Counts words.".into(),
            input: Some(serde_json::json!({"type": "string"})),
            output: None,
            sdk: "wasmhost-guest 0.1.0".into(),
            entry: Some(ModuleKind::CoreCommand),
            wants: vec!["filesystem".into()],
            made_from: Some(Provenance {
                module: digest(0xa2),
                libraries: vec![digest(0xa3)],
            }),
        },
        imports: vec!["wasi_snapshot_preview1.fd_write".into()],
        exports: vec!["_start".into(), "memory".into()],
        uploaded: Some(digest(0xa2)),
        composed: Some(CompositionView {
            module: digest(0xa2),
            libraries: vec![LibraryPart {
                name: "case".into(),
                digest: digest(0xa3),
            }],
        }),
    }
}

pub(crate) fn library_view() -> LibraryView {
    LibraryView {
        name: "case".into(),
        digest: digest(0xa3),
        len: 1_234,
        added: at(0),
        exports: vec!["demo:text/case@1.0.0".into()],
        imports: vec!["wasmhost:task/log@0.1.0".into()],
    }
}

pub(crate) fn token_view() -> TokenView {
    TokenView {
        id: token(),
        kind: TokenKind::Join,
        name: "for host-1".into(),
        created: at(0),
        expires: Some(at(3_600_000)),
        used: None,
    }
}

pub(crate) fn problem() -> Problem {
    Problem {
        kind: "urn:wasmhost:definition_rejected".into(),
        status: 422,
        code: "definition_rejected".into(),
        title: "the definition has a mistake".into(),
        help: Some("mend it".into()),
        errors: vec![Diagnostic {
            code: "unknown-key".into(),
            message: "unknown key `nmae` in [job]".into(),
            help: Some("did you mean `name`?".into()),
            span: Some(Span {
                start: 6,
                end: 10,
                line: 2,
                column: 1,
            }),
            file: Some("report.js".into()),
        }],
    }
}
