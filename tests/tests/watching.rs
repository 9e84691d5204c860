//! What clients see of a job on several workers: in order, whole, and with its age.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use wasmhost_tests::{Cluster, Options, Process, task, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// Tasks that publish the time and the count so far.
fn pulses(tasks: usize, every_ms: u64, times: u64) -> String {
    let path = task("fixtures/pulse");
    let item = format!("{{ every_ms = {every_ms}, times = {times} }}");
    format!(
        r#"
        [tasks.pulse]
        module = {{ path = "{}" }}
        array = {{ items = [{}] }}
        "#,
        path.display(),
        vec![item; tasks].join(", ")
    )
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

fn signal(process: &Option<Process>, signal: rustix::process::Signal) {
    let pid = i32::try_from(process.as_ref().unwrap().pid()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn a_client_sees_what_three_workers_say_and_how_old_it_is() {
    let cluster = Cluster::start(Options {
        workers: 3,
        slots: 1,
        lease: "60s",
        ..Options::default()
    });
    let job = cluster.submit(&pulses(3, 100, 80));
    let mut watch = cluster.command(&["watch", &job, "--changes"]);
    let watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    let mut all = cluster.command(&["watch", "--all", "--changes"]);
    let all = all.stdout(Stdio::piped()).spawn().unwrap();
    let status = |query: &str| cluster.get(&format!("/jobs/{job}/status{query}")).json();
    let spread = || {
        let status = status("");
        let workers = status["workers"].as_array()?.len();
        let done = |t: &Value| t["attempts"][0]["status"]["progress"]["done"].as_u64();
        let all = status["tasks"]
            .as_array()?
            .iter()
            .all(|t| done(t) > Some(0));
        (workers == 3 && all).then_some(())
    };
    wait_until("a task on each worker", PATIENCE, spread, || {
        cluster.explain()
    });

    // One worker is stopped: what is known of it gets old, of the others it does not.
    signal(&cluster.workers[0], rustix::process::Signal::STOP);
    let stopped = Instant::now();
    let aged = |status: Value| {
        let workers = status["workers"].as_array().unwrap().clone();
        let ages = workers
            .iter()
            .map(|w| (w["name"].as_str().unwrap().to_owned(), number(&w["age_ms"])));
        ages.collect::<BTreeMap<String, u64>>()
    };
    let old = || Some(aged(status(""))).filter(|ages| ages["w0"] > 1_500);
    let ages = wait_until("w0 to get old", PATIENCE, old, || cluster.explain());
    assert!(
        u128::from(ages["w0"]) <= stopped.elapsed().as_millis() + 1_000,
        "{ages:?}"
    );
    assert!(
        ages["w1"] < ages["w0"] && ages["w2"] < ages["w0"],
        "{ages:?}"
    );

    // Who wants to know is told by the others, and how long ago the stopped one was heard.
    let fresh = status("?max_age_ms=100");
    for task in fresh["tasks"].as_array().unwrap() {
        let attempt = &task["attempts"][0];
        let age = attempt["status_age_ms"].as_u64().unwrap_or(0);
        match attempt["worker_name"].as_str().unwrap() {
            "w0" => assert!(age > 1_500, "{task}"),
            _ => assert!(age < aged(fresh.clone())["w0"], "{task}"),
        }
    }
    signal(&cluster.workers[0], rustix::process::Signal::CONT);
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{}", cluster.explain());

    // What the watcher was told goes forwards, to the end.
    let output = watch.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    let mut changes = 0;
    for line in lines.lines() {
        let status: Value = serde_json::from_str(line).unwrap();
        for task in status["tasks"].as_array().unwrap() {
            let index = number(&task["index"]);
            let done = task["attempts"][0]["status"]["progress"]["done"].as_u64();
            let before = last.insert(index, done.unwrap_or(0)).unwrap_or(0);
            assert!(done.unwrap_or(0) >= before, "{line}");
            changes += usize::from(done.unwrap_or(0) > before);
        }
    }
    assert_eq!(last, BTreeMap::from([(0, 80), (1, 80), (2, 80)]));
    assert!(
        changes > 6,
        "the watcher was told of {changes} changes only"
    );
    timelines(&cluster, &job);
    everything(all, &job);
}

/// A watcher of the whole cluster was told of the job's end and of every worker.
fn everything(mut watch: Child, job: &str) {
    let mut missing = BTreeSet::from(["w0", "w1", "w2", "succeeded"].map(str::to_owned));
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for line in lines {
        let told: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(name) = told["worker"]["name"].as_str() {
            missing.remove(name);
        }
        if told["job"]["id"] == job {
            missing.remove(told["job"]["state"].as_str().unwrap());
        }
        if missing.is_empty() {
            break;
        }
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(missing.is_empty(), "never told of {missing:?}");
}

/// After its end each task still tells what it went through.
fn timelines(cluster: &Cluster, job: &str) {
    for index in 0..3 {
        let task = cluster
            .get(&format!("/jobs/{job}/tasks/pulse/{index}"))
            .json();
        let timeline = task["timeline"].as_array().unwrap();
        let what = |m: &Value| m["what"].as_str().unwrap().to_owned();
        assert_eq!(what(&timeline[0]), "started", "{task}");
        assert_eq!(what(timeline.last().unwrap()), "ended", "{task}");
        let progress = timeline.iter().filter(|m| m["what"] == "progress");
        let done: Vec<u64> = progress.map(|m| number(&m["done"])).collect();
        assert!(done.len() > 2 && done.is_sorted(), "{done:?}");
        assert_eq!(done.last(), Some(&80), "{task}");
        let at: Vec<&str> = timeline.iter().map(|m| m["at"].as_str().unwrap()).collect();
        assert!(at.is_sorted(), "{at:?}");
    }
    let shown = cluster
        .run(&["show", &format!("{job}.pulse.1"), "--timeline"])
        .ok();
    for word in ["attempt 1 on w", "80/80 (100%)", "succeeded", "at_ms="] {
        assert!(shown.text().contains(word), "{word}\n{}", shown.text());
    }
}
