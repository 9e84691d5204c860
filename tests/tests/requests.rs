//! A primary with a driver of its own, on real processes: what is asked for runs once,
//! whoever dies; a driver that cannot be loaded is told of.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, task, wait_until};

fn options() -> Options {
    Options {
        driver: Some("front"),
        lease: "1s",
        ..Options::default()
    }
}

/// Stores the driver's definition; `input` is the driver's.
fn apply(cluster: &Cluster, input: &str) -> Value {
    let definition = format!(
        r#"
        [job]
        name = "front"
        [tasks.front]
        module = {{ path = "{}" }}
        driver = true
        input = {input}
        [tasks.echo]
        module = {{ path = "{}" }}
        spawned_by = "front"
        [tasks.odd]
        module = {{ path = "{}" }}
        spawned_by = "front"
        retry = {{ max = 0, lost = 100 }}
        "#,
        task("fixtures/front").display(),
        task("echo").display(),
        task("fixtures/odd").display()
    );
    let file = cluster.dir().join("front.toml");
    std::fs::write(&file, definition).unwrap();
    cluster.json(&["definition", "apply", &file.to_string_lossy()])
}

fn driver(cluster: &Cluster) -> Value {
    cluster.get("/driver").json()
}

fn request(cluster: &Cluster, key: &str) -> Value {
    cluster.get(&format!("/driver/requests/{key}")).json()
}

/// A request that waits for its result, which is text.
fn ask(cluster: &Cluster, args: &[&str]) -> String {
    let args = [&["request", "--wait"], args].concat();
    cluster.run(&args).ok().text()
}

fn started(cluster: &Cluster, key: &str) -> Value {
    wait_until(
        "the driver to start the task",
        Duration::from_secs(60),
        || {
            let view = request(cluster, key);
            (view["answer"]["state"] == "running").then_some(view)
        },
        || cluster.explain(),
    )
}

#[test]
fn what_is_asked_for_runs_once() {
    let cluster = Cluster::start(options());
    apply(&cluster, "{}");
    assert_eq!(ask(&cluster, &["echo", "--input", "[1, 2]"]), "[1,2]");
    let key = ["echo", "--input", "\"hello\"", "--key", "a:1"];
    assert_eq!(ask(&cluster, &key), "\"hello\"");
    assert_eq!(ask(&cluster, &key), "\"hello\"");
    let view = request(&cluster, "a:1");
    assert_eq!(view["state"], "started", "{view}");
    assert_eq!(view["answer"]["index"], 1, "two tasks for three questions");

    let refused = |args: &[&str], code: i32, part: &str| {
        let run = cluster.run(&[&["request"], args].concat());
        assert_eq!(run.code, code, "{args:?}: {}{}", run.text(), run.stderr);
        assert!(run.stderr.contains(part), "{args:?}: {}", run.stderr);
    };
    refused(
        &["echo", "-i", "2", "--key", "a:1"],
        5,
        "for something else",
    );
    refused(&["front"], 5, "It starts: echo, odd");
    refused(&["echo", "--key", "a b"], 5, "letters, digits");
    refused(&["echo", "-i", "{"], 2, "no JSON");
    refused(&["--withdraw", "nobody"], 3, "no request 'nobody'");
    refused(&["--withdraw", "a:1"], 5, "was started for the request");
    let large = format!("\"{}\"", "x".repeat(64 << 10));
    refused(&["echo", "-i", &large], 5, "larger than 65536 bytes");
    let fails = r#"{"do": "trap"}"#;
    refused(&["odd", "-i", fails, "--wait"], 1, "wasmhost show");

    let view = driver(&cluster);
    assert_eq!(view["waiting"], 0, "{view}");
    assert_eq!(view["tasks"], json!(["echo", "odd"]));
    let job = view["job"].as_str().unwrap();
    let shown = cluster.run(&["driver"]).ok().text();
    assert!(shown.contains("front@1") && shown.contains(job), "{shown}");
}

#[test]
fn nothing_is_lost_and_nothing_done_twice_when_the_primary_dies() {
    let mut cluster = Cluster::start(options());
    apply(&cluster, "{}");
    let sleep = r#"{"do": "sleep", "ms": 1500}"#;
    let make = |cluster: &Cluster, key: &str| {
        let args = ["request", "odd", "--input", sleep, "--key", key];
        cluster.run(&args).ok();
    };
    make(&cluster, "a");
    let job = started(&cluster, "a")["answer"]["job"].clone();
    make(&cluster, "b");
    cluster.kill_primary();
    cluster.start_primary();
    make(&cluster, "a");
    make(&cluster, "c");
    for key in ["a", "b", "c"] {
        assert_eq!(ask(&cluster, &["odd", "-i", sleep, "--key", key]), "");
        let view = request(&cluster, key);
        assert_eq!(
            view["answer"]["job"], job,
            "the driver's job goes on: {view}"
        );
        let attempts = view["answer"]["attempts"].as_array().unwrap().len();
        assert_eq!(attempts, 1, "{view}");
    }
    let counts = cluster
        .get(&format!("/jobs/{}", job.as_str().unwrap()))
        .json();
    assert_eq!(counts["counts"]["total"], 4, "the driver and three tasks");
}

#[test]
fn requests_outlive_the_driver_and_its_worker() {
    let mut cluster = Cluster::start(Options {
        workers: 2,
        ..options()
    });
    // Each job of it serves two requests and ends; the next takes over.
    apply(&cluster, "{ most = 2 }");
    let ask_all = |cluster: &Cluster, keys: std::ops::Range<u32>| {
        for n in keys.clone() {
            let key = n.to_string();
            let made = cluster.run(&["request", "echo", "-i", &key, "--key", &key]);
            made.ok();
        }
        for n in keys {
            let key = n.to_string();
            assert_eq!(ask(cluster, &["echo", "-i", &key, "--key", &key]), key);
        }
    };
    ask_all(&cluster, 0..5);
    let jobs = cluster.get("/jobs").json();
    assert!(jobs["items"].as_array().unwrap().len() >= 3, "{jobs}");

    // An end is no end of it; nor is the death of its worker.
    apply(&cluster, "{}");
    ask_all(&cluster, 5..6);
    let view = driver(&cluster);
    let path = format!("/jobs/{}/tasks/front/0", view["job"].as_str().unwrap());
    let task = cluster.get(&path).json();
    let worker = task["attempts"][0]["worker_name"].as_str().unwrap();
    let number = usize::from(worker.ends_with('1'));
    cluster.kill_worker(number);
    ask_all(&cluster, 6..9);
    assert_eq!(driver(&cluster)["job"], view["job"], "it is tried again");
}

#[test]
fn a_driver_that_cannot_be_loaded_is_told_of_and_tried_again() {
    let mut cluster = Cluster::start(options());
    let refused = |cluster: &Cluster, part: &str| {
        let run = cluster.run(&["request", "echo"]);
        assert_eq!(run.code, 5, "{}{}", run.text(), run.stderr);
        assert!(run.stderr.contains(part), "{}", run.stderr);
    };
    refused(&cluster, "no stored definition 'front'");
    let said = cluster.explain();
    assert!(said.contains("'front' cannot be loaded"), "{said}");
    let shown = cluster.run(&["driver"]).ok().text();
    assert!(shown.contains("no stored definition 'front'"), "{shown}");

    let echo = task("echo").display().to_string();
    let plain = format!("[job]\nname = \"front\"\n[task]\nmodule = {{ path = \"{echo}\" }}\n");
    let file = cluster.dir().join("plain.toml");
    std::fs::write(&file, plain).unwrap();
    let file = file.to_string_lossy().into_owned();
    cluster.json(&["definition", "apply", &file]);
    refused(&cluster, "has not one driver");
    cluster.kill_primary();
    cluster.start_primary();
    refused(&cluster, "has not one driver");

    apply(&cluster, "{}");
    assert_eq!(ask(&cluster, &["echo", "-i", "1"]), "1");

    // Without `--driver` there is none, and its job ends.
    let job = driver(&cluster)["job"].as_str().unwrap().to_owned();
    cluster.kill_primary();
    let mut cluster = cluster.with_driver(None);
    cluster.start_primary();
    refused(&cluster, "has no driver");
    assert_eq!(cluster.finish(&job)["state"], "succeeded");
}

#[test]
fn a_request_that_nobody_takes_can_be_taken_back() {
    let cluster = Cluster::start(Options {
        workers: 0,
        ..options()
    });
    apply(&cluster, "{}");
    let made = cluster.json(&["request", "echo", "--key", "a"]);
    assert_eq!(made["state"], "waiting", "{made}");
    let waiting = cluster.get("/driver/requests").json();
    assert_eq!(waiting["items"][0]["key"], "a", "{waiting}");
    assert_eq!(driver(&cluster)["waiting"], 1);
    let gone = cluster.json(&["request", "--withdraw", "a"]);
    assert_eq!(gone["state"], "withdrawn", "{gone}");
    assert_eq!(driver(&cluster)["waiting"], 0);
    // Its key stays used.
    let again = cluster.json(&["request", "echo", "--key", "a"]);
    assert_eq!(again["state"], "withdrawn", "{again}");
}
