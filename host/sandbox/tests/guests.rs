//! Odd and hostile guests, each with the one outcome it must have.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::*;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::FailureKind::{self, *};
use wasmhost_sandbox::{Controls, Finished};

#[track_caller]
fn check_core(wat: &str, want: Option<FailureKind>) -> Finished {
    let sandbox = sandbox();
    let program = load(&sandbox, wat, ModuleKind::CoreCommand).unwrap();
    let (attempt, heard) = (attempt_for(want), Heard::default());
    let finished = block_on(sandbox.run(&program, attempt, Controls::default(), &heard));
    assert_eq!(kind_of(&finished), want, "{finished:?}\nof {wat}");
    finished
}

/// Runs a preview-1 command whose `_start` is `body`.
#[track_caller]
fn check(body: &str, want: Option<FailureKind>) -> Finished {
    check_core(&command("wasi_snapshot_preview1", body), want)
}

fn command(wasi: &str, body: &str) -> String {
    let import =
        |name: &str, sig: &str| format!("(import \"{wasi}\" \"{name}\" (func ${name} {sig}))");
    format!(
        "(module {} {} {} {} {} {} {}
            (memory (export \"memory\") 1)
            (table $table 1 funcref)
            (data (i32.const 4096) \"hello\\n\")
            (global $written (mut i32) (i32.const 0))
            (func $say (param $fd i32) (param $at i32) (param $len i32)
                (i32.store (i32.const 0) (local.get $at))
                (i32.store (i32.const 4) (local.get $len))
                (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
            (func $recurse (param i32) (result i32)
                (i32.add (call $recurse (local.get 0)) (i32.const 1)))
            (func $start (export \"_start\") {body}))",
        import("proc_exit", "(param i32)"),
        import("fd_write", "(param i32 i32 i32 i32) (result i32)"),
        import("fd_read", "(param i32 i32 i32 i32) (result i32)"),
        import("poll_oneoff", "(param i32 i32 i32 i32) (result i32)"),
        import("args_sizes_get", "(param i32 i32) (result i32)"),
        import("args_get", "(param i32 i32) (result i32)"),
        import("environ_get", "(param i32 i32) (result i32)"),
    )
}

#[test]
fn commands_that_end() {
    check("", None);
    check("(call $proc_exit (i32.const 0)) unreachable", None);
    let finished = check(
        "(call $say (i32.const 1) (i32.const 4096) (i32.const 6))",
        None,
    );
    assert_eq!(finished.output, b"hello\n");
    let finished = check(
        "(call $say (i32.const 2) (i32.const 4096) (i32.const 6))",
        None,
    );
    assert_eq!(
        (finished.output.as_slice(), finished.log.as_str()),
        (&b""[..], "hello\n")
    );
    for code in [3, 125, 126, 300, -1] {
        let body = format!(
            "(call $say (i32.const 1) (i32.const 4096) (i32.const 5)) (call $proc_exit (i32.const {code}))"
        );
        let finished = check(&body, Some(ExitCode));
        assert_eq!(finished.failure.unwrap().exit_code, Some(code));
        assert_eq!(
            finished.output, b"hello",
            "output is kept whatever the exit code"
        );
    }
}

#[test]
fn commands_get_exactly_what_they_are_given() {
    let echo = "
        (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 100))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $say (i32.const 1) (i32.const 1024) (i32.load (i32.const 8)))";
    assert_eq!(check(echo, None).output, b"input");
    let args = "
        (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
        (drop (call $args_get (i32.const 32) (i32.const 1024)))
        (call $say (i32.const 1) (i32.const 1024) (i32.load (i32.const 20)))";
    assert_eq!(check(args, None).output, b"guest\0one\0two\0");
    let env = "
        (drop (call $environ_get (i32.const 32) (i32.const 1024)))
        (call $say (i32.const 1) (i32.const 1024) (i32.const 12))";
    assert_eq!(check(env, None).output, b"KEY=value\0\0\0");
}

#[test]
fn traps() {
    for body in [
        "unreachable",
        "(drop (i32.div_u (i32.const 1) (i32.load (i32.const 100))))",
        "(drop (i32.load (i32.const -4)))",
        "(drop (i32.load offset=4294967295 (i32.const -1)))",
        "(call_indirect (i32.const 0))",
        "(drop (i32.trunc_f32_s (f32.const inf)))",
    ] {
        let failure = check(body, Some(Trap)).failure.unwrap();
        let trace = failure.backtrace.unwrap();
        assert!(trace.contains("!start"), "{trace}");
        assert!(!failure.message.contains('\n'), "{}", failure.message);
    }
    check("(drop (call $recurse (i32.const 1)))", Some(StackOverflow));
}

#[test]
fn guests_that_do_not_end() {
    check("(loop (br 0))", Some(TimeLimit));
    // A fill of all memory is one instruction.
    check(
        "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0))",
        Some(TimeLimit),
    );
    // Sleeps for as long as can be said: one clock subscription.
    let sleep = "
        (i32.store (i32.const 16) (i32.const 0))
        (i32.store (i32.const 24) (i32.const 1))
        (i64.store (i32.const 32) (i64.const 9223372036854775807))
        (drop (call $poll_oneoff (i32.const 8) (i32.const 1024) (i32.const 1) (i32.const 2048)))";
    check(sleep, Some(TimeLimit));
    // Polls without ever waiting.
    let spin = "(loop
        (i32.store (i32.const 24) (i32.const 1)) (i64.store (i32.const 32) (i64.const 0))
        (drop (call $poll_oneoff (i32.const 8) (i32.const 1024) (i32.const 1) (i32.const 2048)))
        (br 0))";
    check(spin, Some(TimeLimit));
    let module = "(module (memory (export \"memory\") 1) (func $spin (loop (br 0)))
        (start $spin) (func (export \"_start\")))";
    check_core(module, Some(TimeLimit));
}

#[test]
fn memory_is_bounded_in_sum() {
    let grow = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    let finished = check(grow, None);
    let (pages, table) = (63 << 16, 8);
    assert_eq!(finished.usage.peak_memory, pages + table);
    check(&format!("{grow} unreachable"), Some(MemoryLimit));
    let finished = check(
        &format!("{grow} (call $proc_exit (i32.const 1))"),
        Some(ExitCode),
    );
    assert!(finished.failure.unwrap().message.contains("refused memory"));
    let table = "(loop (br_if 0 (i32.ne
        (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable";
    check(table, Some(MemoryLimit));
    let module = "(module (memory (export \"memory\") 1000) (func (export \"_start\")))";
    check_core(module, Some(MemoryLimit));
}

#[test]
fn floods_are_stopped() {
    let flood = |fd: u32| {
        format!("(loop (call $say (i32.const {fd}) (i32.const 0) (i32.const 60000)) (br 0))")
    };
    let finished = check(&flood(1), Some(OutputLimit));
    assert_eq!(finished.output.len(), 1 << 20);
    let finished = check(&flood(2), Some(HostCallLimit));
    assert!(finished.log.len() < 100_000);
}

#[test]
fn a_count_of_bytes_that_lies_is_refused() {
    // Within the guest's memory in no way: an errno or a trap, and no allocation.
    let body = "(call $say (i32.const 1) (i32.const 0) (i32.const -1)) unreachable";
    check(body, Some(Trap));
}

#[test]
fn old_commands_run_as_they_are() {
    let body = "(call $say (i32.const 1) (i32.const 4096) (i32.const 6)) (call $proc_exit (i32.const 200))";
    let finished = check_core(&command("wasi_unstable", body), Some(ExitCode));
    assert_eq!(finished.output, b"hello\n");
    assert_eq!(finished.failure.unwrap().exit_code, Some(200));
}

#[test]
fn modules_that_cannot_start_are_refused() {
    let sandbox = sandbox();
    for (wat, kind, want) in [
        ("(module)", ModuleKind::CoreCommand, "_start"),
        (
            "(module (func (export \"_start\") (param i32)))",
            ModuleKind::CoreCommand,
            "_start",
        ),
        (
            "(module (import \"env\" \"system\" (func)) (func (export \"_start\")))",
            ModuleKind::CoreCommand,
            "env::system",
        ),
        (
            "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func)) (func (export \"_start\")))",
            ModuleKind::CoreCommand,
            "proc_exit",
        ),
        (
            "(module (memory i64 1) (func (export \"_start\")))",
            ModuleKind::CoreCommand,
            "memory64",
        ),
        (
            "(module (memory 1 1 shared) (func (export \"_start\")))",
            ModuleKind::CoreCommand,
            "threads",
        ),
        (
            "(module (tag) (func (export \"_start\")))",
            ModuleKind::CoreCommand,
            "exceptions",
        ),
        ("(module)", ModuleKind::Task, "component"),
        ("(component)", ModuleKind::CoreCommand, "component"),
        ("(component)", ModuleKind::Task, "run"),
        ("(component)", ModuleKind::Command, "wasi:cli/run"),
        (
            "(component (import \"other:host/thing\" (instance (export \"f\" (func)))))",
            ModuleKind::Task,
            "other:host/thing",
        ),
    ] {
        match load(&sandbox, wat, kind) {
            Ok(_) => panic!("{wat} was accepted"),
            Err(reason) => assert!(reason.contains(want), "{reason}\nfor {wat}"),
        }
    }
}

#[test]
fn neighbours_are_undisturbed() {
    let sandbox = sandbox();
    let load = |body: &str| {
        load(
            &sandbox,
            &command("wasi_snapshot_preview1", body),
            ModuleKind::CoreCommand,
        )
        .unwrap()
    };
    let spinner = load("(loop (br 0))");
    let good = load("(call $say (i32.const 1) (i32.const 4096) (i32.const 6))");
    let heard = Heard::default();
    let run = |program, attempt| sandbox.run(program, attempt, Controls::default(), &heard);
    let (short, long) = (attempt_for(Some(TimeLimit)), attempt());
    block_on(async {
        let (bad, good) = tokio::join!(run(&spinner, short), run(&good, long));
        assert_eq!(kind_of(&bad), Some(TimeLimit));
        assert_eq!(
            (good.failure, good.output.as_slice()),
            (None, &b"hello\n"[..])
        );
        assert!(bad.usage.cpu_us > good.usage.cpu_us);
    });
}

#[test]
fn attempts_can_be_killed() {
    let sandbox = sandbox();
    let body = command("wasi_snapshot_preview1", "(loop (br 0))");
    let program = load(&sandbox, &body, ModuleKind::CoreCommand).unwrap();
    let heard = Heard::default();
    let mut slow = attempt();
    slow.limits.wall_ms = 3_600_000;
    for before in [true, false] {
        let controls = Controls::default();
        let finished = block_on(async {
            let run = sandbox.run(&program, slow.clone(), controls.clone(), &heard);
            if before {
                controls.kill();
                run.await
            } else {
                let kill = async {
                    tokio::task::yield_now().await;
                    controls.kill()
                };
                tokio::join!(run, kill).0
            }
        });
        assert_eq!(kind_of(&finished), Some(Cancelled));
    }
}

#[test]
fn too_many_arguments_are_refused() {
    let sandbox = sandbox();
    let program = load(
        &sandbox,
        &command("wasi_unstable", ""),
        ModuleKind::CoreCommand,
    )
    .unwrap();
    let mut huge = attempt();
    huge.args = vec!["x".repeat(1 << 20)];
    let heard = Heard::default();
    let finished = block_on(sandbox.run(&program, huge, Controls::default(), &heard));
    assert_eq!(kind_of(&finished), Some(BadInput));
}

#[test]
fn compatibility_is_stable() {
    let name = wasmhost_sandbox::compatibility().unwrap();
    assert_eq!(name, wasmhost_sandbox::compatibility().unwrap());
    assert_eq!(name.len(), 16);
}
