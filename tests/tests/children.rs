//! Jobs that tasks submit: only of what they were granted, once for each key however often a
//! task is tried, and never without an end.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use wasmhost_tests::{Cluster, Options, task};

const SETTINGS: &str = "[primary.allow]\nsubmits = [\"square\", \"deep\", \"gone\"]\n";

const SQUARE: &str = r#"
[job]
name = "square"
[params.n]
type = "integer"
max = 100
[task]
script = { js = "export default function (n) { return n * n; }" }
input = "${params.n}"
"#;

fn start() -> Cluster {
    let cluster = Cluster::start(Options {
        settings: SETTINGS.into(),
        engines: true,
        ..Options::default()
    });
    apply(&cluster, "square", SQUARE);
    cluster
}

fn apply(cluster: &Cluster, name: &str, text: &str) {
    let file = cluster.dir().join(format!("{name}.toml"));
    std::fs::write(&file, text).unwrap();
    let file = file.to_string_lossy().into_owned();
    cluster
        .run(&["definition", "apply", &file, "--name", name])
        .ok();
}

/// A job whose task takes these steps.
fn parent(submits: &[&str], steps: &[Value]) -> String {
    let steps: Vec<String> = steps
        .iter()
        .map(|step| step.to_string().replace("\":", "\"="))
        .collect();
    format!(
        "[task]\nmodule = {{ path = '{}' }}\ninput = [{}]\nsubmits = {}\nretry = {{ max = 1, backoff = '1ms' }}\n",
        task("fixtures/parent").display(),
        steps.join(", "),
        json!(submits)
    )
}

fn told(cluster: &Cluster, submits: &[&str], steps: &[Value]) -> (String, Vec<String>) {
    let job = cluster.submit(&parent(submits, steps));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let told = cluster.get(&format!("/jobs/{job}/result")).json();
    (job, serde_json::from_value(told).unwrap())
}

fn submit(key: &str, definition: &str, n: i64) -> Value {
    json!({ "call": "submit", "key": key, "definition": definition, "n": n })
}

fn step(call: &str, key: &str) -> Value {
    json!({ "call": call, "key": key })
}

#[test]
fn a_task_submits_jobs_and_reads_their_results() {
    let cluster = start();
    let steps = [
        step("look", "a"),
        submit("a", "square", 3),
        submit("b", "square@1", 4),
        // The attempt after this one finds the jobs of the one before.
        json!({ "call": "fail" }),
        submit("a", "square", 3),
        step("wait", "a"),
        step("wait", "b"),
        step("read", "a"),
        step("read", "b"),
        // It has ended: nothing comes of this.
        step("cancel", "a"),
        step("look", "a"),
    ];
    let (job, told) = told(&cluster, &["square"], &steps);
    assert_eq!(told[1], told[3]);
    let after = [
        "Succeeded",
        "Succeeded",
        "9",
        "16",
        "cancelled",
        "Succeeded",
    ];
    assert_eq!(told[4..], after, "{told:?}");
    let jobs = cluster.get("/jobs").json();
    assert_eq!(jobs["items"].as_array().unwrap().len(), 3, "{jobs}");
    let child = cluster.json(&["show", &told[2]]);
    assert_eq!(child["submitted_by"], job.as_str(), "{child}");
    let text = cluster.run(&["show", &told[2]]).ok().text();
    assert!(
        text.contains(&format!("submitted by a task of {job}")),
        "{text}"
    );
    let explained = cluster.dir().join("explained.toml");
    std::fs::write(&explained, parent(&["square", "secret"], &[])).unwrap();
    let text = cluster
        .run(&["explain", &explained.to_string_lossy()])
        .text();
    assert!(text.contains("square") && text.contains("secret"), "{text}");
}

#[test]
fn nothing_is_submitted_without_both_keys() {
    let cluster = start();
    let check = |submits: &[&str], steps: &[Value], want: &[&str]| {
        let (_, told) = told(&cluster, submits, steps);
        let fits = |(told, want): (&String, &&str)| told.contains(want);
        let good = told.len() == want.len() && told.iter().zip(want).all(fits);
        assert!(good, "{submits:?}: {told:?}, not {want:?}");
    };
    check(
        &["square"],
        &[
            submit("a", "deep", 1),
            submit("a", "square@9", 1),
            submit("a", "square", 101),
            json!({ "call": "submit", "key": "a", "definition": "square" }),
            submit("", "square", 1),
            submit("a", "../square", 1),
            step("wait", "a"),
            step("read", "a"),
            step("cancel", "a"),
            step("look", "a"),
        ],
        &[
            "not granted: the task submits no jobs of 'deep'",
            "invalid: there is no stored definition 'square@9'",
            "invalid: ",
            "invalid: ",
            "invalid: the key of a job",
            "not granted: the task submits no jobs of '../square'",
            "invalid: no job was submitted as 'a'",
            "invalid: no job was submitted as 'a'",
            "invalid: no job was submitted as 'a'",
            "none",
        ],
    );
    check(
        &["gone"],
        &[submit("a", "gone", 1)],
        &["invalid: there is no stored definition 'gone'"],
    );
    check(
        &[],
        &[submit("a", "square", 1), step("look", "a")],
        &["not granted: ", "not granted: "],
    );
    // The other jobs' keys are theirs.
    check(
        &["square"],
        &[submit("b", "square", 2), step("wait", "b")],
        &["", "Succeeded"],
    );
    check(&["square"], &[step("look", "b")], &["none"]);
    let file = cluster.dir().join("refused.toml");
    std::fs::write(&file, parent(&["secret"], &[])).unwrap();
    let refused = cluster.run(&["submit", &file.to_string_lossy()]);
    assert_ne!(refused.code, 0);
    let why = "asks for the submission 'secret', which the operator does not allow";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
}

#[test]
fn a_definition_that_submits_itself_comes_to_an_end() {
    let cluster = start();
    let text = parent(
        &["deep"],
        &[json!({ "call": "submit", "key": "next", "definition": "deep" })],
    );
    apply(&cluster, "deep", &text);
    let mut job = cluster.json(&["submit", "deep"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut jobs = 1;
    loop {
        let view = cluster.finish(&job);
        assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
        let told = cluster.get(&format!("/jobs/{job}/result")).json();
        let told = told[0].as_str().unwrap().to_owned();
        if told.starts_with("full: ") {
            break;
        }
        job = told;
        jobs += 1;
    }
    assert_eq!(jobs, 9);
}

#[test]
fn scripts_submit_jobs() {
    let cluster = start();
    let page = include_str!("../../docs/children.md");
    let script = page.split("```js\n").nth(1).unwrap();
    let script = script.split("```").next().unwrap();
    let job = cluster.submit(&format!(
        "[task]\nscript = {{ js = '''{script}''' }}\ninput = [2, 3, 5]\nsubmits = [\"square\"]\n"
    ));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    assert_eq!(
        cluster.get(&format!("/jobs/{job}/result")).json(),
        json!(38)
    );
}
