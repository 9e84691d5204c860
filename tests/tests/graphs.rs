//! Graphs of tasks with real processes: order, arrays made of results, conditions,
//! tolerated failures, and a primary that is killed in the middle of them.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::thread;
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, Rng, seed, task};

fn cluster() -> Cluster {
    Cluster::start(Options {
        workers: 2,
        lease: "5s",
        ..Options::default()
    })
}

/// A task of the module `echo`, which gives back its input.
fn echo(name: &str, rest: &str) -> String {
    let path = task("echo");
    format!(
        "[tasks.{name}]\nmodule = {{ path = \"{}\" }}\n{rest}\n",
        path.display()
    )
}

/// A task of the module `odd`, which does as its input says.
fn odd(name: &str, rest: &str) -> String {
    let path = task("fixtures/odd");
    format!(
        "[tasks.{name}]\nmodule = {{ path = \"{}\" }}\n{rest}\n",
        path.display()
    )
}

fn result(cluster: &Cluster, job: &str) -> Vec<u8> {
    cluster.run(&["result", job]).ok().stdout
}

/// Runs a definition to its end; the job's view.
fn succeed(cluster: &Cluster, definition: &str) -> Value {
    let job = cluster.submit(definition);
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    view
}

fn id(view: &Value) -> &str {
    view["id"].as_str().unwrap()
}

/// Every task ran in one attempt, and after all tasks of the nodes that its node names.
fn check_order(cluster: &Cluster, view: &Value) {
    let tasks = cluster.tasks(id(view));
    let times = |node: &Value, which: &str| -> Vec<String> {
        let of_node = tasks.iter().filter(|task| task["node"] == *node);
        let time = |task: &Value| task["attempts"][0][which].as_str().unwrap().to_owned();
        of_node.map(time).collect()
    };
    for node in view["nodes"].as_array().unwrap() {
        let Some(first) = times(&node["name"], "started").into_iter().min() else {
            continue;
        };
        let after = node["after"].as_array().into_iter().flatten();
        let ended = after.flat_map(|before| times(before, "ended")).max();
        assert!(
            ended.is_none_or(|ended| ended <= first),
            "{node} began early"
        );
    }
    for task in &tasks {
        let attempts = task["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "{task}");
    }
}

#[test]
fn a_chain_of_a_hundred() {
    let cluster = cluster();
    let mut text = echo("t0", "input = \"passed along\"");
    for n in 1..100 {
        text += &echo(&format!("t{n}"), &format!("input_from = \"t{}\"", n - 1));
    }
    let view = succeed(&cluster, &text);
    assert_eq!(view["counts"]["succeeded"], 100);
    assert_eq!(result(&cluster, id(&view)), b"\"passed along\"");
    check_order(&cluster, &view);
}

#[test]
fn ten_thousand_into_one() {
    let cluster = cluster();
    let map = echo("map", "array = { range = [0, 10000] }");
    let view = succeed(&cluster, &(map + &echo("reduce", "input_from = \"map\"")));
    assert_eq!(view["counts"]["succeeded"], 10_001);
    // A CBOR list of that length, and in it `[index, bytes]` for each.
    let gathered = result(&cluster, id(&view));
    assert_eq!(gathered[..3], [0x99, 0x27, 0x10]);
    let last = [&[0x82, 0x19, 0x27, 0x0f, 0x44][..], b"9999"].concat();
    assert!(gathered.ends_with(&last), "{} bytes", gathered.len());
}

#[test]
fn a_diamond_of_which_one_side_is_skipped() {
    let cluster = cluster();
    let mut text = echo("check", "input = { rows = 3 }");
    text += &echo(
        "many",
        "input = \"many\"\nwhen = \"results.check.rows > 2\"",
    );
    text += &echo("few", "input = \"few\"\nwhen = \"results.check.rows <= 2\"");
    text += &echo("only-few", "after = [\"few\"]\ninput = 1");
    text += &echo("join", "input_from = [\"many\", \"few\"]");
    let view = succeed(&cluster, &text);
    let got: Value = serde_json::from_slice(&result(&cluster, id(&view))).unwrap();
    assert_eq!(got, json!({ "many": "many", "few": null }));
    assert_eq!(view["counts"]["skipped"], 2);
    let shown = cluster.run(&["show", id(&view)]).ok().text();
    assert!(
        shown.contains("skipped: not results.check.rows <= 2"),
        "{shown}"
    );
    assert!(shown.contains("skipped: so was all before it"), "{shown}");
    let tasks = cluster.tasks(id(&view));
    let skipped = tasks.iter().filter(|task| task["state"] == "skipped");
    assert_eq!(skipped.count(), 2);
}

#[test]
fn a_job_whose_last_task_is_skipped_has_no_result() {
    let cluster = cluster();
    let text = echo("first", "input = 1")
        + &echo("last", "after = [\"first\"]\nwhen = \"results.first > 1\"");
    let view = succeed(&cluster, &text);
    let refused = cluster.run(&["result", id(&view)]);
    let said = refused.stderr.clone();
    assert!(
        said.contains("'last' was skipped, for its condition 'results.first > 1'"),
        "{said}"
    );
}

fn map_reduce(spin_ms: u64) -> String {
    let items: Vec<u64> = (0..60).collect();
    let mut text = echo("split", &format!("input = {items:?}"));
    let spin = format!("input = {{ do = \"spin\", ms = {spin_ms}, value = \"${{item}}\" }}");
    text += &odd(
        "map",
        &format!("array = {{ elements = \"split\" }}\n{spin}"),
    );
    text += &odd(
        "again",
        &format!("array = {{ results = \"map\" }}\nconcurrency = 3\n{spin}"),
    );
    text += &echo("join", "input_from = [\"again\", \"split\"]");
    text
}

fn check_map_reduce(cluster: &Cluster, view: &Value) {
    let items: Vec<u64> = (0..60).collect();
    let got: Value = serde_json::from_slice(&result(cluster, id(view))).unwrap();
    assert_eq!(got, json!({ "again": items, "split": items }));
    assert_eq!(view["counts"]["succeeded"], 122);
}

#[test]
fn arrays_over_what_came_before() {
    let cluster = cluster();
    let view = succeed(&cluster, &map_reduce(0));
    check_map_reduce(&cluster, &view);
    check_order(&cluster, &view);
}

#[test]
fn so_many_failures_are_tolerated() {
    let cluster = cluster();
    let odd = |tolerate: u32| {
        let rest = format!(
            "array = {{ items = [{{ ms = 0 }}, {{ ms = \"?\" }}, {{ ms = 1 }}] }}\n\
             input = {{ do = \"spin\", ms = \"${{item.ms}}\", value = \"${{index}}\" }}\n\
             tolerate = {tolerate}"
        );
        odd("map", &rest) + &echo("last", "input_from = [\"map\"]")
    };
    let view = succeed(&cluster, &odd(1));
    assert_eq!(view["counts"]["failed"], 1);
    let got: Value = serde_json::from_slice(&result(&cluster, id(&view))).unwrap();
    assert_eq!(got, json!({ "map": [0, 2] }));
    let job = cluster.submit(&odd(0));
    assert_eq!(cluster.finish(&job)["state"], "failed");
}

#[test]
fn a_primary_killed_in_the_middle_of_a_graph() {
    let mut rng = Rng(seed());
    let mut cluster = cluster();
    for _ in 0..6 {
        let job = cluster.submit(&map_reduce(5));
        thread::park_timeout(Duration::from_millis(rng.below(700)));
        cluster.kill_primary();
        cluster.start_primary();
        let view = cluster.finish(&job);
        assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
        check_map_reduce(&cluster, &view);
        check_order(&cluster, &view);
    }
}
