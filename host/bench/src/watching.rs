//! Guests that publish without a pause, and a crowd that watches: how old what it sees is, and
//! what the primary takes for it.

use crate::cluster::{Cluster, Options, push, submission, submit};
use crate::http::Client;
use crate::place::Place;
use crate::process::{cpu, memory};
use crate::report::median;
use crate::scenario::{Better, Figure, Group, Run, Sample};
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Who reads at once, and who takes a second for each event.
const WATCHERS: usize = 500;
const SLOW: usize = 10;
/// Guests, and how often each sets a value. The progress that it reports, too, is thinned out
/// by the SDK before it is a call.
const GUESTS: usize = 2;
const TIMES: u64 = 2_000_000;

pub(crate) const GROUPS: &[Group] = &[Group {
    figures: &[
        Figure {
            name: "watch-offered",
            unit: "updates/s",
            better: Better::Higher,
            target: Some(crate::scenario::Target::Median(100_000.0)),
            what: "what two guests that publish without a pause hand to their sandboxes",
        },
        Figure {
            name: "watch-delay-500",
            unit: "ms",
            better: Better::Lower,
            target: None,
            what: "the median age of their values at 500 watchers, beside 10 that take a second for each event",
        },
        Figure {
            name: "watch-cpu-500",
            unit: "% of a core",
            better: Better::Lower,
            target: None,
            what: "the primary's processor time meanwhile",
        },
        Figure {
            name: "watch-memory-500",
            unit: "MiB",
            better: Better::Lower,
            target: None,
            what: "its memory then",
        },
    ],
    runs: 5,
    set_up: crowd,
}];

fn crowd(place: &Place) -> Result<Run> {
    let options = Options {
        workers: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    push(&mut client, "pulse", &place.guest("fixtures/pulse")?)?;
    let item = format!("{{ every_ms = 0, times = {TIMES} }}");
    let items = vec![item; GUESTS].join(", ");
    let array = format!("array = {{ items = [{items}] }}");
    let body = submission(&format!("[task]\nmodule = \"pulse\"\n{array}\n"));
    Ok(Box::new(move || {
        let primary = cluster.primary.as_ref().context("no primary")?.id();
        let (start, before) = (Instant::now(), cpu(primary)?);
        let job = submit(&mut client, &body)?;
        let path = format!("/api/v1/jobs/{job}/events");
        let slow = (0..SLOW).map(|_| watcher(&client, &path, Duration::from_secs(1)));
        let slow: Vec<_> = slow.collect();
        let quick = (0..WATCHERS).map(|_| watcher(&client, &path, Duration::ZERO));
        let quick: Vec<_> = quick.collect();
        let mut delays = Vec::new();
        for watcher in quick {
            delays.extend(watcher.join().map_err(|_| anyhow!("a watcher died"))??);
        }
        let took = start.elapsed().as_secs_f64();
        let used = (cpu(primary)? - before) / took * 100.0;
        let held = memory(primary)? / 1024.0;
        for watcher in slow {
            watcher
                .join()
                .map_err(|_| anyhow!("a slow watcher died"))??;
        }
        let offered = (TIMES * GUESTS as u64) as f64 / took;
        let delay =
            median(delays).with_context(|| format!("saw nothing\n{}", cluster.explain()))?;
        Ok([offered, delay, used, held].map(Sample::alone).to_vec())
    }))
}

/// Reads the events of a job until it has ended; how old each value was when it came.
fn watcher(client: &Client, path: &str, pause: Duration) -> thread::JoinHandle<Result<Vec<f64>>> {
    let (mut client, path) = (client.another(), path.to_owned());
    thread::spawn(move || {
        let mut delays = Vec::new();
        client.watch(&path, |event| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1e3;
            let status: Value = serde_json::from_slice(event)?;
            let running = status["tasks"].as_array().context("no tasks")?;
            let running = running.iter().filter(|task| task["state"] == "running");
            delays.extend(running.filter_map(published).map(|at| now - at as f64));
            thread::sleep(pause);
            let state = status["job"]["state"].as_str();
            Ok((state == Some("succeeded")).then_some(()))
        })?;
        Ok(delays)
    })
}

/// The time that a task has published last.
fn published(task: &Value) -> Option<u64> {
    let values = task["attempts"][0]["status"]["values"].as_array()?;
    values.iter().find(|value| value["name"] == "at_ms")?["value"].as_u64()
}
