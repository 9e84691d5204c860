//! Modules and libraries as text: what is wired, what is refused, what is made.
#![allow(clippy::unwrap_used)]

use sha2::{Digest as _, Sha256};
use std::fmt::Write;
use wasmhost_jobc::compose::{Library, Wiring, compose, wire};
use wasmhost_jobc::module::{Admitted, Hint, admit, admit_library};
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::limits::MAX_COMPOSED_LIBRARIES;

const CASE: &str = r#"(export "upper" (func (param "x" u32) (result u32)))"#;

/// A task that imports interfaces, each with the functions given.
fn task(imports: &[(&str, &str)]) -> Vec<u8> {
    let imports = imports
        .iter()
        .fold(String::new(), |mut text, (name, items)| {
            writeln!(text, r#"(import "{name}" (instance {items}))"#).unwrap();
            text
        });
    let text = format!(
        r#"(component
            {imports}
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                (func (export "run") (param i32 i32) (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (type $err (record (field "message" string) (field "retryable" bool)))
            (import "task-error" (type $task-error (eq $err)))
            (func (export "run") (param "input" (list u8)) (result (result (list u8) (error $task-error)))
                (canon lift (core func $i "run") (memory (core memory $i "memory"))
                    (realloc (core func $i "realloc")))))"#
    );
    wat::parse_str(text).unwrap()
}

/// A library that exports interfaces with one function, `upper`, which adds `n`, and
/// imports others.
fn library(n: u32, exports: &[&str], imports: &[&str]) -> Vec<u8> {
    let mut text = String::from("(component\n");
    for import in imports {
        writeln!(text, r#"(import "{import}" (instance {CASE}))"#).unwrap();
    }
    write!(
        text,
        r#"(core module $m (func (export "upper") (param i32) (result i32)
            local.get 0 i32.const {n} i32.add))
        (core instance $i (instantiate $m))
        (func $upper (param "x" u32) (result u32) (canon lift (core func $i "upper")))
        (instance $case (export "upper" (func $upper)))"#
    )
    .unwrap();
    for export in exports {
        writeln!(text, r#"(export "{export}" (instance $case))"#).unwrap();
    }
    text.push(')');
    wat::parse_str(text).unwrap()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// A shelf of libraries by name.
#[derive(Default)]
struct Shelf {
    libraries: Vec<Library>,
    bytes: Vec<(Digest, Vec<u8>)>,
}

impl Shelf {
    fn with(mut self, name: &str, bytes: Vec<u8>) -> Shelf {
        let admitted = admit_library(&bytes, &Hint::default()).unwrap();
        let digest = digest(&admitted.bytes);
        self.libraries.push(Library {
            name: name.to_owned(),
            digest,
            len: admitted.bytes.len() as u64,
            exports: admitted.exports,
            imports: admitted.imports,
        });
        self.bytes.push((digest, admitted.bytes));
        self
    }

    fn wire(&self, module: &Admitted) -> Result<Option<Wiring>, Vec<Diagnostic>> {
        wire(digest(&module.bytes), &module.imports, &self.libraries)
    }

    fn compose(&self, task: &[u8]) -> Result<Admitted, Vec<Diagnostic>> {
        let module = admit(task, &Hint::default()).unwrap();
        let wiring = self.wire(&module)?.unwrap();
        let find = |library: &Library| {
            let found = self
                .bytes
                .iter()
                .find(|(digest, _)| *digest == library.digest);
            found.unwrap().1.clone()
        };
        let libraries: Vec<Vec<u8>> = wiring.libraries.iter().map(find).collect();
        compose(&wiring, &module.bytes, &libraries).map_err(|rejection| rejection.diagnostics)
    }
}

fn words(faults: Vec<Diagnostic>) -> String {
    let lines = faults.into_iter().map(|fault| {
        let help = fault.help.unwrap_or_default();
        format!("{}: {} [{help}]\n", fault.code, fault.message)
    });
    lines.collect()
}

/// What is said of a task that cannot be composed has all these parts.
fn refused(shelf: Shelf, task: &[u8], want: &[&str]) {
    let got = match shelf.compose(task) {
        Ok(_) => panic!("it was composed, without {want:?}"),
        Err(faults) => words(faults),
    };
    for part in want {
        assert!(got.contains(part), "wanted: {part}\ngot: {got}");
    }
}

#[test]
fn libraries_of_libraries_go_into_one_module_and_one_only() {
    let shelf = || {
        Shelf::default()
            .with(
                "left",
                library(
                    1,
                    &["acme:a/left@1.2.0"],
                    &["acme:a/base@0.3.0", "wasi:cli/stdin@0.2.0"],
                ),
            )
            .with(
                "right",
                library(2, &["acme:a/right@1.0.0"], &["acme:a/base@0.3.1"]),
            )
            .with("base", library(3, &["acme:a/base@0.3.4"], &[]))
            .with("idle", library(4, &["acme:a/idle@1.0.0"], &[]))
    };
    let task = task(&[
        ("acme:a/left@1.0.0", CASE),
        ("acme:a/right@1.0.0", CASE),
        ("wasmhost:task/log@0.1.0", ""),
    ]);
    let module = admit(&task, &Hint::default()).unwrap();
    let wiring = shelf().wire(&module).unwrap().unwrap();
    let names: Vec<&str> = wiring.libraries.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["base", "left", "right"]);
    let links = wiring
        .links
        .iter()
        .map(|l| (l.user, l.import.as_str(), l.library));
    let mut links: Vec<_> = links.collect();
    links.sort();
    assert_eq!(
        links,
        [
            (None, "acme:a/left@1.0.0", 1),
            (None, "acme:a/right@1.0.0", 2),
            (Some(1), "acme:a/base@0.3.0", 0),
            (Some(2), "acme:a/base@0.3.1", 0),
        ]
    );
    let made = shelf().compose(&task).map_err(words).unwrap();
    assert_eq!(made.kind, module.kind);
    assert_eq!(
        made.imports,
        [
            "task-error",
            "wasi:cli/stdin@0.2.0",
            "wasmhost:task/log@0.1.0"
        ]
    );
    assert_eq!(made.exports, ["run"]);
    let from = made.manifest.made_from.unwrap();
    assert_eq!(from.module, digest(&module.bytes));
    assert_eq!(from.libraries, wiring.parts().libraries);
    // Under other names and in another order of registration it is the same.
    let mut other = shelf();
    other.libraries.reverse();
    other
        .libraries
        .iter_mut()
        .for_each(|l| l.name.push_str("-2"));
    assert_eq!(
        other.compose(&task).map_err(words).unwrap().bytes,
        made.bytes
    );
    let again = admit(&made.bytes, &Hint::default()).unwrap();
    assert_eq!(again.bytes, made.bytes, "it has its manifest");
}

#[test]
fn what_cannot_be_wired_is_said_with_what_to_do() {
    let one = task(&[("acme:text/case@1.2.0", CASE)]);
    let text = |exports: &[&str]| library(1, exports, &[]);
    refused(
        Shelf::default(),
        &one,
        &[
            "unsatisfied-import",
            "'acme:text/case@1.2.0' of the module",
            "library add",
        ],
    );
    refused(
        Shelf::default().with("old", text(&["acme:text/case@1.1.9"])),
        &one,
        &[
            "unsatisfied-import",
            "`old` exports 'acme:text/case@1.1.9', which is too old",
        ],
    );
    refused(
        Shelf::default().with("new", text(&["acme:text/case@2.0.0"])),
        &one,
        &["`new` exports 'acme:text/case@2.0.0', which is not compatible"],
    );
    refused(
        Shelf::default().with("near", text(&["acme:text/cases@1.2.0"])),
        &one,
        &["did you mean 'acme:text/cases@1.2.0'?"],
    );
    refused(
        Shelf::default()
            .with("a", library(1, &["acme:text/case@1.2.0"], &[]))
            .with("b", library(2, &["acme:text/case@1.3.0"], &[])),
        &one,
        &[
            "ambiguous-import",
            "2 libraries",
            "`a`",
            "`b` ('acme:text/case@1.3.0')",
            "library remove",
        ],
    );
    refused(
        Shelf::default().with(
            "a",
            library(1, &["acme:text/case@1.2.0"], &["acme:text/dict@1.0.0"]),
        ),
        &one,
        &[
            "unsatisfied-import",
            "'acme:text/dict@1.0.0' of the library `a`",
        ],
    );
    refused(
        Shelf::default()
            .with(
                "a",
                library(1, &["acme:text/case@1.2.0"], &["acme:text/dict@1.0.0"]),
            )
            .with(
                "b",
                library(2, &["acme:text/dict@1.0.0"], &["acme:text/case@1.0.0"]),
            ),
        &one,
        &["library-cycle", "in a circle: `a`, then `b`, `a` again"],
    );
    refused(
        Shelf::default().with(
            "a",
            library(1, &["acme:text/case@1.2.0"], &["acme:text/case@1.0.0"]),
        ),
        &one,
        &[
            "library-cycle",
            "`a` imports 'acme:text/case@1.0.0', which it exports itself",
        ],
    );
    let mut deep = Shelf::default();
    for n in 0..=MAX_COMPOSED_LIBRARIES as u32 {
        let (own, next) = (
            format!("acme:n/i{n}@1.0.0"),
            format!("acme:n/i{}@1.0.0", n + 1),
        );
        deep = deep.with(&format!("n{n}"), library(n, &[&own], &[&next]));
    }
    refused(
        deep,
        &task(&[("acme:n/i0@1.0.0", CASE)]),
        &["too-large", "needs more than"],
    );
}

#[test]
fn one_content_under_two_names_is_one_library() {
    let text = || library(1, &["acme:text/case@1.2.0"], &[]);
    let shelf = Shelf::default().with("a", text()).with("b", text());
    let made = shelf.compose(&task(&[("acme:text/case@1.2.0", CASE)]));
    assert_eq!(made.map_err(words).unwrap().exports, ["run"]);
}

#[test]
fn what_does_not_fit_is_found_when_it_is_joined() {
    let name = "acme:text/case@1.0.0";
    for items in [
        r#"(export "upper" (func (param "x" string) (result u32)))"#,
        r#"(export "lower" (func (param "x" u32) (result u32)))"#,
    ] {
        let shelf = Shelf::default().with("text", library(1, &[name], &[]));
        refused(
            shelf,
            &task(&[(name, items)]),
            &[
                "library-mismatch",
                "of the library `text` is not what the module imports",
            ],
        );
    }
}

#[test]
fn what_is_no_library() {
    let check = |bytes: &[u8], want: &[&str]| {
        let got = match admit_library(bytes, &Hint::default()) {
            Ok(_) => panic!("it was admitted, without {want:?}"),
            Err(rejection) => words(rejection.diagnostics),
        };
        for part in want {
            assert!(got.contains(part), "wanted: {part}\ngot: {got}");
        }
    };
    let text = |text: &str| wat::parse_str(text).unwrap();
    check(b"garbage", &["not-wasm"]);
    check(
        &text("(module)"),
        &["no-component", "wasm-tools component new"],
    );
    check(
        &text("(component)"),
        &["missing-export", "exports no interface"],
    );
    check(&task(&[]), &["missing-export"]);
    let odd = library(
        1,
        &["acme:a/b@1.0.0"],
        &["wasi:cli/stdim@0.2.0", "unlocked-dep=<acme:a>"],
    );
    check(
        &odd,
        &["did you mean `stdin`?", "'unlocked-dep=<acme:a>', which"],
    );
    let whole = library(1, &["acme:a/b@1.0.0"], &["acme:c/d"]);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x80;
        // An answer each time, never a panic; what is admitted can be tried.
        if let Ok(library) = admit_library(&damaged, &Hint::default()) {
            let shelf = Shelf::default().with("odd", library.bytes);
            let _ = shelf.compose(&task(&[("acme:a/b@1.0.0", CASE)]));
        }
    }
}

#[test]
fn core_modules_hear_why_they_get_nothing() {
    let core =
        r#"(module (import "acme:text/case@1.0.0" "upper" (func)) (func (export "_start")))"#;
    let rejection = admit(&wat::parse_str(core).unwrap(), &Hint::default()).unwrap_err();
    let said = words(rejection.diagnostics);
    assert!(
        said.contains("only components get imports from libraries"),
        "{said}"
    );
}
