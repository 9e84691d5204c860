//! Each hostile guest ends in its own named outcome, while a neighbour on the
//! same worker is undisturbed.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use wasmhost_tests::{Cluster, Options, task};

/// What the guest does, the state its task ends in, and the failure's kind and
/// a part of its message.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("trap", "failed", "trap", "unreachable"),
    ("panic", "failed", "trap", "panic"),
    ("loop", "failed", "time_limit", "time"),
    ("sleep", "failed", "time_limit", "time"),
    ("grow", "failed", "memory_limit", "memory"),
    ("stack", "failed", "stack_overflow", "stack"),
    ("flood_stderr", "failed", "host_call_limit", "log"),
    ("flood_log", "failed", "host_call_limit", "log"),
    ("flood_status", "failed", "host_call_limit", "status"),
    ("error", "failed", "guest_error", ""),
    ("exit", "failed", "exit_code", "exit"),
    ("big_output", "failed", "output_limit", "output"),
    ("retryable", "succeeded", "", ""),
    ("echo_context", "succeeded", "", ""),
];

fn definition(what: &str) -> String {
    format!(
        r#"
        [job]
        name = "odd-{what}"
        [task]
        module = {{ path = "{}" }}
        input = {{ do = "{what}" }}
        [task.limits]
        memory = "64MiB"
        time = "2s"
        output = "1MiB"
        [task.retry]
        max = 3
        backoff = "10ms"
        "#,
        task("fixtures/odd").display()
    )
}

#[test]
fn each_guest_ends_in_its_own_outcome() {
    let cluster = Cluster::start(Options {
        slots: 4,
        ..Options::default()
    });
    let neighbour = cluster.submit(&format!(
        r#"
        [job]
        name = "neighbour"
        priority = 10
        [task]
        module = {{ path = "{}" }}
        array = {{ range = [0, 300] }}
        input = {{ do = "spin_ms", ms = 5, value = "${{item}}" }}
        "#,
        task("fixtures/odd").display()
    ));
    let jobs: Vec<String> = CASES
        .iter()
        .map(|(what, ..)| cluster.submit(&definition(what)))
        .collect();
    let mut wrong = Vec::new();
    for ((what, state, kind, message), job) in CASES.iter().zip(&jobs) {
        let view = cluster.finish(job);
        let failure = &view["failure"]["failure"];
        let said = failure["message"]
            .as_str()
            .unwrap_or_default()
            .to_lowercase();
        let right = view["state"] == *state
            && failure["kind"].as_str().unwrap_or_default() == *kind
            && said.contains(message);
        if !right {
            wrong.push(format!("{what}: {} {failure}", view["state"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        wrong.join("\n"),
        cluster.explain()
    );
    let view = cluster.finish(&neighbour);
    assert_eq!(view["state"], "succeeded", "{view}");
    let lost = &cluster.json(&["workers"])["items"][0]["executors_lost"];
    assert_eq!(lost, &Value::from(0), "no guest brought an executor down");
}
