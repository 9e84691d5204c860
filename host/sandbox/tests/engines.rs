//! Scripts on the engines: what they see, what they give, and how hostile ones end.
//! The engines are guests of their own: `cargo xtask build-tasks` makes them.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Heard, attempt, block_on, kind_of, sandbox};
use std::path::Path;
use std::sync::Arc;
use wasmhost_proto::executor::RunScript;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::FailureKind::{
    self, GuestError, GuestRetryable, HostCallLimit, MemoryLimit, TimeLimit, Trap,
};
use wasmhost_proto::status::Value;
use wasmhost_sandbox::{Controls, Finished, Program, Sandbox};

/// An engine, ready to run.
struct Engine {
    sandbox: Sandbox,
    program: Program,
    file: String,
}

/// How an attempt is to end: with an output, or with a kind of failure, a part of its
/// message and a part of its stack.
type Want<'a> = Result<&'a str, (FailureKind, &'a str, &'a str)>;

impl Engine {
    fn new(language: &str) -> Engine {
        let path = format!("../../target/tasks/engines/{language}.wasm");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let wasm = std::fs::read(&path)
            .unwrap_or_else(|e| panic!("{}: {e}: run `cargo xtask build-tasks`", path.display()));
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("engine");
        wasmhost_sandbox::compile(&wasm, ModuleKind::Task, &out).unwrap();
        let sandbox = sandbox();
        let program = sandbox.load(&out, ModuleKind::Task).unwrap();
        Engine {
            sandbox,
            program,
            file: format!("s.{language}"),
        }
    }

    fn run(&self, source: &str, input: &[u8], wall_ms: u64) -> Finished {
        let mut attempt = attempt();
        attempt.limits.memory = 64 << 20;
        attempt.limits.wall_ms = wall_ms;
        attempt.config = vec![("rate".into(), "0.5".into())];
        attempt.script = Some(Arc::new(RunScript {
            name: self.file.clone(),
            source: source.into(),
        }));
        attempt.input = input.into();
        let heard = Heard::default();
        block_on(
            self.sandbox
                .run(&self.program, attempt, Controls::default(), &heard),
        )
    }

    fn check(&self, source: &str, input: &[u8], want: Want) {
        // What is to run into its time limit gets a short one.
        let endless = matches!(want, Err((TimeLimit, ..)));
        let got = self.run(source, input, if endless { 200 } else { 60_000 });
        let output = String::from_utf8_lossy(&got.output);
        let failure = got
            .failure
            .clone()
            .unwrap_or_else(|| wasmhost_proto::outcome::Failure::new(GuestError, ""));
        let stack = failure.backtrace.clone().unwrap_or_default();
        let right = match want {
            Ok(want) => got.failure.is_none() && output == want,
            Err((kind, message, frames)) => {
                kind_of(&got) == Some(kind)
                    && failure.message.contains(message)
                    && stack.contains(frames)
            }
        };
        let head = &source[..source.len().min(200)];
        assert!(
            right,
            "{head}\nwanted {want:?}\ngot {output:?} {:?}",
            got.failure
        );
    }
}

const JAVASCRIPT: &[(&str, &str, Want)] = &[
    // Input and result.
    (
        "export default (x) => x",
        r#"{"b":[1,2.5,null],"a":"é"}"#,
        Ok(r#"{"b":[1,2.5,null],"a":"é"}"#),
    ),
    (
        "export default (x) => typeof x",
        "plain text",
        Ok("\"string\""),
    ),
    ("export default (x) => x === null", "", Ok("true")),
    ("export default (x) => undefined", "1", Ok("")),
    (
        "export default (x) => new TextEncoder().encode('<é>')",
        "",
        Ok("<é>"),
    ),
    (
        "export default () => new TextDecoder().decode(new Uint8Array([195, 164]))",
        "",
        Ok("\"ä\""),
    ),
    (
        "export default async function (x) { await null; return x + 1 }",
        "1",
        Ok("2"),
    ),
    ("const at = await 7; export default () => at", "", Ok("7")),
    // The platform.
    (
        "export default () => [host.context.index, host.context.count, host.context.task, host.context.cancelled]",
        "",
        Ok(r#"[3,10,"guest",false]"#),
    ),
    (
        "export default () => [host.config('rate'), host.config('none')]",
        "",
        Ok(r#"["0.5",null]"#),
    ),
    (
        "export default () => { host.progress(1n, 2); host.status.progress(2, 2n, 'done'); host.log.warn('w') }",
        "",
        Ok(""),
    ),
    (
        "export default () => host.progress('x')",
        "",
        Err((
            GuestError,
            "host.progress: done: a whole number is wanted, not a text",
            "s.js:1:",
        )),
    ),
    (
        "export default () => host.progress(-1)",
        "",
        Err((GuestError, "from 0 to 18446744073709551615", "")),
    ),
    (
        "export default () => host.log.write('loud', 'x')",
        "",
        Err((GuestError, "one of debug, info, warn, error", "")),
    ),
    (
        "export default () => host.status.set('x', 1, 2)",
        "",
        Err((GuestError, "too many arguments", "")),
    ),
    (
        "export default () => require('fs')",
        "",
        Err((GuestError, "ReferenceError", "s.js:1:")),
    ),
    (
        "import fs from 'fs'; export default () => 1",
        "",
        Err((GuestError, "module", "")),
    ),
    (
        "export default () => typeof fetch + typeof setTimeout",
        "",
        Ok("\"undefinedundefined\""),
    ),
    // Failures with the script's own lines.
    (
        "function inner(x) {\n  return x.no.such;\n}\nexport default function (x) {\n  return inner(x);\n}",
        "{}",
        Err((GuestError, "TypeError", "at inner (s.js:2:")),
    ),
    (
        "export default function f() {\n  const e = new Error('later');\n  e.retryable = true;\n  throw e;\n}",
        "",
        Err((GuestRetryable, "Error: later", "(s.js:2:")),
    ),
    (
        "export default async () => 1",
        "",
        Err((GuestError, "s.js: SyntaxError", "")),
    ),
    (
        "export default async function () { throw { message: 'plain', retryable: true } }",
        "",
        Err((GuestRetryable, "plain", "")),
    ),
    (
        "export default () => { throw 'text' }",
        "",
        Err((GuestError, "text", "")),
    ),
    (
        "export default function () {\n  let x = ;\n}",
        "",
        Err((
            GuestError,
            "s.js: SyntaxError: unexpected token ';', primary expression at line 2, col 11",
            "",
        )),
    ),
    (
        "const x = 1",
        "",
        Err((GuestError, "s.js: the script has no default function", "")),
    ),
    (
        "export default () => new Promise(() => {})",
        "",
        Err((GuestError, "never settled", "")),
    ),
    (
        "export default () => 1n",
        "",
        Err((GuestError, "TypeError", "")),
    ),
    // Hostile ones.
    (
        "export default () => { for (;;) {} }",
        "",
        Err((TimeLimit, "", "")),
    ),
    ("for (;;) {}", "", Err((TimeLimit, "", ""))),
    (
        "export default async function () { for (;;) await null }",
        "",
        Err((TimeLimit, "", "")),
    ),
    (
        "export default () => /^(a+)+$/.test('a'.repeat(40) + 'b')",
        "",
        Err((TimeLimit, "", "")),
    ),
    (
        "function f() { return f() + 1 } export default f",
        "",
        Err((GuestError, "recursive calls", "at f (s.js:1:")),
    ),
    (
        "function f() { return [1].map(f) } export default f",
        "",
        Err((GuestError, "recursive calls", "")),
    ),
    (
        "export default () => { let s = 'x'; for (;;) s += s }",
        "",
        Err((MemoryLimit, "", "")),
    ),
    (
        "export default () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20)) }",
        "",
        Err((GuestError, "RangeError", "s.js:1:")),
    ),
    (
        "export default () => new ArrayBuffer(2 ** 40)",
        "",
        Err((GuestError, "RangeError", "")),
    ),
    (
        "export default () => { let a = []; for (let i = 0; i < 50000; i++) a = [a]; return a }",
        "",
        Err((Trap, "memory", "")),
    ),
    (
        "export default () => { for (;;) host.log.info('x'.repeat(1 << 20)) }",
        "",
        Err((HostCallLimit, "log", "")),
    ),
];

const RHAI: &[(&str, &str, Want)] = &[
    // Input and result.
    (
        "fn main(x) { x }",
        r#"{"b":[1,2.5,null],"a":"é"}"#,
        Ok(r#"{"a":"é","b":[1,2.5,null]}"#),
    ),
    ("input.len() + 1", "[1,2]", Ok("3")),
    ("type_of(input)", "plain text", Ok("\"string\"")),
    ("fn main() { () }", "1", Ok("")),
    ("fn main(x) { x == () }", "", Ok("true")),
    ("\"<é>\".to_blob()", "", Ok("<é>")),
    // The platform.
    (
        "[host.context.index, host.context.idempotency_key, host.context.cancelled]",
        "",
        Ok(r#"[3,"0000000007.1.3",false]"#),
    ),
    (
        "fn main(x) { [host.config(\"rate\"), host.config(\"none\")] }",
        "",
        Ok(r#"["0.5",null]"#),
    ),
    (
        "host.progress(1, 2); host.status.progress(2, 2, \"done\"); host.log.warn(\"w\"); print(1)",
        "",
        Ok(""),
    ),
    (
        "host.progress(\"x\")",
        "",
        Err((
            GuestError,
            "host.progress: done: a whole number is wanted, not a text",
            "s.rhai:1:",
        )),
    ),
    (
        "host.nothing",
        "",
        Err((GuestError, "Unknown property 'nothing'", "")),
    ),
    (
        "host.status.nothing(1)",
        "",
        Err((GuestError, "nothing", "s.rhai:1:")),
    ),
    (
        "import \"fs\" as fs;",
        "",
        Err((GuestError, "s.rhai:1:", "")),
    ),
    // Failures with the script's own lines.
    (
        "fn inner(x) {\n  x.no.such\n}\nfn main(x) {\n  inner(x)\n}",
        "{}",
        Err((GuestError, "such", "at inner (s.rhai:2:")),
    ),
    (
        "throw #{ message: \"later\", retryable: true };",
        "",
        Err((GuestRetryable, "later", "(s.rhai:1:1)")),
    ),
    ("throw \"text\";", "", Err((GuestError, "text", ""))),
    (
        "fn main(x) {\n  let y = ;\n}",
        "",
        Err((GuestError, "s.rhai:2:11: ", "")),
    ),
    // Hostile ones.
    ("loop { }", "", Err((TimeLimit, "", ""))),
    (
        "fn f(n) { f(n + 1) + 1 } f(0)",
        "",
        Err((GuestError, "Stack overflow", "")),
    ),
    (
        "fn f(n) { [1].map(|x| f(n + 1)) } f(0)",
        "",
        Err((GuestError, "Stack overflow", "")),
    ),
    (
        "let s = \"x\"; loop { s += s; }",
        "",
        Err((MemoryLimit, "", "")),
    ),
    (
        "let a = []; loop { a.push(blob(1048576, 1)); }",
        "",
        Err((MemoryLimit, "", "")),
    ),
    (
        "let s = blob(1048576, 65).as_string(); loop { host.log.info(s) }",
        "",
        Err((HostCallLimit, "log", "")),
    ),
];

#[test]
fn javascript() {
    let engine = Engine::new("js");
    for (source, input, want) in JAVASCRIPT {
        engine.check(source, input.as_bytes(), *want);
    }
    engine.check(
        "export default (x) => x instanceof Uint8Array && x.length",
        &[255, 0],
        Ok("2"),
    );
    for (open, close) in [("(", ")"), ("[", "]")] {
        let deep = open.repeat(20_000) + "1" + &close.repeat(20_000);
        engine.check(
            &format!("export default () => {deep}"),
            b"",
            Err((Trap, "", "")),
        );
    }
    publishes(
        &engine,
        "export default () => { \
        for (const [name, value] of Object.entries({ a: 5, b: 9007199254740993n, c: 1.5, d: 'x', e: true, f: { n: [null] } })) host.status.set(name, value); \
        host.status.event('began'); console.log('said', 1); console.error('bad') }",
    );
}

#[test]
fn rhai() {
    let engine = Engine::new("rhai");
    for (source, input, want) in RHAI {
        engine.check(source, input.as_bytes(), *want);
    }
    engine.check("input.len()", &[255, 0], Ok("2"));
    let deep = "(".repeat(20_000) + "1" + &")".repeat(20_000);
    engine.check(&deep, b"", Err((GuestError, "s.rhai:1:", "")));
    publishes(
        &engine,
        "host.status.set(\"a\", 5); host.status.set(\"b\", 9007199254740993); host.status.set(\"c\", 1.5); \
        host.status.set(\"d\", \"x\"); host.status.set(\"e\", true); host.status.set(\"f\", #{ n: [()] }); \
        host.status.event(\"began\"); print(\"said 1\"); host.log.error(\"bad\")",
    );
}

/// The types of the language become those of status values.
fn publishes(engine: &Engine, source: &str) {
    let got = engine.run(source, b"", 60_000);
    assert_eq!(got.failure, None);
    let values: Vec<_> = got.status.values.into_iter().map(|v| v.value).collect();
    let want = [
        Value::Int(5),
        Value::Int(9_007_199_254_740_993),
        Value::Float(1.5),
        Value::Text("x".into()),
        Value::Flag(true),
        Value::Json(r#"{"n":[null]}"#.into()),
    ];
    assert_eq!(values, want);
    assert_eq!(got.status.events[0].name, "began");
    assert_eq!(got.log, "info said 1\nerror bad\n");
}

/// An engine without a script says so.
#[test]
fn no_script() {
    let engine = Engine::new("rhai");
    engine.check("", b"", Err((GuestError, "the task has none", "")));
}
