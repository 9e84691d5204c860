//! The hot paths of the scheduling core, the wire's codec and the store, each
//! alone, without sandbox, network or processes.
//!
//! Owns simulated clusters that drive the real state machines, and the table of
//! paths. Three readers share it: criterion (`benches/`), callgrind (the program
//! of this crate, run by `cargo xtask bench --check`) and the scenarios of
//! `wasmhost-bench`. Holds no figure and judges none.

pub mod cluster;
mod codec;
mod core;
mod meter;
pub mod plans;
mod store;

pub use core::{Graph, array, graph};
pub use meter::{Meter, processor_time};

use anyhow::Result;

/// One hot path.
pub struct Path {
    /// Its name, as in the file of counts.
    pub name: &'static str,
    /// What one item is.
    pub item: &'static str,
    /// What is done per item.
    pub what: &'static str,
    /// Does it once, the path itself inside of [`Meter::measure`]; returns how
    /// many items that were. The same each time.
    pub run: fn(&mut Meter) -> Result<u64>,
}

/// Every path.
pub const PATHS: &[Path] = &[
    Path {
        name: "primary-array",
        item: "task",
        what: "submit an array of 10,000 tasks, assign it to 16 workers, take the outcomes in",
        run: |meter| core::array(16, 10_000, meter, core::Side::Primary),
    },
    Path {
        name: "primary-array-1000",
        item: "task",
        what: "the same with 100,000 tasks and 1,000 workers",
        run: |meter| core::array(1_000, 100_000, meter, core::Side::Primary),
    },
    Path {
        name: "primary-graph",
        item: "task",
        what: "a random graph of 100 arrays with 10,000 tasks in sum through 16 workers",
        run: |meter| core::graph(16, core::Graph::SMALL, meter, core::Side::Primary),
    },
    Path {
        name: "primary-singles",
        item: "job",
        what: "2,000 jobs of one task each through one worker, from the submission to the end",
        run: |meter| core::singles(2_000, meter),
    },
    Path {
        name: "worker-array",
        item: "task",
        what: "a worker takes assignments, starts 10,000 tasks and reports their outcomes",
        run: |meter| core::array(1, 10_000, meter, core::Side::Worker),
    },
    Path {
        name: "write-outcomes",
        item: "outcome",
        what: "frames of 256 outcomes with 8 bytes of result",
        run: |meter| codec::outcomes(meter, codec::Way::Write),
    },
    Path {
        name: "read-outcomes",
        item: "outcome",
        what: "the same frames read",
        run: |meter| codec::outcomes(meter, codec::Way::Read),
    },
    Path {
        name: "write-assign",
        item: "task",
        what: "frames that assign 256 indexes of a range",
        run: |meter| codec::assign(meter, codec::Way::Write),
    },
    Path {
        name: "read-assign",
        item: "task",
        what: "the same frames read",
        run: |meter| codec::assign(meter, codec::Way::Read),
    },
    Path {
        name: "store-commit",
        item: "outcome",
        what: "commit an array of 10,000 outcomes in batches of 256 as the core emits them",
        run: |meter| store::outcomes(meter, store::Way::Commit),
    },
    Path {
        name: "store-read",
        item: "outcome",
        what: "read the same outcomes back in pages of 500",
        run: |meter| store::outcomes(meter, store::Way::Read),
    },
    Path {
        name: "store-recover",
        item: "outcome",
        what: "recover the live job of those outcomes",
        run: |meter| store::outcomes(meter, store::Way::Recover),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_runs_and_is_measured() {
        for path in PATHS
            .iter()
            .filter(|path| path.name != "primary-array-1000")
        {
            let mut meter = Meter::default();
            match (path.run)(&mut meter) {
                Ok(items) => assert!(items > 0, "{}", path.name),
                Err(error) => panic!("{}: {error:#}", path.name),
            }
            assert!(!meter.spent().is_zero(), "{}", path.name);
        }
    }
}
