//! A process of the product, and what the system says of it and its children.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Lines of a log that explain a failure.
const TAIL: usize = 15;

/// A running process; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it says is added to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Process> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("cannot start the product")?;
        Ok(Process {
            child,
            log: log.to_owned(),
        })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// `kill -9`, and its end.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The last lines that it said.
    pub(crate) fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!("--- {}\n{last}\n", self.log.display())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing of a benchmark is worth an orderly end; executors die with their worker.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(id: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{id}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

/// Processor time that a process has used up, seconds.
pub(crate) fn cpu(id: u32) -> Result<f64> {
    let stat = read(id, "stat")?;
    // The name in parentheses may hold anything; user and system time are the
    // 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat is odd")?;
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

/// Resident memory of a process that is its own share, KiB: pages shared by
/// several count in parts.
pub(crate) fn memory(id: u32) -> Result<f64> {
    let rollup = read(id, "smaps_rollup")?;
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = pss.and_then(|pss| pss.split_whitespace().next());
    let number = number.context("/proc/PID/smaps_rollup names no Pss")?;
    Ok(number.parse()?)
}

/// The children of a process.
pub(crate) fn children(id: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may end while we look.
        let list = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        children.extend(
            list.split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
    }
    Ok(children)
}
