//! Each hostile guest ends in its own named outcome, while a neighbour on the
//! same worker is undisturbed.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use wasmhost_tests::{Cluster, Options, task};

/// What the guest does, the state its task ends in, and the failure's kind and
/// a part of its message.
const CASES: &[(&str, &str, &str, &str)] = &[
    (r#"do = "trap""#, "failed", "trap", "unreachable"),
    (
        r#"do = "panic", message = "the sky fell""#,
        "failed",
        "trap",
        "the sky fell",
    ),
    (r#"do = "exit", code = 3"#, "failed", "exit_code", "exit"),
    (r#"do = "loop""#, "failed", "time_limit", "time"),
    (r#"do = "sleep""#, "failed", "time_limit", "time"),
    (r#"do = "grow""#, "failed", "memory_limit", "memory"),
    (r#"do = "stack""#, "failed", "stack_overflow", "stack"),
    (r#"do = "shadow_stack""#, "failed", "trap", "out of bounds"),
    (r#"do = "flood_stdout""#, "failed", "host_call_limit", "log"),
    (r#"do = "flood_stderr""#, "failed", "host_call_limit", "log"),
    (r#"do = "flood_log""#, "failed", "host_call_limit", "log"),
    (
        r#"do = "flood_status""#,
        "failed",
        "host_call_limit",
        "status",
    ),
    (
        r#"do = "invalid_data", what = "json""#,
        "failed",
        "invalid_data",
        "json",
    ),
    (
        r#"do = "error", message = "no""#,
        "failed",
        "guest_error",
        "no",
    ),
    (
        r#"do = "retryable", until = 9"#,
        "failed",
        "guest_retryable",
        "attempt 4",
    ),
    (
        r#"do = "big_output", bytes = 2000000"#,
        "failed",
        "output_limit",
        "limit",
    ),
    (r#"do = "retryable", until = 3"#, "succeeded", "", ""),
    (r#"do = "big_output", bytes = 500000"#, "succeeded", "", ""),
    (r#"do = "echo_context""#, "succeeded", "", ""),
    (r#"do = "say", text = "hello""#, "succeeded", "", ""),
];

fn definition(what: &str) -> String {
    format!(
        r#"
        [job]
        name = "odd"
        [task]
        module = {{ path = "{}" }}
        input = {{ {what} }}
        [task.limits]
        memory = "64MiB"
        time = "8s"
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
        input = {{ do = "spin", ms = 5, value = "${{item}}" }}
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
