//! The long form: tasks that name each other, their order, and the plan for them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use wasmhost_jobc::{Ambiguous, Catalogue, ModuleFacts, Planned, check, draft, parse, plan};
use wasmhost_proto::Digest;
use wasmhost_proto::api::SubmitRequest;
use wasmhost_proto::input::{Array, BlobRef, Input, Item};
use wasmhost_proto::limits::MAX_NODES;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::NodeInput;

/// Every name is a task; those that begin with `cmd` are commands.
struct Shelf;

impl Catalogue for Shelf {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        Some(ModuleFacts {
            digest,
            len: 7,
            kind: ModuleKind::Task,
        })
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        let facts = self
            .digest(Digest([1; 32]))
            .filter(|_| reference != "engine-rhai");
        let kind = match reference.starts_with("cmd") {
            true => ModuleKind::Command,
            false => ModuleKind::Task,
        };
        Ok(facts.map(|facts| ModuleFacts { kind, ..facts }))
    }

    fn imports(&self, _: Digest) -> Vec<String> {
        vec!["wasi:sockets/tcp@0.2.0".into()]
    }
}

fn request(definition: &str, params: serde_json::Value) -> SubmitRequest {
    let blob = |n: u8| BlobRef {
        digest: Digest([n; 32]),
        len: 3,
    };
    SubmitRequest {
        definition: definition.into(),
        params: serde_json::from_value(params).unwrap(),
        files: BTreeMap::from([
            ("script:a/report.js".into(), blob(5)),
            ("param:data".into(), blob(6)),
        ]),
        ..SubmitRequest::default()
    }
}

fn good(definition: &str, params: serde_json::Value) -> Planned {
    let request = request(definition, params);
    let planned = plan(&request, &Shelf).unwrap_or_else(|e| panic!("{definition}\n{e:#?}"));
    let view = check(&request, &Shelf).unwrap();
    assert_eq!(view.nodes.len(), planned.plan.nodes.len());
    planned
}

fn names(definition: &str) -> Vec<String> {
    let definition = parse(definition).unwrap_or_else(|e| panic!("{e:#?}"));
    definition
        .nodes
        .iter()
        .map(|node| node.name.clone())
        .collect()
}

const ALL: &str = r#"
[job]
concurrency = 5
[params.full]
type = "flag"
default = true
[tasks.send]
module = "cmd-send"
when = "results.check.rows > 0 and params.full and tasks['sum-up'].failed == 0"
input_from = ["check", "sum-up"]
[tasks.sum-up]
module = "sum"
input_from = "part"
[tasks.part]
module = "part"
array = { elements = "list" }
concurrency = 3
tolerate = "all"
priority = -1
config = { b = "${item}", a = "1" }
retry = { max = 1, kinds = { trap = 2, time_limit = 1 } }
[tasks.again]
module = "cmd-x"
array = { results = "part" }
[tasks.list]
script = { js = "export default () => [1, 2]" }
[tasks.check]
script = "a/report.js"
after = ["list"]
input_from = "list"
"#;

#[test]
fn everything_at_once() {
    let Planned { plan, blobs, .. } = good(ALL, serde_json::json!({}));
    let names: Vec<&str> = plan.nodes.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["list", "part", "sum-up", "again", "check", "send"]);
    let [list, part, sum, again, check, send] = plan.nodes.as_slice() else {
        panic!("{names:?}")
    };
    assert_eq!(plan.concurrency, Some(5));
    assert_eq!(plan.params["full"], "true");
    assert_eq!(
        (&list.input, &list.array),
        (&NodeInput::Given(Input::Item), &Array::Single)
    );
    let script = list.script.as_ref().unwrap();
    assert_eq!((script.name.as_str(), script.source.len), ("list.js", 27));
    assert_eq!(
        blobs,
        [(
            script.source.clone(),
            b"export default () => [1, 2]".to_vec()
        )]
    );
    assert_eq!(
        (&part.array, part.after.as_slice()),
        (&Array::Elements(0), &[0][..])
    );
    assert_eq!(
        (part.concurrency, part.tolerate, part.priority),
        (Some(3), u32::MAX, -1)
    );
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(part.config, [pair("a", "1"), pair("b", "${item}")]);
    let kinds = [(FailureKind::Trap, 2), (FailureKind::TimeLimit, 1)];
    assert_eq!(
        (part.retry.guest, part.retry.kinds.as_slice()),
        (1, &kinds[..])
    );
    assert_eq!(
        (&sum.input, sum.after.as_slice()),
        (&NodeInput::Gather(1), &[1][..])
    );
    assert_eq!(again.array, Array::Results(1));
    assert_eq!(
        again.input,
        NodeInput::Given(Input::Item),
        "bytes as they are"
    );
    assert_eq!(
        (&check.input, check.after.as_slice()),
        (&NodeInput::Result(0), &[0][..])
    );
    assert_eq!(check.script.as_ref().unwrap().name, "a/report.js");
    assert_eq!(
        send.input,
        NodeInput::Join(vec![4, 2]),
        "in the order of the list"
    );
    assert_eq!(send.after, [2, 4]);
    assert!(send.when.as_ref().unwrap().starts_with("results.check"));
    let again = good(ALL, serde_json::json!({}));
    assert_eq!(again.plan, plan, "the same again");
}

#[test]
fn an_explanation_names_what_there_is() {
    let view = check(&request(ALL, serde_json::json!({})), &Shelf).unwrap();
    let [list, part, _, _, check, send] = view.nodes.as_slice() else {
        panic!("{view:?}")
    };
    assert_eq!(list.source, "js script in the definition");
    assert_eq!(list.script.as_ref().unwrap().engine, "engine-js");
    assert_eq!(
        (part.count, part.items_of.as_deref()),
        (None, Some("elements of list"))
    );
    assert_eq!(check.input_from, ["list"]);
    assert_eq!(send.after, ["sum-up", "check"]);
    assert_eq!(send.imports[0].grant.as_deref(), Some("sockets"));
    assert!(view.params.is_some());
}

#[test]
fn order_is_that_of_the_text_where_it_may_be() {
    let check = |links: &[(&str, &[&str])], want: &[&str]| {
        let tasks = links
            .iter()
            .map(|(name, after)| format!("[tasks.{name}]\nmodule = \"m\"\nafter = {after:?}\n"));
        assert_eq!(names(&tasks.collect::<String>()), want, "{links:?}");
    };
    check(&[("b", &[]), ("a", &[]), ("c", &[])], &["b", "a", "c"]);
    check(&[("b", &["a"]), ("a", &[]), ("c", &[])], &["a", "b", "c"]);
    check(
        &[("d", &["b", "c"]), ("c", &["a"]), ("b", &["a"]), ("a", &[])],
        &["a", "c", "b", "d"],
    );
}

#[test]
fn parameters_fill_what_a_task_is_given() {
    let text = r#"
[params]
n = { type = "integer" }
wait = { type = "duration", default = "30s" }
who = { type = "text", default = "Ulm" }
days = { type = "list", of = "date", default = ["2026-01-01", "2026-01-02"] }
data = { type = "file", default = "x.csv" }
none = { type = "text", required = false }
[tasks.a]
module = "m"
array = { range = [0, "${params.n}"], step = "${params.n}" }
input = { n = "${params.n}", w = ["${params.wait}", "in ${params.wait}"], i = "${item} ${params.who}", d = "${params.days}", z = "${params.none}" }
[tasks.b]
module = "cmd"
array = { items = "${params.days}" }
args = ["--wait", "${params.wait}", "${index}"]
env = { WHO = "<${params.who}>" }
config = { days = "${params.days}" }
[tasks.c]
module = "m"
input_file = "${params.data}"
"#;
    let Planned { plan, .. } = good(text, serde_json::json!({"n": "3"}));
    let [a, b, c] = plan.nodes.as_slice() else {
        panic!("{plan:?}")
    };
    assert_eq!(
        a.array,
        Array::Range {
            start: 0,
            step: 3,
            count: 1
        }
    );
    let template = r#"{"d":["2026-01-01","2026-01-02"],"i":"${item} Ulm","n":3,"w":[30000,"in 30s"],"z":null}"#;
    assert_eq!(a.input, NodeInput::Given(Input::Template(template.into())));
    let items = ["\"2026-01-01\"", "\"2026-01-02\""].map(|day| Item::Json(day.into()));
    assert_eq!(b.array, Array::Items(items.into()));
    assert_eq!(b.args, ["--wait", "30s", "${index}"]);
    assert_eq!(b.env, [("WHO".to_owned(), "<Ulm>".to_owned())]);
    assert_eq!(
        b.config,
        [("days".to_owned(), "2026-01-01,2026-01-02".to_owned())]
    );
    assert!(
        matches!(&c.input, NodeInput::Given(Input::Blob(blob)) if blob.digest == Digest([6; 32]))
    );
    assert_eq!(
        (plan.params["wait"].as_str(), plan.params["none"].as_str()),
        ("30000", "null")
    );
    // Without the required one a check still tells the rest.
    let view = check(&request(text, serde_json::json!({})), &Shelf).unwrap();
    let counts: Vec<Option<u32>> = view.nodes.iter().map(|n| n.count).collect();
    assert_eq!(counts, [None, Some(2), Some(1)]);
    let kept = draft(&request(text, serde_json::json!({})), &Shelf)
        .unwrap()
        .plan;
    assert_eq!(kept.nodes[0].array, Array::Items(vec![]));
    assert_eq!(kept.nodes[1], plan.nodes[1]);
}

#[test]
fn what_cannot_be_planned() {
    let check = |text: &str, params: serde_json::Value, want: &[&str]| {
        let mistakes = plan(&request(text, params), &Shelf).expect_err(text);
        let got: Vec<String> = mistakes
            .iter()
            .map(|m| {
                format!(
                    "{} {} {}",
                    m.code,
                    m.message,
                    m.help.clone().unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(got.len(), want.len(), "{got:#?}");
        for (got, want) in got.iter().zip(want) {
            assert!(got.contains(want), "wanted {want}, got {got}");
        }
    };
    let none = serde_json::json!({});
    check(
        "[task]\nscript = { rhai = \"1\" }",
        none.clone(),
        &[
            "missing-engine there is no engine for rhai scripts in the store push it once: `wasmhost module push",
        ],
    );
    check(
        "[task]\nscript = \"b.js\"",
        none.clone(),
        &["missing-file the client did not upload \"b.js\""],
    );
    let mut long = request("[task]\nscript = \"a/report.js\"", none.clone());
    long.files.values_mut().for_each(|blob| blob.len = 1 << 20);
    assert_eq!(plan(&long, &Shelf).unwrap_err()[0].code, "too-large");
    let bounds = "[params.n]\ntype = 'integer'\n[task]\nmodule = 'm'\narray = { range = [0, '${params.n}'] }";
    check(bounds, none.clone(), &["missing-param"]);
    check(
        bounds,
        serde_json::json!({"n": 0}),
        &["empty-array no number goes from 0 to 0"],
    );
    check(
        bounds,
        serde_json::json!({"n": 1, "m": 2}),
        &["unknown-param"],
    );
    let list = "[params.l]\ntype = 'list'\n[task]\nmodule = 'm'\narray = { items = '${params.l}' }";
    check(
        list,
        serde_json::json!({"l": ""}),
        &["empty-array `params.l` has no items"],
    );
    let file = "[params.f]\ntype = 'file'\nrequired = false\n[task]\nmodule = 'm'\ninput_file = '${params.f}'";
    check(
        file,
        none,
        &["missing-file the parameter `f` names no file"],
    );
    let long = format!(
        "[params.t]\ntype = 'text'\n[task]\nmodule = 'm'\ninput = ['{}']",
        "${params.t}".repeat(20)
    );
    let text = "x".repeat(60_000);
    check(
        &long,
        serde_json::json!({"t": text}),
        &["too-large the input of `task` has 12000"],
    );
    let args = format!(
        "[params.t]\ntype = 'text'\n[task]\nmodule = 'cmd'\nargs = ['{}']",
        "${params.t}".repeat(2_000)
    );
    check(
        &args,
        serde_json::json!({"t": text}),
        &["too-large arguments", "too-large items and parameters"],
    );
    let many = "[tasks.a]\nmodule = 'm'\narray = { range = [0, 60000000] }\n[tasks.b]\nmodule = 'm'\narray = { range = [0, 60000000] }";
    check(
        many,
        serde_json::json!({}),
        &["too-large the job has 120000000 tasks"],
    );
}

#[test]
fn ten_thousand_tasks_take_linear_time() {
    // A chain, each in front of the one before: the worst order for the text.
    let chain = (0..10_000).map(|n| match n {
        9_999 => "[tasks.t9999]\nmodule = \"m\"\n".to_owned(),
        n => format!("[tasks.t{n}]\nmodule = \"m\"\nafter = [\"t{}\"]\n", n + 1),
    });
    let Planned { plan, .. } = good(&chain.collect::<String>(), serde_json::json!({}));
    assert_eq!(
        (plan.nodes[0].name.as_str(), plan.nodes.len()),
        ("t9999", 10_000)
    );
    assert!(
        plan.nodes
            .iter()
            .zip(0..)
            .skip(1)
            .all(|(node, i)| node.after == [i - 1])
    );
    // A circle of all, and as many unknown names: mistakes are bounded, too.
    let circle = (0..10_000).map(|n| {
        format!(
            "[tasks.t{n}]\nmodule = \"m\"\nafter = [\"t{}\", \"u{n}\"]\n",
            (n + 1) % 10_000
        )
    });
    let mistakes = parse(&circle.collect::<String>()).unwrap_err();
    assert!(mistakes.len() <= 51, "{}", mistakes.len());
    let circle = (0..10_000).map(|n| {
        format!(
            "[tasks.t{n}]\nmodule = \"m\"\nafter = [\"t{}\"]\n",
            (n + 1) % 10_000
        )
    });
    let mistakes = parse(&circle.collect::<String>()).unwrap_err();
    assert!(
        mistakes[0].message.contains("… 9976 more → t0"),
        "{}",
        mistakes[0].message
    );
    let many = (0..=MAX_NODES).map(|n| format!("[tasks.t{n}]\nmodule = \"m\"\n"));
    let mistakes = parse(&many.collect::<String>()).unwrap_err();
    assert_eq!(mistakes[0].code, "too-many");
}
