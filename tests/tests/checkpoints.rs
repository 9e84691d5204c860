//! Checkpoints on real processes: a task whose worker is killed again and again redoes
//! only what follows its last one; small and large ones, from Rust and from a script.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, task, wait_until};

const KILLS: u64 = 5;

fn wait_for(cluster: &Cluster, key: &str, number: u64) {
    wait_until(
        &format!("'{key}' to be {number}"),
        Duration::from_secs(120),
        || {
            let run = cluster.run(&["data", "get", "steps", key]);
            (run.text().trim().parse() == Ok(number)).then_some(())
        },
        || cluster.explain(),
    );
}

#[test]
fn a_task_that_is_killed_redoes_only_what_follows_its_last_checkpoint() {
    // A worker that is only slow is not taken for lost.
    let mut cluster = Cluster::start(Options {
        lease: "60s",
        ..Options::default()
    });
    let module = task("fixtures/keeper");
    // Every other checkpoint is large enough to travel as a blob.
    let job = cluster.submit(&format!(
        r#"
        [job]
        publishes = ["steps"]
        [task]
        module = {{ path = "{}" }}
        input = {{ steps = {}, pad = 3000000, wait = true }}
        limits = {{ time = "10m" }}
        retry = {{ lost = 100 }}
        "#,
        module.display(),
        KILLS + 1,
    ));
    for step in 1..=KILLS {
        wait_for(&cluster, &format!("after-{step}"), 1);
        cluster.kill_worker(0);
        if step == 3 {
            cluster.kill_primary();
            cluster.start_primary();
        }
        cluster.start_worker(0, None);
        wait_for(&cluster, &format!("after-{step}"), 2);
        let told = cluster.get(&format!("/jobs/{job}/tasks/task/0")).json();
        let saved = told["checkpoint"]["len"].as_u64().unwrap();
        assert_eq!(saved > 3_000_000, step % 2 == 1, "{told}");
        let go = step.to_string();
        cluster.run(&["data", "set", "steps", "go", &go]).ok();
    }
    let last = (KILLS + 1).to_string();
    cluster.run(&["data", "set", "steps", "go", &last]).ok();
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    // Each step was done by an attempt of its own, under a number that grows except where
    // the primary has fallen with the worker.
    let by = cluster.get(&format!("/jobs/{job}/result")).json();
    let by: Vec<u64> = serde_json::from_value(by).unwrap();
    assert_eq!(by.len() as u64, KILLS + 1);
    assert!(by.is_sorted() && by[KILLS as usize] >= KILLS, "{by:?}");
    for step in 1..=KILLS + 1 {
        wait_for(&cluster, &format!("step-{step}"), 1);
    }
}

#[test]
fn scripts_have_checkpoints() {
    let cluster = Cluster::start(Options {
        engines: true,
        ..Options::default()
    });
    let job = cluster.submit(
        r#"
        [tasks.js]
        script = { js = """
        export default function () {
          const before = host.checkpoint.load;
          if (before) return { before: Array.from(before), attempt: host.context.attempt };
          host.checkpoint.save(new Uint8Array([1, 2, 3]));
          host.checkpoint.save(new Uint8Array([4, 5]));
          let refused = "";
          try { host.checkpoint.save(new Uint8Array(4 * 1024 * 1024 + 1)); } catch (e) { refused = String(e); }
          const error = new Error(refused);
          error.retryable = true;
          throw error;
        }
        """ }
        retry = { max = 1, backoff = "1ms" }
        "#,
    );
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let found = cluster.get(&format!("/jobs/{job}/result")).json();
    assert_eq!(found, json!({ "before": [4, 5], "attempt": 2 }));
    let shown: Value = cluster.get(&format!("/jobs/{job}/tasks/js/0")).json();
    assert!(shown.to_string().contains("may have 4194304"), "{shown}");
}
