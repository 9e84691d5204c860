//! The same definition and sources give the same digests, wherever they lie and whichever
//! primary compiles them.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use wasmhost_tests::{Cluster, Options, task};

/// Every kind of source: a crate with a crate beside it, text, a module, scripts in a file
/// and in the definition, and an import from a library.
const DEFINITION: &str = r#"
[tasks.crate]
module = { crate = "greet" }
[tasks.text]
module = { path = "idle.wat" }
[tasks.module]
module = { path = "echo.wasm" }
[tasks.file]
script = "report.js"
[tasks.inline]
script = { js = "export default input => input" }
[tasks.library]
module = { path = "needs.wat" }
"#;

const FILES: &[(&str, &str)] = &[
    ("job.toml", DEFINITION),
    (
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"greet\", \"half\"]\n",
    ),
    (
        "greet/Cargo.toml",
        "[package]\nname = \"greet\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [dependencies]\nhalf = { path = \"../half\" }\n",
    ),
    (
        "greet/src/main.rs",
        "fn main() { let n = std::env::args().count(); println!(\"{}\", half::half(2 * n)); }\n",
    ),
    (
        "half/Cargo.toml",
        "[package]\nname = \"half\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    ),
    // Where it lies is in a panic's message, and in what it prints.
    (
        "half/src/lib.rs",
        "pub fn half(n: usize) -> usize { assert!(n % 2 == 0, \"{}\", file!()); n / 2 }\n",
    ),
    (
        "idle.wat",
        "(module (memory (export \"memory\") 1) (func (export \"_start\")))",
    ),
    (
        "report.js",
        "export default function (input) { return { input }; }\n",
    ),
    ("needs.wat", NEEDS),
    ("has.wat", HAS),
];

const NEEDS: &str = r#"(component
  (import "demo:sum/add@1.0.0" (instance $add (export "one" (func (param "n" u32) (result u32)))))
  (core func $one (canon lower (func $add "one")))
  (core module $m
    (import "add" "one" (func $one (param i32) (result i32)))
    (func (export "run") (result i32) (i32.ne (call $one (i32.const 1)) (i32.const 2))))
  (core instance $i (instantiate $m (with "add" (instance (export "one" (func $one))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))"#;

const HAS: &str = r#"(component
  (core module $m (func (export "one") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
  (core instance $i (instantiate $m))
  (func $one (param "n" u32) (result u32) (canon lift (core func $i "one")))
  (instance $add (export "one" (func $one)))
  (export "demo:sum/add@1.2.0" (instance $add)))"#;

/// Lays the sources down below a folder.
fn lay(root: &Path) {
    for (name, text) in FILES {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::copy(task("echo"), root.join("echo.wasm")).unwrap();
}

/// What a new primary makes of them: the version's digest, its modules, and how its
/// library task ended.
fn compiled(folder: &str) -> (Value, Value) {
    let cluster = Cluster::start(Options::default());
    let root = cluster.dir().join(folder);
    lay(&root);
    let path = |name: &str| root.join(name).display().to_string();
    // Scripts are bound to a digest of their engine; which engine that is, does not matter.
    let engine = task("echo").display().to_string();
    cluster.json(&["module", "push", &engine, "--name", "engine-js"]);
    cluster.json(&[
        "library",
        "add",
        &path("has.wat"),
        "--name",
        folder.rsplit('/').next().unwrap(),
    ]);
    let version = cluster.json(&["definition", "apply", &path("job.toml"), "--name", "all"]);
    let again = cluster.json(&["definition", "apply", &path("job.toml"), "--name", "all"]);
    assert_eq!(again["version"], 1, "nothing differs from itself: {again}");
    for digest in version["modules"].as_object().unwrap().values() {
        let module = cluster.json(&["module", "show", digest.as_str().unwrap()]);
        assert!(
            module["manifest"]["made_from"]["module"].is_string(),
            "{module}"
        );
    }
    let job = cluster.submit(
        "[task]\nmodule = { path = \"needs.wat\" }\n"
            .replace("needs.wat", &path("needs.wat"))
            .as_str(),
    );
    assert_eq!(cluster.finish(&job)["state"], "succeeded");
    (version["digest"].clone(), version["modules"].clone())
}

#[test]
fn equal_sources_give_equal_digests_in_any_folder() {
    let (digest, modules) = compiled("one/deep/down");
    assert_eq!(modules.as_object().unwrap().len(), 5, "{modules}");
    assert_eq!((digest, modules), compiled("two"));
}
