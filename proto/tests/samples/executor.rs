//! Messages between a worker's supervisor and an executor.

use super::*;
use wasmhost_proto::executor::*;
use wasmhost_proto::module::ModuleKind;

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
            "run",
            ToExecutor::Run(Box::new(Run {
                run: 12,
                module: digest(0xa1),
                task: task(3),
                lease: lease(2),
                name: "count".into(),
                count: 100,
                args: vec!["-v".into()],
                env: vec![("K".into(), "3".into())],
                limits: limits(),
                input: b"in".to_vec(),
                more_input: true,
            })),
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
        ("shutdown", ToExecutor::Shutdown),
    ]
}

pub(crate) fn from_executor() -> Vec<Sample<FromExecutor>> {
    let ended = |failure, output: &[u8]| {
        FromExecutor::Ended(Box::new(Ended {
            run: 12,
            failure,
            output: output.to_vec(),
            usage: usage(),
            status: status(),
            log: "bye\n".into(),
        }))
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
        ("started", FromExecutor::Started { run: 12 }),
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
        ("ended", ended(None, b"42")),
        ("ended.failure", ended(Some(trap()), b"")),
    ]
}
