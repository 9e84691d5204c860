//! Running commands one after another: says what runs, how long it took, and
//! which one failed.

use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

/// The commands of a chore.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// Does one thing under a name.
    pub(crate) fn step(&mut self, name: &str, act: impl FnOnce() -> Result<()>) -> Result<()> {
        eprintln!("==> {name}");
        let start = Instant::now();
        act().with_context(|| format!("{name} failed"))?;
        self.done.push((name.to_owned(), start.elapsed()));
        Ok(())
    }

    /// Runs cargo.
    pub(crate) fn cargo(&mut self, args: &str) -> Result<()> {
        self.step(&format!("cargo {args}"), || {
            run(cargo().args(args.split(' ')))
        })
    }

    /// What was done, and how long each took.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let total = self.done.iter().map(|(_, time)| *time).sum();
        for (name, time) in &self.done {
            let _ = writeln!(text, "{:>8}  {name}", seconds(*time));
        }
        let _ = writeln!(text, "{:>8}  in all", seconds(total));
        text
    }
}

/// Cargo as from a shell. What cargo tells this program of its own package would
/// make build scripts that look at it run again, ring's for one.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
