//! Modules as text, and what becomes of them.
#![allow(clippy::unwrap_used)]

use super::*;
use wasmhost_proto::limits::{MAX_BLOCK_DEPTH, MAX_IMPORTS, MAX_MANIFEST};

/// A task component whose core module does nothing; `extra` goes before the export.
fn task(extra: &str, run: &str) -> String {
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                (func (export "run") (param i32 i32) (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (type $err (record (field "message" string) (field "retryable" bool)))
            (import "task-error" (type $task-error (eq $err)))
            {extra}
            {run})"#
    )
}

const RUN: &str = r#"(func (export "run") (param "input" (list u8)) (result (result (list u8) (error $task-error)))
    (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))"#;

fn command(version: &str, result: &str) -> String {
    format!(
        r#"(component
            (core module $m (func (export "run") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func $run (result {result}) (canon lift (core func $i "run")))
            (instance $run (export "run" (func $run)))
            (export "wasi:cli/run@{version}" (instance $run)))"#
    )
}

/// What is wrong, one line per reason, or the kind.
fn judge(bytes: &[u8]) -> String {
    match admit(bytes, &Hint::default()) {
        Ok(admitted) => format!("{:?}", admitted.kind),
        Err(rejection) => {
            let lines = rejection.diagnostics.iter().map(|d| {
                let help = d
                    .help
                    .as_ref()
                    .map(|h| format!(" [{h}]"))
                    .unwrap_or_default();
                format!("{}: {}{help}", d.code, d.message)
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// Every part of `want` is in what becomes of the module.
fn check(text: &str, want: &[&str]) {
    let got = judge(&wat::parse_str(text).unwrap_or_else(|e| panic!("{e}\n{text}")));
    for part in want {
        assert!(got.contains(part), "{text}\nwanted: {part}\ngot: {got}");
    }
}

#[test]
fn admitted_kinds() {
    check(&task("", RUN), &["Task"]);
    check(&command("0.2.0", "(result)"), &["Command"]);
    check(&command("0.2.12", "(result)"), &["Command"]);
    check(r#"(module (func (export "_start")))"#, &["CoreCommand"]);
    check(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (import "wasi_unstable" "proc_exit" (func (param i32)))
            (memory (export "memory") 1) (func (export "_start")))"#,
        &["CoreCommand"],
    );
    let imports = r#"(import "wasmhost:task/log@0.1.0" (instance (export "write" (func))))
        (import "wasi:cli/environment@0.2.6" (instance))
        (import "wasi:sockets/tcp@0.2.0" (instance))"#;
    check(&task(imports, RUN), &["Task"]);
}

#[test]
fn unknown_imports_are_named_one_by_one() {
    check(
        r#"(module (import "env" "system" (func)) (import "wbg" "alert" (func))
            (import "wasi_snapshot_preview1" "fd_writ" (func)) (func (export "_start"))
            (memory (export "memory") 1))"#,
        &[
            "'system' from 'env'",
            "wasi-sdk",
            "'alert' from 'wbg'",
            "browsers",
            "did you mean `fd_write`?",
        ],
    );
    check(
        r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32)))
            (func (export "_start")) (memory (export "memory") 1))"#,
        &["'fd_close' from 'wasi_snapshot_preview1' with another type"],
    );
    check(
        r#"(module (import "wasi_unstable" "sock_accept" (func (param i32 i32 i32) (result i32)))
            (func (export "_start")) (memory (export "memory") 1))"#,
        &["'sock_accept' from 'wasi_unstable'"],
    );
    for (import, want) in [
        ("wasi:cli/stdin@0.3.0", "version 0.2 of WASI"),
        ("wasi:cli/stdim@0.2.0", "did you mean `stdin`?"),
        ("wasmhost:task/statu@0.1.0", "did you mean `status`?"),
        ("wasmhost:task/log@0.2.0", "wasmhost:task@0.1"),
        ("wasi:config/store@0.2.0", "wasi:config/store@0.2.0-rc.1"),
        (
            "wasi:keyvalue/watcher@0.2.0-draft2",
            "wasi:keyvalue/atomics@0.2.0-draft2",
        ),
        ("plain", "'plain', which"),
    ] {
        check(
            &task(&format!(r#"(import "{import}" (instance))"#), RUN),
            &["unknown-import", want],
        );
    }
    // For these there may be libraries.
    for import in ["wasi:blobstore/container@0.2.0", "acme:db/query"] {
        let instance = format!(r#"(import "{import}" (instance))"#);
        check(&task(&instance, RUN), &["Task"]);
        let function = format!(r#"(import "{import}" (func))"#);
        check(&task(&function, RUN), &["unknown-import"]);
    }
    let newer = r#"(import "wasmhost:task/context@0.1.9" (instance (export "indx" (func))))"#;
    check(
        &task(newer, RUN),
        &[
            "'indx' of 'wasmhost:task/context@0.1.9'",
            "did you mean `index`?",
        ],
    );
}

#[test]
fn entry_points() {
    check("(component)", &["missing-export", "wasmhost::task"]);
    check(
        &command("0.3.0", "(result)"),
        &["missing-export", "another version of WASI"],
    );
    check(
        &command("0.2.0", "bool"),
        &["wrong-signature", "run: func() -> result"],
    );
    check(
        r#"(module (func (export "main")))"#,
        &["missing-export", "'_start'"],
    );
    check(
        r#"(module (func (export "_start") (param i32)))"#,
        &["wrong-signature"],
    );
    check(
        r#"(module (memory (export "_start") 1))"#,
        &["wrong-signature"],
    );
    check(
        r#"(module (import "wasi_unstable" "sched_yield" (func (result i32))) (func (export "_start")))"#,
        &["no memory named 'memory'"],
    );
    for run in [
        RUN.replace("(param \"input\" (list u8)) ", "(param \"input\" string) "),
        RUN.replace("(error $task-error)", "(error string)"),
        RUN.replace("(result (result (list u8)", "(result (result string"),
        r#"(instance (export "run"))"#.to_owned(),
    ] {
        check(&task("", &run), &["wrong-signature", "'run'"]);
    }
}

#[test]
fn what_is_no_module() {
    let check = |bytes: &[u8], want: &str| {
        let got = judge(bytes);
        assert!(got.contains(want), "wanted: {want}\ngot: {got}");
    };
    check(b"", "not-wasm: it is empty");
    check(b"  ;; a comment\n(module)", "wasm-tools parse");
    check(b"\x7fELF\x02", "native program");
    check(b"PK\x03\x04", "archive");
    check(b"#!/bin/sh\n", "does not begin with");
    check(b"\0asm", "truncated");
    check(b"\0asm\x01\0\0", "truncated");
    check(b"\0asm\xff\0\0\0", "invalid-module");
    check(b"\0asm\x01\0\0\0\x01", "truncated");
    check(b"\0asm\x01\0\0\0\x7f\0", "invalid-module");
    let whole = wat::parse_str(task("", RUN)).unwrap();
    // Without the names at its end it would still be whole.
    let names = whole
        .windows(14)
        .position(|w| w == b"component-name")
        .unwrap();
    for cut in 0..names - 4 {
        let got = judge(&whole[..cut]);
        assert!(!got.starts_with("Task"), "cut at {cut}: {got}");
    }
    let huge = vec![0u8; MAX_MODULE as usize + 1];
    check(&huge, "too-large");
}

#[test]
fn invalid_and_unsupported() {
    check(
        r#"(module (func (export "_start") i32.const 1))"#,
        &["invalid-module"],
    );
    for text in [
        "(memory 1 1 shared)",
        "(memory i64 1)",
        "(memory 1) (memory 1)",
        "(tag)",
        "(func return_call 0)",
        "(type (struct))",
        "(func (result v128) (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
    ] {
        check(
            &format!("(module {text})"),
            &["unsupported-feature", "sandboxes do not have"],
        );
    }
}

#[test]
fn shape_is_bounded() {
    let nested = |depth: u32| {
        let depth = depth as usize;
        format!(
            r#"(module (func (export "_start") {} {}))"#,
            "block ".repeat(depth),
            "end ".repeat(depth)
        )
    };
    check(&nested(MAX_BLOCK_DEPTH - 1), &["CoreCommand"]);
    check(&nested(MAX_BLOCK_DEPTH), &["too-complex", "nests blocks"]);
    let import = |n: u32| format!(r#"(import "env" "f{n}" (func))"#);
    let imports: String = (0..=MAX_IMPORTS).map(import).collect();
    check(
        &format!("(module {imports})"),
        &["too-complex", "1001 imports"],
    );
    let half: String = (0..=MAX_IMPORTS / 2).map(import).collect();
    check(
        &format!("(component (core module {half}) (core module {half}))"),
        &["too-complex", "1002 imports"],
    );
    let segments = r#"(data "")"#.repeat(100_001);
    check(
        &format!("(module (memory 1) {segments})"),
        &["too-complex", "data segments"],
    );
}

#[test]
fn manifests() {
    let with = |section: &str| {
        wat::parse_str(format!(r#"(module {section} (func (export "_start")))"#)).unwrap()
    };
    let named = with(
        r#"(@custom "wasmhost:manifest" "{\"name\":\"count\",\"version\":\"1.2.0\",\"sdk\":\"s\"}")"#,
    );
    let hint = Hint {
        name: Some("other".into()),
        version: Some("9".into()),
        source: None,
    };
    let got = admit(&named, &hint).unwrap();
    assert_eq!(
        (got.manifest.name.as_str(), got.manifest.version.as_str()),
        ("count", "1.2.0")
    );
    assert_eq!(got.bytes, named, "stored as uploaded");

    let got = admit(&with(""), &hint).unwrap();
    assert_eq!(
        (got.manifest.name.as_str(), got.manifest.version.as_str()),
        ("other", "9")
    );
    let got = admit(
        &with(r#"(@producers (processed-by "rustc" "1.95.0") (language "Rust" "2024"))"#),
        &hint,
    )
    .unwrap();
    assert_eq!(got.manifest.sdk, "rustc 1.95.0");

    let inner = task("", RUN).replacen(
        "(core module $m",
        r#"(core module $m (@custom "wasmhost:manifest" "{\"name\":\"in\"}")"#,
        1,
    );
    assert_eq!(
        admit(&wat::parse_str(inner).unwrap(), &hint)
            .unwrap()
            .manifest
            .name,
        "in"
    );

    for (section, want) in [
        (
            r#"(@custom "wasmhost:manifest" "{")"#.to_owned(),
            "no manifest",
        ),
        (
            r#"(@custom "wasmhost:manifest" "{\"name\":\"a b\"}")"#.to_owned(),
            "name in its manifest",
        ),
        (
            format!(
                r#"(@custom "wasmhost:manifest" "{}")"#,
                " ".repeat(MAX_MANIFEST + 1)
            ),
            "may have",
        ),
    ] {
        let got = judge(&with(&section));
        assert!(got.contains("bad-manifest") && got.contains(want), "{got}");
    }
}

#[test]
fn every_module_has_its_manifest_at_the_top() {
    let other = Hint {
        name: Some("other".into()),
        version: Some("9".into()),
        source: Some("other.wasm".into()),
    };
    let files = r#"(module (import "wasi_snapshot_preview1" "path_unlink_file" (func (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (func (export "_start")))"#;
    let inner = task("", RUN).replacen(
        "(core module $m",
        r#"(core module $m (@custom "wasmhost:manifest" "{\"name\":\"in\",\"version\":\"1\"}")"#,
        1,
    );
    for (text, kind, name, wants) in [
        (
            files.to_owned(),
            ModuleKind::CoreCommand,
            "",
            &["filesystem"][..],
        ),
        (command("0.2.0", "(result)"), ModuleKind::Command, "", &[]),
        (task("", RUN), ModuleKind::Task, "", &[]),
        (inner, ModuleKind::Task, "in", &[]),
    ] {
        let uploaded = wat::parse_str(text).unwrap();
        let got = admit(&uploaded, &Hint::default()).unwrap();
        let manifest = manifest_of(&got.bytes);
        assert_eq!(manifest, got.manifest);
        assert_eq!((manifest.entry, &*manifest.name), (Some(kind), name));
        assert_eq!(manifest.wants, wants);
        let from = manifest.made_from.unwrap();
        assert_eq!(from.module.0, <[u8; 32]>::from(Sha256::digest(&uploaded)));
        // What it is called when it is pushed is not in it; pushing it again changes nothing.
        assert_eq!(admit(&uploaded, &other).unwrap().bytes, got.bytes);
        assert_eq!(admit(&got.bytes, &other).unwrap().bytes, got.bytes);
        assert!(got.bytes.starts_with(&uploaded));
    }
}

/// A core module as wit-bindgen makes it, for the given world.
fn with_component_type(world: &str, core: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    resolve
        .push_str("store.wit", wasmhost_proto::CONFIG_WIT)
        .unwrap();
    let package = resolve
        .push_str("task.wit", wasmhost_proto::TASK_WIT)
        .unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
    )
    .unwrap();
    module
}

#[test]
fn component_types_are_applied() {
    let core = r#"(module
        (import "wasmhost:task/context@0.1.0" "index" (func (result i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
        (func (export "run") (param i32 i32) (result i32) i32.const 0))"#;
    let module = with_component_type("task", core);
    let got = admit(&module, &Hint::default()).unwrap();
    assert_eq!(got.kind, ModuleKind::Task);
    assert_eq!(got.imports, ["task-error", "wasmhost:task/context@0.1.0"]);
    assert_eq!(
        got.bytes,
        admit(&module, &Hint::default()).unwrap().bytes,
        "reproducible"
    );
    assert_eq!(judge(&got.bytes), "Task");

    let wasi = core.replacen(
        "(import",
        r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32))) (import"#,
        1,
    );
    let got = judge(&with_component_type("task", &wasi));
    assert!(got.contains("wasm32-wasip2"), "{got}");
    let got = judge(&with_component_type(
        "task",
        r#"(module (func (export "other")))"#,
    ));
    assert!(got.contains("cannot be made a component"), "{got}");
    let got = judge(&wat::parse_str(r#"(module (@custom "component-type" "x"))"#).unwrap());
    assert!(got.contains("cannot be made a component"), "{got}");
}

#[test]
fn damage_is_refused_or_harmless() {
    // Every byte of a module flipped in turn: an answer each time, never a panic.
    let whole = with_component_type(
        "task",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
            (func (export "run") (param i32 i32) (result i32) i32.const 0))"#,
    );
    for module in [whole, wat::parse_str(task("", RUN)).unwrap()] {
        for at in 0..module.len() {
            for flip in [0x01, 0x80] {
                let mut damaged = module.clone();
                damaged[at] ^= flip;
                assert!(!judge(&damaged).is_empty());
            }
        }
    }
}
