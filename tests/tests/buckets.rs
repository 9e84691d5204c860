//! A program made for another platform, with that platform's key-value store and
//! configuration, runs as it is: over a job's own data and over public spaces.
#![allow(clippy::unwrap_used)]

use wasmhost_tests::{Cluster, Options, task};

/// What the program says of a bucket that it may change.
const GRANTED: &str = r#"listed: (20, 2)
bytes: 1200000
too many: true
left: []
sum: 42
older: None
read: Some("42")
sum: 40
exists: (true, false)
pairs: [Some("n"), None]
before: None
now: Some("first")
swapped: true
after: Some("second")
keys: ["n", "swapped"]
newer: None
"#;

#[test]
fn a_program_of_another_platform_runs_as_it_is() {
    let cluster = Cluster::start(Options::default());
    let definition = format!(
        r#"
        [job]
        publishes = ["orders"]
        [task]
        module = {{ path = "{}" }}
        args = ["default", "orders", "closed", "a b"]
        config = {{ greeting = "hello" }}
        "#,
        task("fixtures/buckets").display()
    );
    let job = cluster.submit(&definition);
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let said = cluster.run(&["result", &job]).ok().text();
    let refused = |why: &str| format!("older: Some({why:?})\nread: None\nnewer: Some({why:?})\n");
    let closed = refused("Error::AccessDenied");
    let none = "older: Some(\"Error::NoSuchStore\")\nnewer: Some(\"Error::NoSuchStore\")\n";
    let want = format!(
        "greeting: Some(\"hello\")\nbucket default\n{GRANTED}bucket orders\n{GRANTED}\
         bucket closed\n{closed}bucket a b\n{none}"
    );
    assert_eq!(said, want);
    // What is public is there for everybody, and typed as the other platform meant it.
    let sum = cluster.json(&["data", "get", "orders", "n"]);
    assert_eq!((&sum["type"], &sum["value"]), (&"int".into(), &40.into()));
    let spaces = cluster.json(&["data", "list"]);
    assert_eq!(spaces["items"].as_array().unwrap().len(), 1, "{spaces}");
}
