//! The two processes between a worker and a program of its machine. The guard outlives the
//! program by a moment: whatever the program leaves behind becomes its child and is killed,
//! also when the worker dies. What it starts gives up its rights and becomes the program.

use super::process::{become_child, close_inherited, limit, limits};
use anyhow::{Context as _, bail};
use rustix::process::{
    Pid, Resource, Signal, WaitOptions, WaitStatus, getpid, getppid, kill_process,
    kill_process_group, set_child_subreaper, set_parent_process_death_signal, setsid, wait,
};
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use tokio::signal::unix::{SignalKind, signal};
use wasmhost_proto::limits::{MAX_PROGRAM_FILE, MAX_PROGRAM_FILES};

/// The exit code of a program that could not be started, as shells have it.
const NOT_STARTED: u8 = 127;
/// Above it, as shells have it, the signal that ended a program.
const SIGNALLED: u8 = 128;

/// What comes before a program: its limits, for each of its processes.
pub(crate) struct Bounds {
    /// Address space, bytes.
    pub memory: u64,
    /// Processor time, milliseconds; whole seconds count.
    pub cpu_ms: u64,
}

/// The command that starts a program under a guard; its arguments follow. `host` is this
/// executable.
pub(crate) fn command(host: &Path, bounds: &Bounds, program: &Path) -> Command {
    let mut command = Command::new(host);
    command
        .arg("program-guard")
        .arg(std::process::id().to_string())
        .arg(bounds.memory.to_string())
        .arg(bounds.cpu_ms.div_ceil(1000).to_string())
        .arg(program);
    command
}

/// `wasmhost program-guard PARENT MEMORY CPU PROGRAM ARGS…`.
pub(super) fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    match guard(args) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

/// `wasmhost program-exec PARENT MEMORY CPU PROGRAM ARGS…`.
pub(super) fn exec_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    match exec(args) {
        Ok(never) => match never {},
        Err(error) => failed(&error),
    }
}

/// Said to whoever reads the program's standard error.
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("the program could not be started: {error:#}");
    ExitCode::from(NOT_STARTED)
}

fn number(args: &mut impl Iterator<Item = OsString>) -> anyhow::Result<u64> {
    let text = args.next();
    let number = text.as_ref().and_then(|text| text.to_str()?.parse().ok());
    number.context("this command is started by a worker, not by hand")
}

fn guard(mut args: impl Iterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let parent = number(&mut args)?;
    close_inherited()?;
    // It may end by a signal that leaves one.
    limit(Resource::Core, 0)?;
    // Signals of a terminal are for the worker, which decides what ends.
    setsid()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let status = runtime.block_on(watch(parent, args))?;
    Ok(match status {
        Some(status) => pass_on(status),
        None => ExitCode::from(SIGNALLED + SignalKind::terminate().as_raw_value() as u8),
    })
}

/// How the program ended; none when the worker wants its end, or is gone.
async fn watch(
    parent: u64,
    args: impl Iterator<Item = OsString>,
) -> anyhow::Result<Option<WaitStatus>> {
    let mut ended = signal(SignalKind::child())?;
    let mut told = signal(SignalKind::terminate())?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // The worker may have died before that.
    let known = getppid().map(|pid| pid.as_raw_nonzero().get() as u64);
    if known != Some(parent) {
        bail!("the worker is gone");
    }
    set_child_subreaper(Some(getpid()))?;
    let child = Command::new("/proc/self/exe")
        .arg("program-exec")
        .arg(std::process::id().to_string())
        .args(args)
        .spawn()?;
    let program = Pid::from_child(&child);
    let status = loop {
        let mut over = None;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            over = (pid == program).then_some(status).or(over);
        }
        if over.is_some() {
            break over;
        }
        tokio::select! {
            _ = ended.recv() => {}
            _ = told.recv() => {
                // Not reaped yet: its group is its own.
                let _ = kill_process_group(program, Signal::KILL);
                break None;
            }
        }
    };
    end_all();
    Ok(status)
}

/// Kills what is left. Whoever loses its parent becomes a child of this process.
fn end_all() {
    loop {
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        // An error says that there is nobody left.
        if wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

/// The processes whose parent is this one.
fn children() -> Vec<Pid> {
    let own = std::process::id();
    let Ok(all) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let names = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let child = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        parent_of(&stat) == Some(own)
    };
    names.filter(child).filter_map(Pid::from_raw).collect()
}

/// The parent in a line of `/proc/PID/stat`, whose second field may hold anything in
/// brackets.
fn parent_of(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// Ends as the program did.
fn pass_on(status: WaitStatus) -> ExitCode {
    if let Some(code) = status.exit_status() {
        return ExitCode::from(code as u8);
    }
    let number = status.terminating_signal().unwrap_or_default();
    if let Some(signal) = Signal::from_named_raw(number) {
        let _ = kill_process(getpid(), signal);
    }
    ExitCode::from(SIGNALLED + number as u8)
}

fn exec(mut args: impl Iterator<Item = OsString>) -> anyhow::Result<Infallible> {
    let parent = number(&mut args)?;
    let (memory, cpu_s) = (number(&mut args)?, number(&mut args)?);
    let program = args.next().context("there is no program")?;
    become_child(u32::try_from(parent)?)?;
    // A session and group of its own: one signal ends all of it that stays in it.
    setsid()?;
    limit(Resource::Nofile, MAX_PROGRAM_FILES)?;
    limit(Resource::Fsize, MAX_PROGRAM_FILE)?;
    limits(Resource::Cpu, cpu_s, cpu_s + 1)?;
    limit(Resource::As, memory)?;
    let error = Command::new(&program).args(args).exec();
    Err(error).with_context(|| Path::new(&program).display().to_string())
}

#[cfg(test)]
mod tests {
    use super::parent_of;

    #[test]
    fn parents_in_stat() {
        for (stat, want) in [
            ("7 (sh) S 5 7 7 0", Some(5)),
            ("7 (a) b) S 5 7 7 0", Some(5)),
            ("7 (sh", None),
            ("", None),
        ] {
            assert_eq!(parent_of(stat), want, "{stat}");
        }
    }
}
