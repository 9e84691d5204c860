//! Modules made of scripts: they give what the scripts give on their engines, hold
//! nothing of where and when they were made, and are not made of bad ones.
//! The engines are guests of their own: `cargo xtask build-tasks` makes them.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{Heard, attempt, block_on, sandbox};
use std::path::Path;
use wasmhost_proto::executor::RunScript;
use wasmhost_proto::module::ModuleKind;
use wasmhost_sandbox::{Controls, Finished, Standalone, Standalones};

/// Bytes that a small script may add to its engine: objects of the interpreter's own.
const ADDED: usize = 3 << 20;

fn engine(language: &str) -> Vec<u8> {
    let path = format!("../../target/tasks/engines/{language}.wasm");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}: run `cargo xtask build-tasks`", path.display()))
}

/// The module of a script, or why there is none, with the stack.
fn make(makers: &Standalones<'_>, language: &str, source: &str) -> Result<Standalone, String> {
    let script = RunScript {
        name: format!("s.{language}"),
        source: source.into(),
    };
    makers.make(script).map_err(|error| match error {
        wasmhost_sandbox::StandaloneError::Script(failure) => {
            format!(
                "{}\n{}",
                failure.message,
                failure.backtrace.unwrap_or_default()
            )
        }
        other => other.to_string(),
    })
}

/// Attempts of a module, one after the other.
fn run(module: &[u8], inputs: &[&str]) -> Vec<Finished> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("module");
    wasmhost_sandbox::compile(module, ModuleKind::Task, &out).unwrap();
    let sandbox = sandbox();
    let program = sandbox.load(&out, ModuleKind::Task).unwrap();
    let run = |input: &&str| {
        let mut attempt = attempt();
        attempt.limits.memory = 64 << 20;
        attempt.config = vec![("rate".into(), "0.5".into())];
        attempt.input = input.as_bytes().into();
        let heard = Heard::default();
        block_on(sandbox.run(&program, attempt, Controls::default(), &heard))
    };
    inputs.iter().map(run).collect()
}

const JAVASCRIPT: &str = "let calls = 0; console.log('made'); await null;
const table = new Map([['a', 1]]);
function inner(x) { return x.no.such }
export default function (x) {
  if (x === 'fail') inner(null);
  return [++calls, table.get('a'), host.context.index, host.config('rate'), Date.now() > 1e12, Math.random() < 1];
}";

#[test]
fn javascript() {
    let code = engine("js");
    let makers = Standalones::new(&code).unwrap();
    let made = make(&makers, "js", JAVASCRIPT).unwrap();
    assert!(made.log.contains("made"), "{}", made.log);
    assert!(
        made.module.len() < code.len() + ADDED,
        "{}",
        made.module.len()
    );
    // The same again, in another process as it were: the engine is compiled anew.
    let again = Standalones::new(&code).unwrap();
    assert!(made == make(&again, "js", JAVASCRIPT).unwrap());

    let ends = run(&made.module, &["1", "2", "\"fail\""]);
    for end in &ends[..2] {
        assert_eq!(end.failure, None);
        let output = String::from_utf8_lossy(&end.output);
        assert_eq!(
            output, r#"[1,1,3,"0.5",true,true]"#,
            "every attempt is the first"
        );
    }
    let failure = ends[2].failure.clone().unwrap();
    assert!(failure.message.contains("TypeError"), "{failure:?}");
    let stack = failure.backtrace.unwrap();
    assert!(stack.contains("inner (s.js:3:"), "{stack}");

    for (source, parts) in [
        (
            "const a = 1;\nnope();\nexport default () => a",
            &["nope is not defined", "s.js"][..],
        ),
        (
            "export default function (x) { return x +* 1 }",
            &["SyntaxError", "s.js"],
        ),
        ("export const a = 1", &["no default function"]),
        ("while (true) {}\nexport default () => 1", &["ran longer"]),
        ("let s = 'x'; for (;;) s += s", &["memory"]),
        (
            "const r = Math.random();\nexport default () => r",
            &["random numbers"],
        ),
        (
            "const at = host.context.index;\nexport default () => at",
            &["host.context.index: there is no attempt", "s.js"],
        ),
        (
            "host.status.set('a', 1);\nexport default () => 1",
            &["host.status.set: there is no attempt"],
        ),
        (
            "await new Promise(() => {});\nexport default () => 1",
            &["never comes"],
        ),
        ("", &["none, or an empty one"]),
    ] {
        let why = make(&makers, "js", source).unwrap_err();
        assert!(
            parts.iter().all(|part| why.contains(part)),
            "{source}: {why}"
        );
    }
}

#[test]
fn rhai() {
    let code = engine("rhai");
    let makers = Standalones::new(&code).unwrap();
    let source = "fn main(x) { host.status.set(\"x\", x); x * 2 }";
    let made = make(&makers, "rhai", source).unwrap();
    assert!(
        made.module.len() < code.len() + ADDED,
        "{}",
        made.module.len()
    );
    assert!(made == make(&makers, "rhai", source).unwrap());
    let ends = run(&made.module, &["21", "4"]);
    assert_eq!(
        (&ends[0].output[..], &ends[1].output[..]),
        (&b"42"[..], &b"8"[..])
    );
    let why = make(&makers, "rhai", "let a = ;").unwrap_err();
    assert!(why.contains("s.rhai:1:"), "{why}");
}

#[test]
fn what_is_no_engine_is_told() {
    for (code, part) in [
        (&b"no module"[..], "cannot read scripts"),
        (&wat::parse_str("(module)").unwrap(), "cannot read scripts"),
        (&wat::parse_str("(component)").unwrap(), "`prepare`"),
    ] {
        let why = Standalones::new(code).err().unwrap().to_string();
        assert!(why.contains(part), "{why}");
    }
}
