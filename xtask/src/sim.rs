//! `sim`: thousands of simulated clusters from new seeds, or one seed again.

use crate::steps;
use anyhow::{Context, Result};

/// What to simulate.
pub(crate) enum Schedules {
    /// So many, from a seed that no run had before.
    Some(u64),
    /// One, step by step.
    One(u64),
}

impl Schedules {
    /// Reads the words after `sim`.
    pub(crate) fn parse(words: &[&str]) -> Result<Schedules> {
        let number = |text: &str| {
            let number = text.parse::<u64>();
            number.with_context(|| format!("'{text}' is not a number"))
        };
        match words {
            [] => Ok(Schedules::Some(10_000)),
            ["--seed", seed] => Ok(Schedules::One(number(seed)?)),
            [count] => Ok(Schedules::Some(number(count)?)),
            _ => anyhow::bail!("expected a number of schedules, or --seed and one seed"),
        }
    }
}

/// Runs the core's simulation.
pub(crate) fn run(schedules: Schedules) -> Result<()> {
    let (name, number) = match schedules {
        Schedules::Some(count) => ("WASMHOST_SEEDS", count),
        Schedules::One(seed) => ("WASMHOST_SEED", seed),
    };
    let args = [
        "test",
        "-p",
        "wasmhost-core",
        "--test",
        "sim",
        "--",
        "--nocapture",
    ];
    steps::run(steps::cargo().args(args).env(name, number.to_string()))
}
