//! Data on real processes: counted once though the primary is killed, private to its job,
//! read by clients and changed by whom a definition says so.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, task, wait_until};

/// A job of one task for each step.
fn definition(publishes: &str, steps: &[Value]) -> String {
    let path = task("fixtures/tally");
    let items: Vec<String> = steps
        .iter()
        .map(|step| step.to_string().replace("\":", "\"="))
        .collect();
    format!(
        r#"
        [job]
        publishes = [{publishes}]
        [tasks.tally]
        module = {{ path = "{}" }}
        array = {{ items = [{}] }}
        retry = {{ lost = 100 }}
        "#,
        path.display(),
        items.join(", ")
    )
}

/// What the tasks of a job came to.
fn said(cluster: &Cluster, job: &str, count: usize) -> Vec<Value> {
    let view = cluster.finish(job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    (0..count)
        .map(|n| {
            cluster
                .get(&format!("/jobs/{job}/tasks/tally/{n}/result"))
                .json()
        })
        .collect()
}

#[test]
fn counters_are_exact_though_the_primary_is_killed() {
    const TASKS: usize = 200;
    let mut cluster = Cluster::start(Options {
        workers: 2,
        ..Options::default()
    });
    let steps = vec![json!({ "count_in": ["votes", 3] }); TASKS];
    let job = cluster.submit(&definition("\"votes\"", &steps));
    for kill in 1..=2u64 {
        wait_until(
            "the counters to be in mid-course",
            Duration::from_secs(60),
            || {
                let number = cluster.run(&["data", "get", "votes", "n"]);
                number
                    .text()
                    .trim()
                    .parse::<u64>()
                    .ok()
                    .filter(|n| *n >= kill * 100)
            },
            || cluster.explain(),
        );
        cluster.kill_primary();
        cluster.start_primary();
    }
    said(&cluster, &job, TASKS);
    for key in ["n", "swapped"] {
        let entry = cluster.json(&["data", "get", "votes", key]);
        assert_eq!(entry["value"], 3 * TASKS, "{key}: {entry}");
    }
}

#[test]
fn who_may_see_and_change_what() {
    let cluster = Cluster::start(Options::default());
    let first = cluster.submit(&definition(
        "\"prices\", \"sim-*\"",
        &[json!({ "count": 2 }), json!({ "await": ["", 2] })],
    ));
    let number = |n: i64| json!({ "number": n });
    assert_eq!(said(&cluster, &first, 2), [number(2), number(2)]);
    let read = json!({ "read": "" });
    let write = |space: &str| json!({ "write": [space, 7] });
    let second = cluster.submit(&definition(
        "\"prices\", \"sim-*\"",
        &[
            read,
            write("prices"),
            write("sim-1"),
            write("other"),
            write("a b"),
        ],
    ));
    let all = said(&cluster, &second, 5);
    // The other job's data went with it, and was never seen here.
    assert_eq!(all[..3], [json!({ "number": null }), number(7), number(7)]);
    let why = |said: &Value| said["refused"].as_str().unwrap().to_owned();
    assert!(
        why(&all[3]).contains("publishes = [\"other\"]"),
        "{}",
        all[3]
    );
    assert!(why(&all[4]).contains("public space"), "{}", all[4]);

    let page = cluster.json(&["data", "list"]);
    let names: Vec<&str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["prices", "sim-1"]);
    let entry = cluster.json(&["data", "get", "prices", "n"]);
    assert_eq!(
        (&entry["type"], &entry["value"]),
        (&json!("int"), &json!(7))
    );
    assert!(entry["task"].as_str().unwrap().contains(&second), "{entry}");
}

#[test]
fn clients_change_what_tasks_wait_for() {
    let cluster = Cluster::start(Options::default());
    let job = cluster.submit(&definition("", &[json!({ "await": ["prices", 5] })]));
    let revision = |answer: &Value| answer["revision"].as_u64().unwrap();
    let first = revision(&cluster.json(&["data", "set", "prices", "n", "4"]));
    let taken = cluster.run(&["data", "set", "prices", "n", "9", "--if-revision", "0"]);
    assert!(
        taken.stderr.contains(&format!("revision {first}")),
        "{}",
        taken.stderr
    );
    let sum = cluster.json(&["data", "add", "prices", "n"]);
    assert_eq!(sum["sum"], 5);
    assert_eq!(said(&cluster, &job, 1), [json!({ "number": 5 })]);
    let watched = cluster
        .run(&["data", "watch", "prices", "n", "--count", "1"])
        .ok();
    assert_eq!(watched.text(), "5\n");
    cluster.run(&["data", "set", "prices", "note", "a b"]).ok();
    let list = cluster
        .run(&["data", "list", "prices", "--prefix", "no"])
        .ok();
    let list = list.text();
    assert!(list.contains("note") && !list.contains("gone"), "{list}");
    for args in [
        &["data", "add", "prices", "note"][..],
        &["data", "get", "prices", "gone"],
        &["data", "set", "a b", "n", "1"],
        &["data", "set", "prices", "n", "x", "--type", "int"],
        &["data", "set", "prices", "n", "{", "--type", "json"],
    ] {
        let run = cluster.run(args);
        assert!(
            run.code != 0 && run.stderr.starts_with("error"),
            "{args:?}: {}",
            run.stderr
        );
    }
    cluster.run(&["data", "delete", "prices", "n"]).ok();
    cluster.run(&["data", "delete", "prices", "n"]).ok();
    let gone = cluster.run(&["data", "get", "prices", "n"]);
    assert!(gone.stderr.contains("there is no 'n'"), "{}", gone.stderr);
}
