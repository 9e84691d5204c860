//! Task components and WASI 0.2 commands: what they may call, what they may
//! return, and what becomes of those that misuse it.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::*;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::FailureKind::{self, *};
use wasmhost_proto::status::{NamedValue, Progress, Status, Value};
use wasmhost_sandbox::{Attempt, Controls, Finished, Reporter};

/// A component of the task world whose `run` is `body`: it leaves the address
/// of its result on the stack.
fn task(body: &str) -> String {
    let head = r#"(component
        (import "wasmhost:task/context@0.1.0" (instance $context
            (export "index" (func (result u32)))
            (export "cancelled" (func (result bool)))))
        (import "wasmhost:task/status@0.1.0" (instance $status
            (type $v (variant (case "text" string) (case "int" s64) (case "float" f64)
                (case "flag" bool) (case "json" string)))
            (export "value" (type $value (eq $v)))
            (export "progress" (func (param "done" u64) (param "total" (option u64))
                (param "message" (option string))))
            (export "set" (func (param "name" string) (param "value" $value)))
            (export "event" (func (param "name" string) (param "value" (option $value))))))
        (import "wasmhost:task/log@0.1.0" (instance $log
            (type $l (enum "debug" "info" "warn" "error"))
            (export "level" (type $level (eq $l)))
            (export "write" (func (param "level" $level) (param "message" string)))))
        (import "wasi:cli/exit@0.2.0" (instance $exit
            (export "exit" (func (param "status" (result))))))
        (core module $memory (memory (export "memory") 32))
        (core instance $memory (instantiate $memory))
        (core func $index (canon lower (func $context "index")))
        (core func $cancelled (canon lower (func $context "cancelled")))
        (core func $exit (canon lower (func $exit "exit")))
        (core func $progress (canon lower (func $status "progress") (memory (core memory $memory "memory"))))
        (core func $set (canon lower (func $status "set") (memory (core memory $memory "memory"))))
        (core func $write (canon lower (func $log "write") (memory (core memory $memory "memory"))))
        (core module $main
            (import "host" "index" (func $index (result i32)))
            (import "host" "cancelled" (func $cancelled (result i32)))
            (import "host" "exit" (func $exit (param i32)))
            (import "host" "progress" (func $progress (param i64 i32 i64 i32 i32 i32)))
            (import "host" "set" (func $set (param i32 i32 i32 i64 i32)))
            (import "host" "write" (func $write (param i32 i32 i32)))
            (import "host" "memory" (memory 32))
            (data (i32.const 256) "name text {\"a\":1} \ff\ff")
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
            (func $list (param i32 i32) (result i32)
                (i32.store8 (i32.const 16) (i32.const 0))
                (i32.store (i32.const 20) (local.get 0))
                (i32.store (i32.const 24) (local.get 1))
                (i32.const 16))
            (func $error (param i32 i32 i32) (result i32)
                (i32.store8 (i32.const 16) (i32.const 1))
                (i32.store (i32.const 20) (local.get 0))
                (i32.store (i32.const 24) (local.get 1))
                (i32.store8 (i32.const 28) (local.get 2))
                (i32.const 16))
            (func $recurse (param i32) (result i32)
                (i32.add (call $recurse (local.get 0)) (i32.const 1)))
            (func $run (export "run") (param $at i32) (param $len i32) (result i32) "#;
    let tail = r#"))
        (core instance $main (instantiate $main (with "host" (instance
            (export "index" (func $index))
            (export "cancelled" (func $cancelled))
            (export "exit" (func $exit))
            (export "progress" (func $progress))
            (export "set" (func $set))
            (export "write" (func $write))
            (export "memory" (memory $memory "memory"))))))
        (type $e (record (field "message" string) (field "retryable" bool)))
        (export $error "task-error" (type $e))
        (func (export "run") (param "input" (list u8)) (result (result (list u8) (error $error)))
            (canon lift (core func $main "run") (memory (core memory $memory "memory"))
                (realloc (core func $main "realloc")))))"#;
    format!("{head}{body}{tail}")
}

fn run(attempt: Attempt, wat: &str, kind: ModuleKind, heard: &Heard) -> Finished {
    let sandbox = sandbox();
    let program = load(&sandbox, wat, kind).unwrap();
    block_on(sandbox.run(&program, attempt, Controls::default(), heard))
}

#[track_caller]
fn check(body: &str, want: Option<FailureKind>) -> Finished {
    let attempt = attempt_for(want);
    let finished = run(attempt, &task(body), ModuleKind::Task, &Heard::default());
    assert_eq!(kind_of(&finished), want, "{finished:?}\nof {body}");
    finished
}

/// Nothing is returned.
const NOTHING: &str = "(call $list (i32.const 0) (i32.const 0))";

#[test]
fn tasks_return_results_and_errors() {
    let finished = check("(call $list (local.get $at) (local.get $len))", None);
    assert_eq!(finished.output, b"input");
    assert!(finished.usage.wall_us > 0 && finished.usage.peak_memory == 2 << 20);
    for (retryable, kind) in [(0, GuestError), (1, GuestRetryable)] {
        let body = format!("(call $error (i32.const 256) (i32.const 9) (i32.const {retryable}))");
        let failure = check(&body, Some(kind)).failure.unwrap();
        assert_eq!(failure.message, "name text");
    }
    let index = "(i32.store (i32.const 512) (call $index))
        (call $list (i32.const 512) (i32.const 4))";
    assert_eq!(check(index, None).output, 3u32.to_le_bytes());
}

#[test]
fn results_that_are_none() {
    check("unreachable", Some(Trap));
    for code in [0, 1] {
        let body = format!("(call $exit (i32.const {code})) unreachable");
        let failure = check(&body, Some(ExitCode)).failure.unwrap();
        assert_eq!(failure.exit_code, Some(code));
    }
    check(
        "(drop (call $recurse (i32.const 1))) unreachable",
        Some(StackOverflow),
    );
    check("(loop (br 0)) unreachable", Some(TimeLimit));
    // A message that is not UTF-8, a list beyond the memory, an unaligned
    // result, a result that is neither ok nor error.
    check(
        "(call $error (i32.const 274) (i32.const 2) (i32.const 0))",
        Some(InvalidData),
    );
    check(
        "(call $list (i32.const 2097000) (i32.const 1000))",
        Some(InvalidData),
    );
    check("(i32.const 17)", Some(InvalidData));
    check(
        "(i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)",
        Some(InvalidData),
    );
    check("(call $list (i32.const 0) (i32.const 1048576))", None);
    check(
        "(call $list (i32.const 0) (i32.const 1048577))",
        Some(OutputLimit),
    );
    check(
        "(call $list (i32.const 0) (i32.const 2097152))",
        Some(OutputLimit),
    );
}

#[test]
fn results_beyond_what_the_host_copies() {
    let body =
        "(drop (memory.grow (i32.const 400))) (call $list (i32.const 0) (i32.const 20000000))";
    let mut roomy = attempt();
    roomy.limits.memory = 64 << 20;
    let finished = run(
        roomy.clone(),
        &task(body),
        ModuleKind::Task,
        &Heard::default(),
    );
    assert_eq!(kind_of(&finished), Some(OutputLimit), "{finished:?}");
    roomy.limits.output = 20_000_000;
    let finished = run(
        roomy.clone(),
        &task(body),
        ModuleKind::Task,
        &Heard::default(),
    );
    assert_eq!(
        (kind_of(&finished), finished.output.len()),
        (None, 20_000_000)
    );
    let body = "(drop (memory.grow (i32.const 400)))
        (call $write (i32.const 0) (i32.const 0) (i32.const 20000000)) unreachable";
    roomy.limits.output = 1000;
    let finished = run(roomy, &task(body), ModuleKind::Task, &Heard::default());
    assert_eq!(kind_of(&finished), Some(HostCallLimit), "{finished:?}");
}

#[test]
fn tasks_publish_their_status() {
    let body = format!(
        "(call $progress (i64.const 3) (i32.const 1) (i64.const 7)
            (i32.const 1) (i32.const 261) (i32.const 4))
         (call $set (i32.const 256) (i32.const 4) (i32.const 1) (i64.const -5) (i32.const 0))
         (call $set (i32.const 257) (i32.const 3) (i32.const 4) (i64.const 266) (i32.const 7))
         (call $set (i32.const 256) (i32.const 4) (i32.const 3) (i64.const 1) (i32.const 0))
         (call $write (i32.const 2) (i32.const 256) (i32.const 9)) {NOTHING}"
    );
    let finished = check(&body, None);
    let progress = Progress {
        done: 3,
        total: Some(7),
        message: Some("text".into()),
    };
    assert_eq!(finished.status.progress, Some(progress));
    let value = |name: &str, value| NamedValue {
        name: name.into(),
        value,
    };
    let values = [
        value("name", Value::Flag(true)),
        value("ame", Value::Json("{\"a\":1}".into())),
    ];
    assert_eq!(finished.status.values, values);
    assert_eq!(finished.log, "warn name text\n");
}

/// Cancels the task that it hears of.
struct Canceller<'a>(&'a Controls, Heard);

impl Reporter for &Canceller<'_> {
    fn published(&self, status: Status, log: String) {
        self.0.cancel();
        (&self.1).published(status, log);
    }
}

#[test]
fn status_is_reported_while_the_task_runs() {
    let body = format!(
        "(call $write (i32.const 0) (i32.const 256) (i32.const 4))
        (loop (call $progress (i64.const 1) (i32.const 0) (i64.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0)) (br_if 0 (i32.eqz (call $cancelled))))
        {NOTHING}"
    );
    let sandbox = sandbox();
    let program = load(&sandbox, &task(&body), ModuleKind::Task).unwrap();
    let controls = Controls::default();
    let canceller = Canceller(&controls, Heard::default());
    let finished = block_on(sandbox.run(&program, attempt(), controls.clone(), &canceller));
    assert_eq!(
        kind_of(&finished),
        None,
        "it would not end without the report"
    );
    let heard = canceller.1.0.into_inner().unwrap();
    assert_eq!(
        (heard[0].1.as_str(), finished.log.as_str()),
        ("debug name\n", "")
    );
    assert_eq!(finished.status.progress, heard[0].0.progress);
}

#[test]
fn misuse_of_the_status_ends_the_task() {
    let set = |case: u32, bits: u64, len: u32| {
        format!(
            "(call $set (i32.const 256) (i32.const 4) (i32.const {case})
                (i64.const {bits}) (i32.const {len})) {NOTHING}"
        )
    };
    check(&set(2, f64::NAN.to_bits(), 0), Some(InvalidData));
    check(&set(2, 0.5f64.to_bits(), 0), None);
    check(&set(4, 256, 4), Some(InvalidData));
    check(&set(0, 274, 2), Some(InvalidData));
    check(&set(9, 0, 0), Some(InvalidData));
    let flood = "(loop (call $write (i32.const 0) (i32.const 1024) (i32.const 1000000)) (br 0)) unreachable";
    let finished = check(flood, Some(HostCallLimit));
    assert!(finished.failure.unwrap().backtrace.unwrap().contains("run"));
    // Each value under a name of its own: its length.
    let names = "(local $n i32) (loop (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (call $set (i32.const 0) (local.get $n) (i32.const 3) (i64.const 1) (i32.const 0))
        (br_if 0 (i32.lt_u (local.get $n) (i32.const 64))))";
    check(&format!("{names} {NOTHING}"), None);
}

#[test]
fn tasks_hear_of_their_cancellation() {
    let body = format!("(loop (br_if 0 (i32.eqz (call $cancelled)))) {NOTHING}");
    let sandbox = sandbox();
    let program = load(&sandbox, &task(&body), ModuleKind::Task).unwrap();
    let (controls, heard) = (Controls::default(), Heard::default());
    let mut patient = attempt();
    patient.limits.wall_ms = 3_600_000;
    let finished = block_on(async {
        let cancel = async {
            tokio::task::yield_now().await;
            controls.cancel();
        };
        tokio::join!(
            sandbox.run(&program, patient, controls.clone(), &heard),
            cancel
        )
        .0
    });
    assert_eq!(kind_of(&finished), None);
}

#[test]
fn commands_of_wasi_0_2_have_exit_codes() {
    let command = |result: u32| {
        format!(
            r#"(component
                (core module $m (func (export "run") (result i32) (i32.const {result})))
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run))))"#
        )
    };
    for (result, want) in [(0, None), (1, Some(ExitCode))] {
        let finished = run(
            attempt(),
            &command(result),
            ModuleKind::Command,
            &Heard::default(),
        );
        assert_eq!(kind_of(&finished), want);
        assert_eq!(finished.failure.and_then(|f| f.exit_code), want.map(|_| 1));
    }
}
