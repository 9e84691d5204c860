//! The scheduling core's paths: jobs from the submission to their durable end.

use crate::cluster::Cluster;
pub(crate) use crate::cluster::Side;
use crate::meter::Meter;
use crate::plans;
use anyhow::{Result, ensure};

/// Tasks that end on a worker between two of its frames.
const SLOTS: u32 = 64;
/// Rounds after which a job that has not ended never will.
const ROUNDS: u64 = 100_000;

/// The size of a random graph.
#[derive(Clone, Copy, Debug)]
pub struct Graph {
    /// Its arrays.
    pub nodes: u16,
    /// Tasks in sum.
    pub tasks: u32,
}

impl Graph {
    /// One that is quick under an instrument.
    pub const SMALL: Graph = Graph {
        nodes: 100,
        tasks: 10_000,
    };
    /// The one that targets are given for.
    pub const LARGE: Graph = Graph {
        nodes: 10_000,
        tasks: 1_000_000,
    };
}

/// An array of `tasks` through `workers`. Returns the tasks.
pub fn array(workers: usize, tasks: u32, meter: &mut Meter, side: Side) -> Result<u64> {
    let mut cluster = Cluster::new(workers, SLOTS);
    cluster.submit(plans::array(tasks), side, meter);
    until(&mut cluster, 1, side, meter)?;
    Ok(u64::from(tasks))
}

/// A random graph through `workers`. Returns its tasks.
pub fn graph(workers: usize, graph: Graph, meter: &mut Meter, side: Side) -> Result<u64> {
    let mut cluster = Cluster::new(workers, SLOTS);
    cluster.submit(plans::graph(graph.nodes, graph.tasks), side, meter);
    until(&mut cluster, 1, side, meter)?;
    Ok(u64::from(graph.tasks))
}

/// `jobs` of one task each, sixteen submitted between two frames. Returns the jobs.
pub(crate) fn singles(jobs: u32, meter: &mut Meter) -> Result<u64> {
    let mut cluster = Cluster::new(1, SLOTS);
    for n in 0..jobs {
        cluster.submit(plans::array(1), Side::Primary, meter);
        if n % 16 == 15 {
            cluster.round(Side::Primary, meter);
        }
    }
    until(&mut cluster, u64::from(jobs), Side::Primary, meter)?;
    Ok(u64::from(jobs))
}

/// Lets time pass until so many jobs have ended.
pub(crate) fn until(cluster: &mut Cluster, jobs: u64, side: Side, meter: &mut Meter) -> Result<()> {
    let mut rounds = 0;
    while cluster.jobs_ended() < jobs {
        rounds += 1;
        ensure!(rounds < ROUNDS, "the simulated job does not end");
        cluster.round(side, meter);
    }
    Ok(())
}
