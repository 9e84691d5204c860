//! Scenarios of status: how much of it a primary takes in, and how old it is when
//! somebody sees it.

use crate::cluster::{Cluster, Options, push, submission, submit, until};
use crate::peer::Peers;
use crate::place::Place;
use crate::report::median;
use crate::scenario::{Better, Figure, Group, Run, Sample};
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Connected workers, and tasks that each of them runs.
const PEERS: usize = 16;
const TASKS_EACH: u32 = 64;
/// Reports of each task in one run.
const ROUNDS: u64 = 100;
/// Between two values of the guest that is watched: in step with nothing.
const EVERY_MS: u64 = 230;
/// Values in one run.
const VALUES: u64 = 25;

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[Figure {
            name: "status-ingest",
            unit: "updates/s",
            better: Better::Higher,
            target: None,
            what: "16 simulated workers report for 1,024 running tasks as fast as the primary reads, until a client sees the last",
        }],
        runs: 5,
        set_up: ingest,
    },
    Group {
        figures: &[Figure {
            name: "status-delay",
            unit: "ms",
            better: Better::Lower,
            target: None,
            what: "the median age of a value that a guest publishes when the watcher of its job's events has it",
        }],
        runs: 5,
        set_up: delay,
    },
];

fn ingest(place: &Place) -> Result<Run> {
    let cluster = Cluster::start(place, Options::default())?;
    let mut client = cluster.client()?;
    push(&mut client, "noop", &place.guest("fixtures/noop")?)?;
    let peers = Peers::connect(&cluster, PEERS, TASKS_EACH)?;
    let count = PEERS as u32 * TASKS_EACH;
    let array = format!("array = {{ range = [0, {count}] }}");
    let definition = format!("[task]\nmodule = \"noop\"\n{array}\nlimits.time = \"1d\"\n");
    let job = submit(&mut client, &submission(&definition))?;
    let path = format!("/api/v1/jobs/{job}");
    until("all tasks to run", Duration::from_millis(5), || {
        let view = client.json("GET", &path, b"")?;
        Ok((view["counts"]["running"] == count).then_some(()))
    })
    .map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))?;
    let mut from = 0;
    Ok(Box::new(move || {
        let start = Instant::now();
        let tasks = peers.flood(from, ROUNDS)?;
        from += ROUNDS;
        let mut sent = 0;
        for of_peer in &tasks {
            sent += of_peer.len() as u64 * ROUNDS;
            // Frames stay in order: with the last report all are there.
            let last = of_peer.last().context("a peer holds no task")?;
            let path = format!("{path}/tasks/{}/{}", last.node, last.index);
            until("the last report", Duration::ZERO, || {
                let task = client.json("GET", &path, b"")?;
                let done = &task["attempts"][0]["status"]["progress"]["done"];
                Ok((*done == from - 1).then_some(()))
            })
            .map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))?;
        }
        Ok(vec![Sample::alone(
            sent as f64 / start.elapsed().as_secs_f64(),
        )])
    }))
}

fn delay(place: &Place) -> Result<Run> {
    let options = Options {
        workers: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    push(&mut client, "pulse", &place.guest("fixtures/pulse")?)?;
    let input = format!("input = {{ every_ms = {EVERY_MS}, times = {VALUES} }}");
    let body = submission(&format!("[task]\nmodule = \"pulse\"\n{input}\n"));
    Ok(Box::new(move || {
        let job = submit(&mut client, &body)?;
        let mut seen = None;
        let mut delays = Vec::new();
        client.watch(&format!("/api/v1/jobs/{job}/events"), |event| {
            let status: Value = serde_json::from_slice(event)?;
            if let Some(at) = published(&status).filter(|at| Some(*at) != seen) {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
                delays.push(now.as_secs_f64() * 1e3 - at as f64);
                seen = Some(at);
            }
            let state = status["job"]["state"].as_str();
            Ok((state == Some("succeeded")).then_some(()))
        })?;
        // The last one may come with the end of its task; it counts as well.
        let value = median(delays).with_context(|| format!("saw nothing\n{}", cluster.explain()));
        Ok(vec![Sample::alone(value?)])
    }))
}

/// The value that the job's only task has published last.
fn published(status: &Value) -> Option<u64> {
    let values = status["tasks"][0]["attempts"][0]["status"]["values"].as_array()?;
    values.iter().find(|value| value["name"] == "at_ms")?["value"].as_u64()
}
