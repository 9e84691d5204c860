//! Submissions with what a client resolved, and the plans they become.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use wasmhost_jobc::{Ambiguous, Catalogue, ModuleFacts, check, parse};
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::api::SubmitRequest;
use wasmhost_proto::input::{Array, BlobRef, Input, Item};
use wasmhost_proto::limits::{MAX_ITEM_BYTES, MAX_ITEMS};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::plan::{JobPlan, NodeInput, OnFailure};

/// Modules `task`, `command`, `core`; every reference with `many` is ambiguous.
struct Shelf;

const TASK: Digest = Digest([1; 32]);
const COMMAND: Digest = Digest([2; 32]);
const CORE: Digest = Digest([3; 32]);

impl Catalogue for Shelf {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        let kind = match digest {
            TASK => ModuleKind::Task,
            COMMAND => ModuleKind::Command,
            CORE => ModuleKind::CoreCommand,
            _ => return None,
        };
        Some(ModuleFacts {
            digest,
            len: 7,
            kind,
        })
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        Ok(match reference.split(':').next().unwrap() {
            "task" => self.digest(TASK),
            "command" => self.digest(COMMAND),
            "core" => self.digest(CORE),
            "engine-js" => self.digest(TASK),
            "engine-python" => self.digest(COMMAND),
            "many" => return Err(Ambiguous(vec!["many:1".into(), "many:2".into()])),
            _ => None,
        })
    }

    fn imports(&self, digest: Digest) -> Vec<String> {
        match digest {
            COMMAND => vec!["wasi:filesystem/types@0.2.6".into()],
            _ => Vec::new(),
        }
    }
}

/// The plan alone; what it holds of the definition is asked for by its own test.
fn plan(request: &SubmitRequest, shelf: &Shelf) -> Result<JobPlan, Vec<Diagnostic>> {
    wasmhost_jobc::plan(request, shelf).map(|planned| planned.plan)
}

fn blob(n: u8) -> BlobRef {
    BlobRef {
        digest: Digest([n; 32]),
        len: n.into(),
    }
}

fn request(definition: &str) -> SubmitRequest {
    SubmitRequest {
        definition: definition.into(),
        modules: BTreeMap::from([
            ("crate:tasks/count".into(), TASK),
            ("path:lost.wasm".into(), Digest([9; 32])),
        ]),
        files: BTreeMap::from([("a.md".into(), blob(4)), ("b.md (+1)".into(), blob(5))]),
        lists: BTreeMap::from([
            (
                "lines:urls.txt".into(),
                vec!["one".into(), "say \"two\"".into()],
            ),
            (
                r#"files:["*.md"];batch=1024"#.into(),
                vec!["a.md".into(), "b.md (+1)".into()],
            ),
            (
                r#"files:["*.md"]"#.into(),
                vec!["a.md".into(), "c.md".into(), "d.md".into()],
            ),
            ("lines:empty".into(), vec![]),
            ("lines:long".into(), vec!["x".repeat(MAX_ITEM_BYTES + 1)]),
            ("lines:huge".into(), vec![String::new(); MAX_ITEMS + 1]),
        ]),
        ..SubmitRequest::default()
    }
}

fn good(definition: &str) -> JobPlan {
    let request = request(definition);
    let plan = plan(&request, &Shelf).unwrap_or_else(|e| panic!("{definition}\n{e:#?}"));
    let view = wasmhost_jobc::check(&request, &Shelf).unwrap();
    assert_eq!(view.name, plan.name);
    for (node, seen) in plan.nodes.iter().zip(&view.nodes) {
        assert_eq!(
            (node.array.count(), Some(node.module)),
            (seen.count.unwrap_or(0), seen.module)
        );
    }
    plan
}

#[test]
fn everything_at_once() {
    let plan = good(
        r#"
        [job]
        name = "count-words"
        description = "how often"
        priority = -2
        queue_timeout = "10m"
        total_timeout = "1h30m"
        on_failure = "continue"
        publishes = ["prices", "sim-*", "*"]
        [task]
        name = "count"
        module = { crate = "tasks/count" }
        array = { files = ["*.md"], batch = "1KiB" }
        limits = { memory = "64MiB", time = "5s", output = "1MiB" }
        retry = { max = 3, lost = 1, backoff = "2s", max_backoff = "9s" }
        [reduce]
        module = "command:1.0"
        args = ["--top", "${count}"]
        env = { B = "2", A = "1" }
        "#,
    );
    assert_eq!((plan.name.as_str(), plan.priority), ("count-words", -2));
    assert_eq!(
        (plan.queue_ms, plan.total_ms),
        (Some(600_000), Some(5_400_000))
    );
    assert_eq!(plan.on_failure, OnFailure::Continue);
    assert_eq!(plan.publishes, ["prices", "sim-*", "*"]);
    let [count, reduce] = plan.nodes.as_slice() else {
        panic!("{plan:?}")
    };
    assert_eq!(
        (count.module, count.kind, count.module_len),
        (TASK, ModuleKind::Task, 7)
    );
    let files = [("a.md", 4), ("b.md (+1)", 5)];
    let files = files.map(|(path, n)| Item::File {
        path: path.into(),
        blob: blob(n),
    });
    assert_eq!(count.array, Array::Items(files.into()));
    assert_eq!(count.input, NodeInput::Given(Input::Item));
    assert_eq!(
        (
            count.limits.memory,
            count.limits.wall_ms,
            count.limits.output
        ),
        (64 << 20, 5_000, 1 << 20)
    );
    let retry = &count.retry;
    assert_eq!(
        (
            retry.guest,
            retry.infrastructure,
            retry.backoff_ms,
            retry.max_backoff_ms
        ),
        (3, 1, 2_000, 9_000)
    );
    assert_eq!(
        (reduce.name.as_str(), &reduce.array),
        ("reduce", &Array::Single)
    );
    assert_eq!(
        (&reduce.input, reduce.after.as_slice()),
        (&NodeInput::Gather(0), &[0][..])
    );
    let env = [("B", "2"), ("A", "1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(reduce.env, env, "in the order of the text");
}

#[test]
fn arrays() {
    let check = |array: &str, want: Array| {
        let plan = good(&format!("[task]\nmodule = \"task\"\narray = {{ {array} }}"));
        assert_eq!(plan.nodes[0].array, want, "{array}");
    };
    let json =
        |items: &[&str]| Array::Items(items.iter().map(|i| Item::Json(i.to_string())).collect());
    check(
        "range = [0, 100]",
        Array::Range {
            start: 0,
            step: 1,
            count: 100,
        },
    );
    check(
        "range = \"5..10\"",
        Array::Range {
            start: 5,
            step: 1,
            count: 5,
        },
    );
    check(
        "range = \"-3 .. 3\", step = 2",
        Array::Range {
            start: -3,
            step: 2,
            count: 3,
        },
    );
    check(
        "range = [10, 0], step = -5",
        Array::Range {
            start: 10,
            step: -5,
            count: 2,
        },
    );
    check(
        "range = [0, 0x7fffffffffffffff], step = 0x7fffffffffffffff",
        Array::Range {
            start: 0,
            step: i64::MAX,
            count: 1,
        },
    );
    check(
        "items = [1, \"a\", {k = 1.5}, 2026-01-31]",
        json(&["1", "\"a\"", r#"{"k":1.5}"#, "\"2026-01-31\""]),
    );
    check(
        "lines = \"urls.txt\"",
        json(&["\"one\"", r#""say \"two\"""#]),
    );
    assert_eq!(
        good("[task]\nmodule = \"task\"").nodes[0].array,
        Array::Single
    );
}

#[test]
fn inputs_fit_the_kind() {
    let check = |module: &str, rest: &str, want: Input| {
        let plan = good(&format!("[task]\nmodule = \"{module}\"\n{rest}"));
        assert_eq!(
            plan.nodes[0].input,
            NodeInput::Given(want),
            "{module} {rest}"
        );
    };
    let bytes = |text: &str| Input::Bytes(text.as_bytes().to_vec());
    let text = |text: &str| Input::Text(text.into());
    check("task", "", Input::Item);
    check("command", "", Input::Item);
    check("task", "input = \"hello\"", bytes("\"hello\""));
    check("command", "input = \"hello\"", text("hello"));
    check(
        "core",
        "input = { a = [1, true] }",
        bytes(r#"{"a":[1,true]}"#),
    );
    check("task", "input_file = \"a.md\"", Input::Blob(blob(4)));
    let array = "array = { lines = \"urls.txt\" }\n";
    check("task", array, Input::Item);
    check("core", array, text("${item}"));
    check(
        "task",
        &format!("{array}input = [\"${{item}}\", \"n ${{index}}\"]"),
        Input::Template(r#"["${item}","n ${index}"]"#.into()),
    );
    check(
        "command",
        &format!("{array}input = \"<${{item}}>\""),
        text("<${item}>"),
    );
    check(
        "command",
        "array = { files = [\"*.md\"], batch = \"1KiB\" }",
        Input::Item,
    );
}

#[test]
fn names_come_from_modules() {
    let check = |module: &str, want: &str| {
        let definition = parse(&format!("[task]\nmodule = {module}")).unwrap();
        let mut request = request("");
        request
            .modules
            .insert(definition.nodes[0].source.value.key(), TASK);
        request.definition = format!("[task]\nmodule = {module}");
        assert_eq!(plan(&request, &Shelf).unwrap().name, want, "{module}");
    };
    check("\"wordcount:0.1\"", "wordcount");
    check("{ crate = \"tasks/wordcount/\" }", "wordcount");
    check("{ path = \"out/x.wasm\" }", "x");
    check("{ path = \"odd name.wasm\" }", "job");
    check("\"sha256:0101010101\"", "job");
}

#[test]
fn what_cannot_be_planned() {
    let check = |rest: &str, want: &[&str]| {
        let definition = format!("[task]\n{rest}");
        let mistakes = plan(&request(&definition), &Shelf).expect_err(&definition);
        let got: Vec<String> = mistakes
            .iter()
            .map(|d| {
                format!(
                    "{}:{} {} {}",
                    d.span.map_or(0, |s| s.line),
                    d.code,
                    d.message,
                    d.help.clone().unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(got.len(), want.len(), "{definition}\n{got:#?}");
        for (got, want) in got.iter().zip(want) {
            assert!(
                got.contains(want),
                "{definition}\nwanted {want}\ngot {got:#?}"
            );
        }
    };
    check(
        "module = \"nope\"",
        &["2:unknown-module there is no module \"nope\""],
    );
    check("module = \"sha256:aaaaaaaaaa\"", &["2:unknown-module"]);
    check(
        &format!("module = \"{}\"", Digest([9; 32])),
        &["2:unknown-module"],
    );
    check(
        "module = \"many\"",
        &["2:ambiguous-module \"many\" fits several modules choose one of many:1, many:2"],
    );
    check(
        "module = { crate = \"tasks/other\" }",
        &["2:unresolved-module the client sent no module for \"crate:tasks/other\""],
    );
    check("module = { path = \"lost.wasm\" }", &["2:unknown-module"]);
    check(
        "module = \"task\"\nargs = [\"-v\"]\nenv = { A = \"1\" }",
        &["3:unfit-key `args`", "4:unfit-key `env`"],
    );
    check(
        "module = \"task\"\ninput_file = \"gone\"",
        &["3:missing-file the client did not upload \"gone\""],
    );
    let array = |array: &str| format!("module = \"task\"\narray = {{ {array} }}");
    check(
        &array("files = [\"*.md\"]"),
        &[
            "missing-file the client did not upload \"c.md\"",
            "\"d.md\"",
        ],
    );
    check(
        &array("lines = \"other\""),
        &["3:unresolved-list the client sent no list \"lines:other\""],
    );
    check(&array("lines = \"empty\""), &["3:empty-array"]);
    check(&array("lines = \"long\""), &["3:too-large an item has"]);
    check(
        &array("lines = \"huge\""),
        &["3:too-large `lines:huge` has 1000001 items"],
    );
    // Mistakes of both nodes at once, and those of the text before all others.
    check(
        "module = \"nope\"\n[reduce]\nmodule = \"nope\"",
        &["2:unknown-module", "4:unknown-module"],
    );
    check("module = \"nope\"\ncolour = 1", &["3:unknown-key"]);
}

#[test]
fn a_check_needs_neither_builds_nor_uploads() {
    let definition = "[task]\nmodule = { crate = \"tasks/other\" }\narray = { files = [\"*.md\"] }\n\
        [reduce]\nmodule = \"task\"";
    let view = check(&request(definition), &Shelf).unwrap();
    let nodes: Vec<_> = view
        .nodes
        .iter()
        .map(|n| (n.name.as_str(), n.count, n.module))
        .collect();
    assert_eq!(
        nodes,
        [("task", Some(3), None), ("reduce", Some(1), Some(TASK))]
    );
    assert!(check(&request("[task]\nmodule = \"nope\""), &Shelf).is_err());
    assert!(
        check(
            &request("[task]\nmodule = \"task\"\nargs = [\"x\"]"),
            &Shelf
        )
        .is_err()
    );
    assert!(
        check(
            &request("[task]\nmodule = \"task\"\narray = { lines = \"x\" }"),
            &Shelf
        )
        .is_err()
    );
}

#[test]
fn what_a_client_resolves() {
    let definition = parse(
        "[task]\nmodule = { crate = \"a\" }\ninput_file = \"in\"\narray = { lines = \"l\" }\n\
         [reduce]\nmodule = { path = \"b.wasm\" }",
    )
    .unwrap();
    let keys: Vec<String> = definition.sources().iter().map(|s| s.key()).collect();
    assert_eq!(keys, ["crate:a", "path:b.wasm"]);
    let files: Vec<String> = definition.files().into_iter().map(|f| f.key).collect();
    assert_eq!(files, ["in"]);
    let keys: Vec<String> = definition.lists().iter().map(|l| l.key()).collect();
    assert_eq!(keys, ["lines:l"]);
}
