//! `fuzz`: damaged definitions, conditions and modules for some seconds, from a new
//! seed or one again.

use crate::steps;
use anyhow::{Context, Result};

/// Runs the compiler's example of that name.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let (seconds, seed) = match words {
        [] => ("60", None),
        [seconds] => (*seconds, None),
        [seconds, seed] => (*seconds, Some(*seed)),
        _ => anyhow::bail!("expected a number of seconds, and perhaps a seed"),
    };
    for number in [Some(seconds), seed].into_iter().flatten() {
        let read = number.parse::<u64>();
        read.with_context(|| format!("'{number}' is not a number"))?;
    }
    let args = [
        "run",
        "-p",
        "wasmhost-jobc",
        "--example",
        "fuzz",
        "--",
        seconds,
    ];
    steps::run(steps::cargo().args(args).args(seed))
}
