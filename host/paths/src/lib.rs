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

/// A row of the table: the name, the item, what is done, and how.
macro_rules! paths {
    ($($name:literal per $item:literal: $what:literal, $run:expr;)*) => {
        &[$(Path { name: $name, item: $item, what: $what, run: $run }),*]
    };
}

/// Every path.
pub const PATHS: &[Path] = paths! {
    "primary-array" per "task":
        "submit an array of 10,000 tasks, assign it to 16 workers, take the outcomes in",
        |meter| core::array(16, 10_000, meter, core::Side::Primary);
    "primary-array-1000" per "task":
        "the same with 100,000 tasks and 1,000 workers",
        |meter| core::array(1_000, 100_000, meter, core::Side::Primary);
    "primary-graph" per "task":
        "a random graph of 100 arrays with 10,000 tasks in sum through 16 workers",
        |meter| core::graph(16, core::Graph::SMALL, meter, core::Side::Primary);
    "primary-singles" per "job":
        "2,000 jobs of one task each through one worker, from the submission to the end",
        |meter| core::singles(2_000, meter);
    "worker-array" per "task":
        "a worker takes assignments, starts 10,000 tasks and reports their outcomes",
        |meter| core::array(1, 10_000, meter, core::Side::Worker);
    "write-outcomes" per "outcome":
        "frames of 256 outcomes with 8 bytes of result",
        |meter| codec::outcomes(meter, codec::Way::Write);
    "read-outcomes" per "outcome":
        "the same frames read",
        |meter| codec::outcomes(meter, codec::Way::Read);
    "write-assign" per "task":
        "frames that assign 256 indexes of a range",
        |meter| codec::assign(meter, codec::Way::Write);
    "read-assign" per "task":
        "the same frames read",
        |meter| codec::assign(meter, codec::Way::Read);
    "store-commit" per "outcome":
        "commit an array of 10,000 outcomes in batches of 256 as the core emits them",
        |meter| store::outcomes(meter, store::Way::Commit);
    "store-read" per "outcome":
        "read the same outcomes back in pages of 500",
        |meter| store::outcomes(meter, store::Way::Read);
    "store-recover" per "outcome":
        "recover the live job of those outcomes",
        |meter| store::outcomes(meter, store::Way::Recover);
};

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
