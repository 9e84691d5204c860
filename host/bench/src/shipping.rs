//! Scenarios of shipping: a new module of 30 MB from the primary to workers,
//! until each has it verified under its name in its folder. What is measured
//! begins with the submission that makes the workers fetch it, and ends before
//! anything is compiled.

use crate::cluster::{Cluster, Options, finish, push, submission, submit, until};
use crate::modules;
use crate::place::Place;
use crate::raw::Raw;
use crate::scenario::{Better, Figure, Group, Run, Sample, Target};
use anyhow::{Context, Result, anyhow};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Bytes of the section that makes a small guest a large one.
const BYTES: usize = 30_000_000;
/// A guest that keeps its worker's slot while the others get their share.
const INPUT: &str = "input = { do = \"sleep\", ms = 100 }";

const fn figure(name: &'static str, what: &'static str) -> Figure {
    Figure {
        name,
        unit: "MB/s",
        better: Better::Higher,
        target: Some(Target::Ratio(0.5)),
        what,
    }
}

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[figure(
            "shipping-1",
            "30 MB of new module from a submission to one worker's disk, verified; limit: a raw quinn stream, same transport settings",
        )],
        runs: 7,
        set_up: |place| shipping(place, 1),
    },
    Group {
        figures: &[figure(
            "shipping-8",
            "the same to eight workers at once, in sum",
        )],
        runs: 5,
        set_up: |place| shipping(place, 8),
    },
];

fn shipping(place: &Place, workers: usize) -> Result<Run> {
    let options = Options {
        workers,
        slots: Some(1),
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    let guest = place.guest("fixtures/odd")?;
    let raw = Raw::new(place)?;
    // Three for each: a slot's and those that it has at hand.
    let array = format!("array = {{ range = [0, {}] }}", workers * 3);
    let body = submission(&format!("[task]\nmodule = \"ship\"\n{array}\n{INPUT}\n"));
    Ok(Box::new(move || {
        let module = modules::padded(&guest, BYTES)?;
        let megabytes = module.len() as f64 * workers as f64 / 1e6;
        push(&mut client, "ship", &module)?;
        let mut missing: Vec<(PathBuf, usize)> = (0..workers)
            .map(|number| {
                let folder = cluster.worker_folder(number).join("files");
                files(&folder, module.len()).map(|found| (folder, found))
            })
            .collect::<Result<_>>()?;
        let limit = megabytes / raw.send(module.clone(), workers)?.as_secs_f64();

        let start = Instant::now();
        let job = submit(&mut client, &body)?;
        until(
            "the module to be on all workers",
            Duration::from_micros(300),
            || {
                let mut waiting = Vec::new();
                for (folder, had) in missing.drain(..) {
                    if files(&folder, module.len())? == had {
                        waiting.push((folder, had));
                    }
                }
                missing = waiting;
                Ok(missing.is_empty().then_some(()))
            },
        )
        .map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))?;
        let took = start.elapsed();
        finish(&mut client, &job)?;
        Ok(vec![Sample::new(megabytes / took.as_secs_f64(), limit)])
    }))
}

/// How many whole files of this length a worker has: what is on its way has
/// another name.
fn files(folder: &std::path::Path, len: usize) -> Result<usize> {
    let list = std::fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    let mut count = 0;
    for file in list.flatten() {
        let whole = !file.file_name().to_string_lossy().contains('.');
        // It may be renamed between the list and the look.
        let long = file.metadata().is_ok_and(|found| found.len() == len as u64);
        count += usize::from(whole && long);
    }
    Ok(count)
}
