//! The memory of sandboxes that are alive and asleep.

use crate::bare::Slots;
use crate::cluster::{Cluster, Options, push, submission, submit, until, warm_up};
use crate::place::Place;
use crate::process::{children, memory};
use crate::scenario::{Better, Figure, Group, Sample, Target};
use anyhow::{Context, Result, anyhow};
use std::time::Duration;

/// Sandboxes at once.
const SLEEPERS: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) const GROUPS: &[Group] = &[Group {
    figures: &[Figure {
        name: "sandbox-memory",
        unit: "KiB",
        better: Better::Lower,
        target: Some(Target::Median(64.0)),
        what: "1,000 sleeping tasks on one worker: what its executors grow by, for each; limit: a live instance of bare wasmtime",
    }],
    runs: 5,
    set_up: |place| {
        let place = place.clone();
        let guest = place.guest("fixtures/odd")?;
        let slots = Slots::new(&place, &place.guest("fixtures/noop")?)?;
        Ok(Box::new(move || run(&place, &guest, &slots)))
    },
}];

/// A new worker each time: what a slot has once held stays resident.
fn run(place: &Place, guest: &[u8], slots: &Slots) -> Result<Vec<Sample>> {
    let options = Options {
        workers: 1,
        slots: Some(SLEEPERS),
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    push(&mut client, "odd", guest)?;
    let sleep = |count: u32, ms: u32| {
        format!(
            "[task]\nmodule = \"odd\"\narray = {{ range = [0, {count}] }}\n\
             input = {{ do = \"sleep\", ms = {ms} }}\nlimits.time = \"1h\"\n"
        )
    };
    // Code is there and every executor has run something.
    warm_up(&mut client, &sleep(32, 20))?;
    let worker = cluster.workers[0].as_ref().context("no worker")?;
    let resident = || -> Result<f64> { children(worker.id())?.into_iter().map(memory).sum() };
    let before = resident()?;
    let job = submit(&mut client, &submission(&sleep(SLEEPERS, 3_600_000)))?;
    let path = format!("/api/v1/jobs/{job}");
    until("all sleepers to sleep", PAUSE, || {
        let view = client.json("GET", &path, b"")?;
        Ok((view["counts"]["running"] == SLEEPERS).then_some(()))
    })
    .map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))?;
    let each = (resident()? - before) / f64::from(SLEEPERS);
    drop(cluster);
    let slot = slots.bytes(SLEEPERS)? / 1024.0;
    Ok(vec![Sample::new(each, slot)])
}
