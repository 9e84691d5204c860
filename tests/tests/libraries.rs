//! Libraries, as people use them: a task that imports what it does not have, the
//! libraries that have it, and what is said when that cannot be.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use wasmhost_tests::{Cluster, Options};

/// Memory and an allocator, for strings.
const LIBC: &str = r#"(core module $libc
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        global.get $top
        (global.set $top (i32.and
            (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7))
            (i32.const -8)))))
  (core instance $libc (instantiate $libc))"#;

/// A task that gives its input to `upper`, and that back.
fn task(interface: &str) -> String {
    format!(
        r#"(component
  (import "{interface}" (instance $case (export "upper" (func (param "text" string) (result string)))))
  {LIBC}
  (core func $upper (canon lower (func $case "upper")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $main
    (import "libc" "memory" (memory 2))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "case" "upper" (func $upper (param i32 i32 i32)))
    (func (export "run") (param i32 i32) (result i32) (local $ret i32)
      (local.set $ret (call $realloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 16)))
      (i32.store8 (local.get $ret) (i32.const 0))
      (call $upper (local.get 0) (local.get 1) (i32.add (local.get $ret) (i32.const 4)))
      (local.get $ret)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "case" (instance (export "upper" (func $upper))))))
  (type $err (record (field "message" string) (field "retryable" bool)))
  (import "task-error" (type $task-error (eq $err)))
  (func (export "run") (param "input" (list u8)) (result (result (list u8) (error $task-error)))
    (canon lift (core func $main "run") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")))))"#
    )
}

/// A library that makes each letter of a text what another library makes of it.
const CASE: &str = r#"(component
  (import "demo:text/letter@0.3.1" (instance $letter (export "upper" (func (param "letter" u32) (result u32)))))
  LIBC
  (core func $upper (canon lower (func $letter "upper")))
  (core module $main
    (import "libc" "memory" (memory 2))
    (import "letter" "upper" (func $upper (param i32) (result i32)))
    (func (export "upper") (param $at i32) (param $len i32) (result i32) (local $i i32)
      (block $done (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $len)))
        (i32.store8 (i32.add (local.get $at) (local.get $i))
          (call $upper (i32.load8_u (i32.add (local.get $at) (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $len))
      (i32.const 16)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "letter" (instance (export "upper" (func $upper))))))
  (func $text (param "text" string) (result string)
    (canon lift (core func $main "upper") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (instance $case (export "upper" (func $text)))
  (export "demo:text/case@1.0.0" (instance $case)))"#;

/// What it uses: a letter `a` to `z` becomes the one that lies `shift` below.
fn letter(shift: u32) -> String {
    format!(
        r#"(component
  (core module $main (func (export "upper") (param i32) (result i32)
    (select (i32.sub (local.get 0) (i32.const {shift})) (local.get 0)
      (i32.lt_u (i32.sub (local.get 0) (i32.const 97)) (i32.const 26)))))
  (core instance $main (instantiate $main))
  (func $upper (param "letter" u32) (result u32) (canon lift (core func $main "upper")))
  (instance $letter (export "upper" (func $upper)))
  (export "demo:text/letter@0.3.4" (instance $letter)))"#
    )
}

/// Writes a file into the cluster's folder; gives its path.
fn file(cluster: &Cluster, name: &str, text: &str) -> String {
    let path = cluster.dir().join(name);
    fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// A definition of one task in a file beside it.
fn definition(cluster: &Cluster) -> String {
    file(cluster, "shout.wat", &task("demo:text/case@1.0.0"));
    let text = "[task]\nmodule = { path = \"shout.wat\" }\ninput = \"hello, world\"\n";
    file(cluster, "shout.toml", text)
}

fn add(cluster: &Cluster, name: &str, text: &str) -> Value {
    let path = file(cluster, &format!("{name}.wat"), text);
    cluster.json(&["library", "add", &path])
}

/// Runs a command that is refused; what it says.
fn refused(cluster: &Cluster, args: &[&str]) -> String {
    let run = cluster.run(args);
    assert_eq!(run.code, 5, "{args:?}: {}{}", run.text(), run.stderr);
    run.stderr
}

fn result(cluster: &Cluster, args: &[&str]) -> String {
    cluster.run(args).ok().text().trim().to_owned()
}

#[test]
fn a_task_gets_its_import_from_a_library_that_uses_another() {
    let mut cluster = Cluster::start(Options::default());
    let shout = definition(&cluster);
    let said = refused(&cluster, &["submit", &shout]);
    for part in [
        "unsatisfied-import",
        "demo:text/case@1.0.0",
        "shout.toml:2",
        "library add",
    ] {
        assert!(said.contains(part), "'{part}' is not in: {said}");
    }
    let case = CASE.replace("LIBC", LIBC);
    let added = add(&cluster, "case", &case);
    assert_eq!(added["name"], "case");
    assert_eq!(added["exports"][0], "demo:text/case@1.0.0");
    let said = refused(&cluster, &["submit", &shout]);
    assert!(
        said.contains("demo:text/letter@0.3.1' of the library `case`"),
        "{said}"
    );
    add(&cluster, "letter", &letter(32));
    assert_eq!(result(&cluster, &["library", "list", "-q"]), "case\nletter");

    let told = result(&cluster, &["explain", &shout]);
    for part in [
        "demo:text/case@1.0.0 ← library case",
        "demo:text/letter@0.3.1 of case ← library letter",
    ] {
        assert!(told.contains(part), "'{part}' is not in: {told}");
    }
    let submit = ["submit", &shout, "--wait"];
    assert_eq!(result(&cluster, &submit), "\"HELLO, WORLD\"");
    let first = cluster.json(&["show", "latest"])["nodes"][0]["module"].clone();
    let module = cluster.json(&["module", "show", first.as_str().unwrap()]);
    let parts = module["composed"]["libraries"].as_array().unwrap().iter();
    let parts: Vec<&str> = parts.map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(parts, ["letter", "case"]);
    assert_eq!(module["imports"], serde_json::json!(["task-error"]));

    // The same parts are the same module, also after a restart.
    cluster.kill_primary();
    cluster.start_primary();
    cluster.wait_for_workers(1);
    assert_eq!(result(&cluster, &submit), "\"HELLO, WORLD\"");
    assert_eq!(
        cluster.json(&["show", "latest"])["nodes"][0]["module"],
        first
    );
    let modules = cluster.json(&["module", "list"])["items"].clone();
    assert_eq!(modules.as_array().unwrap().len(), 2, "{modules}");

    // A stored definition holds what it was stored with; other libraries are for others.
    cluster.json(&["definition", "apply", &shout, "--name", "shout"]);
    add(&cluster, "letter", &letter(31));
    assert_eq!(result(&cluster, &submit), "\"IFMMP, XPSME\"");
    assert_eq!(
        result(&cluster, &["submit", "shout", "--wait"]),
        "\"HELLO, WORLD\""
    );
    cluster.json(&["library", "remove", "letter"]);
    cluster.json(&["library", "remove", "case"]);
    assert_eq!(
        result(&cluster, &["submit", "shout", "--wait"]),
        "\"HELLO, WORLD\""
    );
    let said = refused(
        &cluster,
        &["definition", "apply", &shout, "--name", "shout"],
    );
    assert!(said.contains("unsatisfied-import"), "{said}");
}

#[test]
fn what_a_library_would_give_is_checked_before_it_is_there() {
    let cluster = Cluster::start(Options {
        workers: 0,
        ..Options::default()
    });
    let shout = definition(&cluster);
    let case = file(&cluster, "case.wat", &CASE.replace("LIBC", LIBC));
    let letter = file(&cluster, "letter.wat", &letter(32));
    let said = refused(&cluster, &["check", &shout, "--library", &case]);
    assert!(said.contains("demo:text/letter@0.3.1"), "{said}");
    let both = ["check", &shout, "--library", &case, "--library", &letter];
    cluster.run(&both).ok();
    // Nothing was added by that.
    assert_eq!(result(&cluster, &["library", "list", "-q"]), "");
    let said = refused(&cluster, &["check", &shout]);
    assert!(said.contains("unsatisfied-import"), "{said}");
}

#[test]
fn what_cannot_be_composed_is_said_before_anything_runs() {
    let cluster = Cluster::start(Options::default());
    let shout = definition(&cluster);
    let check = |want: &[&str]| {
        let said = refused(&cluster, &["submit", &shout]);
        for part in want {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
    };
    let upper = |interface: &str, of: &str| {
        format!(
            r#"(component
  (core module $main (func (export "upper") (param i32) (result i32) local.get 0))
  (core instance $main (instantiate $main))
  (func $upper (param "letter" {of}) (result {of}) (canon lift (core func $main "upper")))
  (instance $case (export "upper" (func $upper)))
  (export "{interface}" (instance $case)))"#
        )
    };
    add(&cluster, "one", &upper("demo:text/case@0.9.0", "u32"));
    check(&["unsatisfied-import", "which is too old"]);
    add(&cluster, "one", &upper("demo:text/case@1.0.0", "u32"));
    check(&[
        "library-mismatch",
        "the library `one` is not what the module imports",
    ]);
    add(&cluster, "two", &upper("demo:text/case@1.1.0", "s32"));
    check(&["ambiguous-import", "`one`", "`two`"]);
    cluster.json(&["library", "remove", "two"]);
    let circle = CASE.replace("LIBC", LIBC);
    let circle = circle.replace("demo:text/letter@0.3.1", "demo:text/case@1.0.0");
    add(&cluster, "one", &circle);
    check(&["library-cycle", "which it exports itself"]);

    for (name, text, want) in [
        (
            "garbage.wasm",
            "nothing",
            "garbage is not a WebAssembly module",
        ),
        ("core.wat", "(module)", "a library is a component"),
        ("idle.wat", "(component)", "exports no interface"),
    ] {
        let path = file(&cluster, name, text);
        let said = refused(&cluster, &["library", "add", &path]);
        assert!(said.contains(want) && said.contains(name), "{want}: {said}");
    }
    let none = cluster.run(&["library", "remove", "none"]);
    assert!(none.stderr.contains("no library 'none'"), "{}", none.stderr);
}

/// The page's commands with the page's library, and a program that fails unless 119 cents
/// come of 100.
#[test]
fn the_library_of_the_page() {
    let cluster = Cluster::start(Options::default());
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/libraries.md");
    let page = fs::read_to_string(page).unwrap();
    let tax = page.split("```wat\n").nth(1).unwrap();
    let tax = file(&cluster, "tax.wat", tax.split("```").next().unwrap());
    let price = r#"(component
  (import "acme:prices/tax@1.0.0" (instance $tax (export "add" (func (param "cents" u64) (result u64)))))
  (core func $add (canon lower (func $tax "add")))
  (core module $m
    (import "tax" "add" (func $add (param i64) (result i64)))
    (func (export "run") (result i32) (i64.ne (call $add (i64.const 100)) (i64.const 119))))
  (core instance $i (instantiate $m (with "tax" (instance (export "add" (func $add))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    file(&cluster, "price.wat", price);
    let price = file(
        &cluster,
        "price.toml",
        "[task]\nmodule = { path = \"price.wat\" }\n",
    );
    let listed = result(&cluster, &["library", "list"]);
    assert!(listed.contains("no libraries yet"), "{listed}");
    let added = result(&cluster, &["library", "add", &tax]);
    assert!(
        added.starts_with("added tax (") && added.ends_with("acme:prices/tax@1.0.0"),
        "{added}"
    );
    let told = result(&cluster, &["explain", &price]);
    assert!(
        told.contains("acme:prices/tax@1.0.0 ← library tax"),
        "{told}"
    );
    cluster.run(&["submit", &price, "--wait"]).ok();
    let listed = result(&cluster, &["library", "list"]);
    assert!(listed.contains("acme:prices/tax@1.0.0"), "{listed}");
    assert_eq!(
        result(&cluster, &["library", "remove", "tax"]),
        "removed tax"
    );
    // A module that is stored may be one, too, if it exports what can be imported.
    cluster
        .run(&[
            "module",
            "push",
            &cluster.dir().join("price.wat").display().to_string(),
        ])
        .ok();
    let said = refused(&cluster, &["library", "add", "price"]);
    assert!(said.contains("exports no interface"), "{said}");
}
