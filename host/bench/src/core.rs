//! The scheduling core alone: simulated workers that are not measured, no wire,
//! no store, no sandbox.

use crate::bare;
use crate::scenario::{Better, Figure, Group, Run, Sample, Target};
use anyhow::Result;
use wasmhost_paths::cluster::Side;
use wasmhost_paths::{Graph, Meter};

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[Figure {
            name: "core-array",
            unit: "ns",
            better: Better::Lower,
            target: Some(Target::Median(1_000.0)),
            what: "processor time of the primary's decisions per task: an array of 1,000,000 through 1,000 workers",
        }],
        runs: 5,
        set_up: |_| per_task(|meter| wasmhost_paths::array(WORKERS, TASKS, meter, Side::Primary)),
    },
    Group {
        figures: &[Figure {
            name: "core-graph",
            unit: "ns",
            better: Better::Lower,
            target: Some(Target::Median(3_000.0)),
            what: "the same for a random graph of 10,000 arrays with 1,000,000 tasks in sum",
        }],
        runs: 5,
        set_up: |_| {
            per_task(|meter| wasmhost_paths::graph(WORKERS, Graph::LARGE, meter, Side::Primary))
        },
    },
    Group {
        figures: &[Figure {
            name: "core-bytes",
            unit: "bytes",
            better: Better::Lower,
            target: Some(Target::Median(64.0)),
            what: "resident memory of the core per queued task of an array of 10,000,000",
        }],
        runs: 5,
        set_up: |_| Ok(Box::new(|| Ok(vec![Sample::alone(bare::queued_bytes()?)]))),
    },
];

const WORKERS: usize = 1_000;
const TASKS: u32 = 1_000_000;

fn per_task(path: fn(&mut Meter) -> Result<u64>) -> Result<Run> {
    Ok(Box::new(move || {
        let mut meter = Meter::default();
        let tasks = path(&mut meter)?;
        let nanoseconds = meter.spent().as_nanos() as f64;
        Ok(vec![Sample::alone(nanoseconds / tasks as f64)])
    }))
}
