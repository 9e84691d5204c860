//! Drivers on real processes: what they start runs once, though their worker is killed,
//! and they take no slot.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, task, wait_until};

fn definition(driver: &str, worker: &str, input: &Value) -> String {
    let input = input.to_string().replace("\":", "\"=");
    format!(
        r#"
        [job]
        name = "driven"
        [tasks.waves]
        module = {{ path = "{}" }}
        driver = true
        input = {input}
        [tasks.work]
        module = {{ path = "{}" }}
        spawned_by = "waves"
        retry = {{ lost = 100 }}
        "#,
        task(driver).display(),
        task(worker).display()
    )
}

fn driver(cluster: &Cluster, job: &str) -> Value {
    cluster.get(&format!("/jobs/{job}/tasks/waves/0")).json()
}

#[test]
fn a_driver_killed_with_its_worker_goes_on() {
    const TASKS: u64 = 1000;
    let mut cluster = Cluster::start(Options {
        workers: 2,
        lease: "1s",
        ..Options::default()
    });
    let input = json!({ "tasks": TASKS, "wave": 5 });
    let job = cluster.submit(&definition("fixtures/waves", "echo", &input));
    let started = |cluster: &Cluster| {
        let view = cluster.get(&format!("/jobs/{job}")).json();
        view["counts"]["total"].as_u64().unwrap() - 1
    };
    for kill in 1..=3u64 {
        let (who, before) = wait_until(
            "the driver to be in mid-course",
            Duration::from_secs(60),
            || {
                let task = driver(&cluster, &job);
                let running = task["state"] == "running";
                let so_far = started(&cluster);
                let who = task["attempts"][0]["worker_name"].as_str()?.to_owned();
                (running && so_far >= kill * 50).then_some((who, so_far))
            },
            || cluster.explain(),
        );
        assert!(
            before < TASKS,
            "the job was too fast to be killed in its middle"
        );
        let number = (0..2).find(|n| who.ends_with(&n.to_string())).unwrap();
        cluster.kill_worker(number);
        cluster.start_worker(number, None);
        cluster.wait_for_workers(2);
    }
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    // A driver that had started over would have started more.
    assert_eq!(view["counts"]["total"], TASKS + 1);
    assert_eq!(view["counts"]["succeeded"], TASKS + 1);
    let attempts = driver(&cluster, &job)["attempts"].as_array().unwrap().len();
    assert!(
        (2..=4).contains(&attempts),
        "{attempts} attempts of the driver"
    );
    // The job's result is the driver's: what it started is of its own making.
    let result = cluster.get(&format!("/jobs/{job}/result")).json();
    let sum = TASKS * (TASKS - 1) / 2;
    assert_eq!(
        result,
        json!({ "succeeded": TASKS, "sum": sum, "failures": [] })
    );
}

#[test]
fn a_driver_survives_its_primary_and_takes_no_slot() {
    let mut cluster = Cluster::start(Options {
        workers: 1,
        slots: 1,
        ..Options::default()
    });
    let input = json!({ "tasks": 300, "wave": 10 });
    let job = cluster.submit(&definition("fixtures/waves", "echo", &input));
    wait_until(
        "some tasks to end beside their driver",
        Duration::from_secs(60),
        || {
            let view = cluster.get(&format!("/jobs/{job}")).json();
            view["counts"]["succeeded"].as_u64().filter(|n| *n >= 20)
        },
        || cluster.explain(),
    );
    cluster.kill_primary();
    cluster.start_primary();
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    assert_eq!(view["counts"]["succeeded"], 301);
    // Its worker lived: it was not tried again.
    let attempts = driver(&cluster, &job)["attempts"].as_array().unwrap().len();
    assert_eq!(attempts, 1);
}

#[test]
fn failures_and_refusals_are_the_drivers_to_judge() {
    let cluster = Cluster::start(Options::default());
    // A number is no input for `odd`: each task fails for good.
    let input = json!({ "tasks": 3, "wave": 3 });
    let job = cluster.submit(&definition("fixtures/waves", "fixtures/odd", &input));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    assert_eq!(view["counts"]["failed"], 3);
    let said = |job: &str| {
        let path = format!("/jobs/{job}/tasks/waves/0/result");
        cluster.get(&path).json()["failures"].clone()
    };
    let failures = said(&job);
    assert_eq!(failures.as_array().unwrap().len(), 3);
    assert!(
        failures[0].as_str().unwrap().starts_with("guest_error"),
        "{failures}"
    );

    let input = json!({ "tasks": 1, "wave": 1, "task": "nobody" });
    let job = cluster.submit(&definition("fixtures/waves", "echo", &input));
    assert_eq!(cluster.finish(&job)["state"], "succeeded");
    let failures = said(&job);
    assert!(
        failures[0].as_str().unwrap().contains("no task 'nobody'"),
        "{failures}"
    );
}

#[test]
fn a_driver_that_waits_for_nothing_ends_with_the_last_of_them() {
    let cluster = Cluster::start(Options::default());
    let input = json!({ "tasks": 40, "wave": 7, "leave": true });
    let job = cluster.submit(&definition("fixtures/waves", "echo", &input));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    assert_eq!(view["counts"]["succeeded"], 41);
}

#[test]
fn who_is_no_driver_starts_nothing() {
    let cluster = Cluster::start(Options::default());
    let definition = format!(
        "[task]\nmodule = {{ path = \"{}\" }}\ninput = {{ tasks = 1, wave = 1 }}\n",
        task("fixtures/waves").display()
    );
    let job = cluster.submit(&definition);
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "failed", "{view}");
    let message = view["failure"]["failure"]["message"].as_str().unwrap();
    assert!(message.contains("`driver = true`"), "{message}");
}

#[test]
fn a_driver_is_told_of_each_bound() {
    let cluster = Cluster::start(Options::default());
    // What it asks for, and what it is told; none when it gets it.
    let check = |ask: &str, told: Option<&str>| {
        let definition = format!(
            r#"
            [tasks.greedy]
            module = {{ path = "{}" }}
            driver = true
            input = {ask}
            retry = {{ max = 0 }}
            [tasks.work]
            module = {{ path = "{}" }}
            spawned_by = "greedy"
            "#,
            task("fixtures/greedy").display(),
            task("fixtures/noop").display()
        );
        let job = cluster.submit(&definition);
        let view = cluster.finish(&job);
        let failure = &view["failure"]["failure"];
        match told {
            None => assert_eq!(view["state"], "succeeded", "{ask}: {view}"),
            Some(told) => {
                assert_eq!(failure["kind"], "guest_error", "{ask}: {view}");
                let message = failure["message"].as_str().unwrap();
                assert!(message.contains(told), "{ask}: {message}");
            }
        }
    };
    check(
        "{ ask = \"many\" }",
        Some("4096 tasks are under way: wait for some of them first"),
    );
    check("{ ask = \"key\", bytes = 256 }", None);
    check("{ ask = \"key\", bytes = 257 }", Some("1 to 256 bytes"));
    check("{ ask = \"key\", bytes = 0 }", Some("1 to 256 bytes"));
    check("{ ask = \"control_key\" }", Some("no control characters"));
    check("{ ask = \"input\", bytes = 65536 }", None);
    check("{ ask = \"input\", bytes = 65537 }", Some("may have 65536"));
    check(
        "{ ask = \"name\", bytes = 200 }",
        Some("the name of a task"),
    );
    check("{ ask = \"twice\" }", Some("under way already"));
    check("{ ask = \"wait\" }", None);
    check("{ ask = \"request\" }", None);
    check("{ ask = \"cancel\" }", None);
}
