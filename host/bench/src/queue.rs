//! Scenarios of a big queue: ten million tasks that wait for a worker.

use crate::cluster::{Cluster, Options, push, submission, submit};
use crate::place::Place;
use crate::process::memory;
use crate::scenario::{Better, Figure, Group, Sample, Target};
use anyhow::{Context, Result, ensure};
use redb::{Database, ReadableDatabase};
use std::path::Path;
use std::time::Instant;

const TASKS: u32 = 10_000_000;

pub(crate) const GROUPS: &[Group] = &[Group {
    figures: &[
        Figure {
            name: "queue-submit",
            unit: "s",
            better: Better::Lower,
            target: Some(Target::Median(1.0)),
            what: "10,000,000 tasks as one array, no worker: the acknowledged submission",
        },
        Figure {
            name: "queue-restart",
            unit: "s",
            better: Better::Lower,
            target: Some(Target::Median(3.0)),
            what: "kill -9, then from the start of the primary to the job's view; limit: redb opening a copy of the same file",
        },
        Figure {
            name: "queue-memory",
            unit: "MiB",
            better: Better::Lower,
            target: Some(Target::Median(500.0)),
            what: "the restarted primary's resident memory with them",
        },
    ],
    runs: 5,
    set_up: |place| {
        let guest = place.guest("fixtures/noop")?;
        let place = place.clone();
        Ok(Box::new(move || run(&place, &guest)))
    },
}];

fn run(place: &Place, guest: &[u8]) -> Result<Vec<Sample>> {
    let mut cluster = Cluster::start(place, Options::default())?;
    let mut client = cluster.client()?;
    push(&mut client, "noop", guest)?;
    let range = format!("array = {{ range = [0, {TASKS}] }}");
    let body = submission(&format!("[task]\nmodule = \"noop\"\n{range}\n"));
    let start = Instant::now();
    let job = submit(&mut client, &body)?;
    let submitted = start.elapsed();

    cluster.kill_primary()?;
    let store = cluster.primary_folder().join("store.redb");
    let limit = open(&store, &cluster.folder().join("copy.redb"))?;
    let start = Instant::now();
    cluster.start_primary()?;
    let view = cluster
        .client()?
        .json("GET", &format!("/api/v1/jobs/{job}"), b"")?;
    let restarted = start.elapsed();
    ensure!(
        view["counts"]["waiting"] == TASKS,
        "the restarted primary has lost tasks: {view}"
    );
    let primary = cluster.primary.as_ref().context("no primary")?;
    Ok(vec![
        Sample::alone(submitted.as_secs_f64()),
        Sample::new(restarted.as_secs_f64(), limit),
        Sample::alone(memory(primary.id())? / 1024.0),
    ])
}

/// How long redb takes to open a copy of a file that was not closed, and to look
/// at all of its tables, seconds.
fn open(store: &Path, copy: &Path) -> Result<f64> {
    std::fs::copy(store, copy).with_context(|| format!("cannot copy {}", store.display()))?;
    let start = Instant::now();
    let database = Database::open(copy)?;
    let transaction = database.begin_read()?;
    let tables = transaction.list_tables()?.count();
    let took = start.elapsed().as_secs_f64();
    ensure!(tables > 0, "{} has no tables", store.display());
    Ok(took)
}
