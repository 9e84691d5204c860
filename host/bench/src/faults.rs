//! Scenarios of stopping: a worker that dies, a guest that must.

use crate::cluster::{Cluster, Options, push, submission, submit, until};
use crate::http::Client;
use crate::place::Place;
use crate::scenario::{Better, Figure, Group, Run, Sample};
use anyhow::{Context, Result, anyhow};
use std::time::{Duration, Instant};
use wasmhost_proto::limits::EPOCH_TICK_MS;

/// How long a silent worker keeps its tasks in these scenarios: an operator's
/// choice, short here so that the runs are.
const LEASE: (&str, f64) = ("2s", 2_000.0);
/// Between two looks: what is measured is longer.
const PAUSE: Duration = Duration::from_micros(500);

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[Figure {
            name: "dead-worker",
            unit: "ms",
            better: Better::Lower,
            target: None,
            what: "kill -9 of a worker until its task runs on the other, as the client sees; limit: the lease, here 2 s",
        }],
        runs: 5,
        set_up: dead_worker,
    },
    Group {
        figures: &[Figure {
            name: "cancel",
            unit: "ms",
            better: Better::Lower,
            target: None,
            what: "a request to cancel without grace until the spinning guest is dead and the client sees it; limit: the epoch tick",
        }],
        runs: 15,
        set_up: cancel,
    },
];

/// Waits until a task runs in its attempt of this number; on which worker.
fn running(cluster: &Cluster, client: &mut Client, task: &str, number: u64) -> Result<String> {
    until("the task to run", PAUSE, || {
        let task = client.json("GET", task, b"")?;
        let latest = &task["attempts"][0];
        let runs = task["state"] == "running" && latest["attempt"] == number;
        let worker = latest["worker_name"].as_str().unwrap_or_default();
        Ok(runs.then(|| worker.to_owned()))
    })
    .map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))
}

fn dead_worker(place: &Place) -> Result<Run> {
    let options = Options {
        workers: 2,
        slots: Some(1),
        lease: Some(LEASE.0),
        status_interval: Some("200ms"),
    };
    let mut cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    push(&mut client, "odd", &place.guest("fixtures/odd")?)?;
    let body = submission("[task]\nmodule = \"odd\"\ninput = { do = \"sleep\" }\n");
    Ok(Box::new(move || {
        let job = submit(&mut client, &body)?;
        let task = format!("/api/v1/jobs/{job}/tasks/0/0");
        let worker = running(&cluster, &mut client, &task, 1)?;
        let number = worker
            .strip_prefix('w')
            .and_then(|number| number.parse().ok());
        let number: usize = number.with_context(|| format!("'{worker}' is no worker of ours"))?;
        let start = Instant::now();
        let process = cluster.workers[number].take().context("it does not run")?;
        process.kill()?;
        running(&cluster, &mut client, &task, 2)?;
        let took = start.elapsed();

        client.good(
            "POST",
            &format!("/api/v1/jobs/{job}/cancel"),
            br#"{"grace_ms":0}"#,
        )?;
        cluster.start_worker(number, None)?;
        cluster.wait_for_workers(2)?;
        Ok(vec![Sample::new(took.as_secs_f64() * 1e3, LEASE.1)])
    }))
}

fn cancel(place: &Place) -> Result<Run> {
    let options = Options {
        workers: 1,
        slots: Some(1),
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    push(&mut client, "odd", &place.guest("fixtures/odd")?)?;
    let body = submission("[task]\nmodule = \"odd\"\ninput = { do = \"loop\" }\n");
    Ok(Box::new(move || {
        let job = submit(&mut client, &body)?;
        let path = format!("/api/v1/jobs/{job}");
        let wait = |state: &str, client: &mut Client| {
            until(state, PAUSE, || {
                let view = client.json("GET", &path, b"")?;
                let there = view["state"] == state
                    && (state != "running" || view["counts"]["running"] == 1);
                Ok(there.then_some(()))
            })
            .map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))
        };
        wait("running", &mut client)?;
        let start = Instant::now();
        client.good("POST", &format!("{path}/cancel"), br#"{"grace_ms":0}"#)?;
        wait("cancelled", &mut client)?;
        let took = start.elapsed();
        Ok(vec![Sample::new(
            took.as_secs_f64() * 1e3,
            EPOCH_TICK_MS as f64,
        )])
    }))
}
