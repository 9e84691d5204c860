//! Scenarios of a cold start: the first result of a module that nobody has seen,
//! from the push to the end of its first task.

use crate::cluster::{Cluster, Options, finish, push, submission, submit};
use crate::modules;
use crate::place::Place;
use crate::scenario::{Figure, Group, Run, Sample};
use anyhow::{Result, anyhow};
use std::time::Instant;
use wasmtime::{Config, Engine};

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[Figure::ms(
            "cold-start-100k",
            "push a new module of 100 KB and run it once; limit: wasmtime's compiler alone, on all cores",
        )],
        runs: 5,
        set_up: |place| cold(place, 100_000),
    },
    Group {
        figures: &[Figure::ms("cold-start-1m", "the same with 1 MB")],
        runs: 5,
        set_up: |place| cold(place, 1_000_000),
    },
    Group {
        figures: &[Figure::ms("cold-start-5m", "the same with 5 MB")],
        runs: 5,
        set_up: |place| cold(place, 5_000_000),
    },
];

fn cold(place: &Place, bytes: usize) -> Result<Run> {
    let options = Options {
        workers: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    let body = submission("[task]\nmodule = \"cold\"\n");
    let mut config = Config::new();
    // What the product cannot do without: its guests can be stopped, and compute
    // the same everywhere.
    config
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true);
    let engine = Engine::new(&config).map_err(|e| anyhow!("{e:#}"))?;
    Ok(Box::new(move || {
        let module = modules::command(bytes)?;
        let start = Instant::now();
        let code = engine.precompile_module(&module);
        code.map_err(|e| anyhow!("{e:#}"))?;
        let limit = start.elapsed();
        let start = Instant::now();
        push(&mut client, "cold", &module)?;
        let job = submit(&mut client, &body)?;
        finish(&mut client, &job).map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))?;
        let took = start.elapsed();
        Ok(vec![Sample::new(
            took.as_secs_f64() * 1e3,
            limit.as_secs_f64() * 1e3,
        )])
    }))
}
