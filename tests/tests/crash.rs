//! Any process is killed with -9 at random instants; nothing is lost, nothing is
//! recorded twice, nothing that finished runs again.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, Rng, seed, task, wait_until};

const TASKS: u64 = 150;
const ROUNDS: u64 = 20;

fn definition() -> String {
    format!(
        r#"
        [job]
        name = "crash"
        [task]
        module = {{ path = "{}" }}
        array = {{ range = [0, {TASKS}] }}
        input = {{ do = "spin", ms = 8, value = "${{item}}" }}
        retry = {{ lost = 100 }}
        "#,
        task("fixtures/odd").display()
    )
}

/// Index, and when its recorded attempt began and ended.
fn finished(tasks: &[Value]) -> BTreeMap<u64, (String, String)> {
    tasks
        .iter()
        .filter(|t| t["state"] == "succeeded")
        .map(|t| {
            let attempt = &t["attempts"][0];
            (
                t["index"].as_u64().unwrap(),
                (attempt["started"].to_string(), attempt["ended"].to_string()),
            )
        })
        .collect()
}

fn check_complete(cluster: &Cluster, job: &str, before: &BTreeMap<u64, (String, String)>) {
    let view = cluster.finish(job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    assert_eq!(view["counts"]["succeeded"], TASKS);
    let tasks = cluster.tasks(job);
    assert_eq!(tasks.len() as u64, TASKS);
    for (index, task) in tasks.iter().enumerate() {
        assert_eq!(task["index"], index as u64, "each index once, in order");
        assert_eq!(task["state"], "succeeded", "{task}");
        assert_eq!(task["result"]["text"], index.to_string(), "{task}");
    }
    let after = finished(&tasks);
    for (index, attempt) in before {
        assert_eq!(
            &after[index], attempt,
            "index {index} had finished and was recorded again"
        );
    }
}

#[test]
fn workers_killed_at_random_instants() {
    let mut rng = Rng(seed());
    let mut cluster = Cluster::start(Options {
        workers: 2,
        lease: "1s",
        ..Options::default()
    });
    for round in 0..ROUNDS {
        let job = cluster.submit(&definition());
        thread::park_timeout(Duration::from_millis(rng.below(500)));
        let before = finished(&cluster.tasks(&job));
        let victim = (round % 2) as usize;
        cluster.kill_worker(victim);
        check_complete(&cluster, &job, &before);
        cluster.start_worker(victim, None);
        cluster.wait_for_workers(2);
    }
}

#[test]
fn primary_killed_at_random_instants() {
    let mut rng = Rng(seed());
    let mut cluster = Cluster::start(Options {
        workers: 2,
        lease: "5s",
        ..Options::default()
    });
    for _ in 0..ROUNDS {
        let job = cluster.submit(&definition());
        thread::park_timeout(Duration::from_millis(rng.below(500)));
        let before = finished(&cluster.tasks(&job));
        cluster.kill_primary();
        cluster.start_primary();
        check_complete(&cluster, &job, &before);
        for task in cluster.tasks(&job) {
            let attempts = task["attempts"].as_array().unwrap();
            assert_eq!(
                attempts.len(),
                1,
                "no worker died, so nothing was tried twice: {task}"
            );
        }
    }
}

fn kill(process: u32) {
    let pid = rustix::process::Pid::from_raw(process as i32).unwrap();
    // It may have gone by itself.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[test]
fn executors_killed_in_mid_run() {
    let mut rng = Rng(seed());
    let cluster = Cluster::start(Options {
        workers: 1,
        slots: 4,
        ..Options::default()
    });
    for _ in 0..5 {
        let job = cluster.submit(&definition());
        thread::park_timeout(Duration::from_millis(rng.below(300)));
        let before = finished(&cluster.tasks(&job));
        let worker = cluster.workers[0].as_ref().unwrap();
        let executors = worker.children("executor");
        assert!(!executors.is_empty(), "{}", cluster.explain());
        kill(executors[rng.below(executors.len() as u64) as usize]);
        check_complete(&cluster, &job, &before);
        let repeated: Vec<Value> = cluster
            .tasks(&job)
            .into_iter()
            .filter(|t| t["attempts"].as_array().unwrap().len() > 1)
            .collect();
        assert!(
            repeated.len() <= 4,
            "only its own attempts are repeated: {}",
            repeated.len()
        );
        for task in repeated {
            assert_eq!(
                task["attempts"][1]["failure"]["kind"], "lost_executor",
                "{task}"
            );
        }
    }
}

/// The task whose executor falls each time it runs.
const CULPRIT: usize = 300;

#[test]
fn only_the_task_that_fells_its_executors_pays_for_them() {
    let cluster = Cluster::start(Options {
        workers: 1,
        slots: 1,
        ..Options::default()
    });
    // Short ones around it, so that the executor has many at hand when it falls.
    let mut items = vec![r#"{ do = "spin", ms = 0 }"#; 2 * CULPRIT];
    items[CULPRIT] = r#"{ do = "loop" }"#;
    let job = cluster.submit(&format!(
        r#"
        [job]
        name = "felled"
        on_failure = "continue"
        [task]
        module = {{ path = "{}" }}
        array = {{ items = [{}] }}
        retry = {{ lost = 2, backoff = "10ms" }}
        "#,
        task("fixtures/odd").display(),
        items.join(", ")
    ));
    for attempt in 1..=3 {
        wait_until(
            &format!("attempt {attempt} of the culprit to run"),
            Duration::from_secs(120),
            || {
                let culprit = &cluster.tasks(&job)[CULPRIT];
                let runs = culprit["state"] == "running";
                (runs && culprit["attempts"][0]["attempt"] == attempt).then_some(())
            },
            || cluster.explain(),
        );
        let worker = cluster.workers[0].as_ref().unwrap();
        worker.children("executor").into_iter().for_each(kill);
    }
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "failed", "{view}\n{}", cluster.explain());
    for (index, task) in cluster.tasks(&job).iter().enumerate() {
        let attempts = task["attempts"].as_array().unwrap();
        if index == CULPRIT {
            let kinds = attempts.iter().map(|a| &a["failure"]["kind"]);
            assert!(kinds.eq(["lost_executor"; 3]), "{task}");
        } else {
            assert_eq!(task["state"], "succeeded", "{task}");
            assert_eq!(attempts.len(), 1, "an innocent was charged: {task}");
        }
    }
}
