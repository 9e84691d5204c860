//! What rest costs: processor time and memory of processes that have nothing to do.

use crate::cluster::{Cluster, Options};
use crate::peer::Peers;
use crate::place::Place;
use crate::process::{children, cpu, memory};
use crate::scenario::{Better, Figure, Group, Run, Sample, Target};
use anyhow::{Context, Result};
use std::thread;
use std::time::{Duration, Instant};

/// How long rest is looked at.
const REST: Duration = Duration::from_secs(5);
/// Connected workers.
const PEERS: usize = 1_000;

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[Figure {
            name: "idle-cpu-0",
            unit: "% of a core",
            better: Better::Lower,
            target: None,
            what: "a primary and one worker with its executors, all at rest for 5 s",
        }],
        runs: 5,
        set_up: alone,
    },
    Group {
        figures: &[
            Figure {
                name: "idle-cpu-1000",
                unit: "% of a core",
                better: Better::Lower,
                target: Some(Target::Median(5.0)),
                what: "a primary with 1,000 connected idle workers (simulated, over real QUIC) for 5 s",
            },
            Figure {
                name: "idle-memory-1000",
                unit: "MiB",
                better: Better::Lower,
                target: Some(Target::Median(300.0)),
                what: "its resident memory with them",
            },
        ],
        runs: 5,
        set_up: crowded,
    },
];

/// Percent of one core that processes take together, over some seconds.
fn share(ids: &[u32]) -> Result<f64> {
    let used = || ids.iter().map(|id| cpu(*id)).sum::<Result<f64>>();
    let (start, before) = (Instant::now(), used()?);
    thread::sleep(REST);
    Ok((used()? - before) / start.elapsed().as_secs_f64() * 100.0)
}

fn alone(place: &Place) -> Result<Run> {
    let options = Options {
        workers: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    Ok(Box::new(move || {
        let processes = cluster
            .primary
            .iter()
            .chain(cluster.workers.iter().flatten());
        let mut ids = Vec::new();
        for process in processes {
            ids.push(process.id());
            ids.extend(children(process.id())?);
        }
        Ok(vec![Sample::alone(share(&ids)?)])
    }))
}

fn crowded(place: &Place) -> Result<Run> {
    let cluster = Cluster::start(place, Options::default())?;
    let peers = Peers::connect(&cluster, PEERS, 1)?;
    Ok(Box::new(move || {
        // They stay connected as long as the runs last.
        let _ = &peers;
        let primary = cluster.primary.as_ref().context("no primary")?.id();
        let cpu = share(&[primary])?;
        // What is measured is a primary that has all of them.
        cluster.wait_for_workers(PEERS)?;
        Ok(vec![
            Sample::alone(cpu),
            Sample::alone(memory(primary)? / 1024.0),
        ])
    }))
}
