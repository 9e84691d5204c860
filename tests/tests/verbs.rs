//! Every verb, as people type it and as JSON.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, task};

#[test]
fn every_verb_speaks_json() {
    let cluster = Cluster::start(Options {
        workers: 2,
        ..Options::default()
    });
    let echo = task("echo");
    let pushed = cluster.json(&["module", "push", &echo.to_string_lossy()]);
    let digest = pushed["digest"].as_str().unwrap().to_owned();
    assert_eq!(pushed["kind"], "task");
    let file = cluster.dir().join("job.toml");
    fs::write(
        &file,
        format!("[job]\nname = \"verbs\"\n[task]\nmodule = \"{digest}\"\narray = {{ range = [0, 20] }}\n"),
    )
    .unwrap();
    let file = file.to_string_lossy().into_owned();
    cluster.json(&["check", &file]);
    let job = cluster.json(&["submit", &file, "--wait"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(cluster.finish(&job)["state"], "succeeded");
    let prefix = &job[..8];
    for verb in [
        vec!["info"],
        vec!["jobs"],
        vec!["show", prefix],
        vec!["show", &format!("{job}.7")],
        vec!["status", "latest"],
        vec!["watch", &job],
        vec!["logs", &job],
        vec!["workers"],
        vec!["module", "list"],
        vec!["module", "show", &digest],
        vec!["token", "list"],
        vec!["cancel", &job],
        vec!["drain", "w1"],
        vec!["drain", "w1", "--off"],
    ] {
        let mut args = verb.clone();
        args.extend(["--output", "json"]);
        let run = cluster.run(&args);
        let printed = if run.code == 0 {
            run.stdout
        } else {
            run.stderr.clone().into_bytes()
        };
        let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(&printed)
            .into_iter()
            .collect();
        let documents = documents.unwrap_or_else(|e| {
            panic!(
                "{verb:?} ended {}: {e}: {}",
                run.code,
                String::from_utf8_lossy(&printed)
            )
        });
        assert!(!documents.is_empty(), "{verb:?} printed nothing");
    }
    let run = cluster.run(&["result", &format!("{job}.7")]).ok();
    assert_eq!(run.text(), "7");
    for (args, code) in [
        (vec!["show", "zzzzzzzzzz"], 3),
        (vec!["frobnicate"], 2),
        (vec!["retry", &job], 5),
        (vec!["result", &job], 5),
    ] {
        let run = cluster.run(&args);
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert!(!run.stderr.is_empty());
    }
}

#[test]
fn several_definitions_are_submitted_together_or_not_at_all() {
    let cluster = Cluster::start(Options::default());
    let echo = task("echo").display().to_string();
    let file = |name: &str, text: &str| {
        let path = cluster.dir().join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let good = |name: &str| {
        let text = format!("[job]\nname = \"{name}\"\n[task]\nmodule = {{ path = \"{echo}\" }}\n");
        file(&format!("{name}.toml"), &text)
    };
    let bad = file("bad.toml", "[task]\nmodule = \"nobody\"\n");
    let (a, b) = (good("a"), good("b"));
    let names = |view: &Value| {
        let items = view["items"].as_array().unwrap().iter();
        items.map(|job| job["name"].clone()).collect::<Vec<_>>()
    };
    for (args, code, says) in [
        (vec!["submit", &a, &bad], 5, "bad.toml: there is no module"),
        (vec!["submit", &a, "missing.toml"], 1, "missing.toml"),
        (vec!["submit", &a, &b, "--follow"], 2, "--follow"),
    ] {
        let run = cluster.run(&args);
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    assert!(names(&cluster.json(&["jobs"])).is_empty());
    let new = cluster.json(&["submit", &a, &b, "--key", "k"]);
    assert_eq!(new["ids"].as_array().unwrap().len(), 2);
    assert_eq!(new, cluster.json(&["submit", &a, &b, "--key", "k"]));
    let ended = cluster.json(&["submit", &b, &a, "--wait"]);
    assert_eq!(names(&ended), ["b", "a"]);
    assert_eq!(names(&cluster.json(&["jobs"])).len(), 4);
}

#[test]
fn nobody_home_says_how_to_start() {
    let cluster = Cluster::start(Options {
        workers: 0,
        ..Options::default()
    });
    let mut command = cluster.command(&["jobs"]);
    command.env("WASMHOST_ADDR", "http://127.0.0.1:9");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&output.stderr).contains("run-primary"));
}

#[test]
fn cancel_drain_and_retry() {
    let cluster = Cluster::start(Options {
        workers: 2,
        slots: 1,
        ..Options::default()
    });
    let definition = |what: &str| {
        format!(
            "[task]\nmodule = {{ path = \"{}\" }}\narray = {{ range = [0, 6] }}\ninput = {what}\n",
            task("fixtures/odd").display()
        )
    };
    for what in [r#"{ do = "honour_cancel" }"#, r#"{ do = "loop" }"#] {
        let job = cluster.submit(&definition(what));
        wasmhost_tests::wait_until(
            "the job to run",
            Duration::from_secs(60),
            || (cluster.json(&["show", &job])["state"] == "running").then_some(()),
            || cluster.explain(),
        );
        cluster.json(&["cancel", &job]);
        let view = cluster.finish(&job);
        assert_eq!(view["state"], "cancelled", "{view}");
        assert_eq!(view["counts"]["running"], 0);
    }
    cluster.json(&["drain", "w0"]);
    let job = cluster.submit(&definition(r#"{ do = "spin", ms = 5, value = "${item}" }"#));
    cluster.finish(&job);
    let workers: Vec<String> = cluster
        .tasks(&job)
        .iter()
        .map(|t| t["attempts"][0]["worker_name"].as_str().unwrap().into())
        .collect();
    assert!(
        workers.iter().all(|w| w == "w1"),
        "a drained worker gets nothing: {workers:?}"
    );

    let failing = cluster.submit(&definition(r#"{ do = "error", message = "no" }"#));
    assert_eq!(cluster.finish(&failing)["state"], "failed");
    cluster.json(&["retry", &failing]);
    assert_eq!(
        cluster.finish(&failing)["state"],
        "failed",
        "it runs again and fails again"
    );
}

#[test]
fn shutdown_in_order() {
    let mut cluster = Cluster::start(Options::default());
    let job = cluster.submit(&format!(
        "[task]\nmodule = {{ path = \"{}\" }}\narray = {{ range = [0, 50] }}\ninput = {{ do = \"spin\", ms = 20, value = 1 }}\n",
        task("fixtures/odd").display()
    ));
    let code = cluster.workers[0]
        .as_mut()
        .unwrap()
        .terminate(Duration::from_secs(60));
    assert_eq!(code, Some(0), "{}", cluster.explain());
    cluster.workers[0] = None;
    cluster.start_worker(0, None);
    assert_eq!(cluster.finish(&job)["state"], "succeeded");
    let tries: usize = cluster
        .tasks(&job)
        .iter()
        .map(|t| t["attempts"].as_array().unwrap().len())
        .sum();
    assert!(
        tries <= 52,
        "what had not started was given back, not lost: {tries} attempts"
    );
    let code = cluster
        .primary
        .as_mut()
        .unwrap()
        .terminate(Duration::from_secs(60));
    assert_eq!(code, Some(0), "{}", cluster.explain());
}
