//! Child processes of the worker: how they are started, waited for and killed,
//! and what they do first when they are the child.

use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getppid, pidfd_open, pidfd_send_signal,
    set_parent_process_death_signal, setrlimit,
};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Output};
use tokio::sync::oneshot;

/// A running child, ended when this is dropped.
pub(crate) struct Process {
    id: u32,
    handle: OwnedFd,
    /// What ends it.
    signal: Signal,
    exit: oneshot::Receiver<io::Result<Output>>,
}

impl Process {
    /// Starts `command` from a thread of its own that lives as long as the
    /// child: the kernel's "kill me with my parent" means the parent's thread.
    pub(super) async fn spawn(command: Command) -> io::Result<Process> {
        Process::spawn_for(command, Signal::KILL).await
    }

    /// The same, of a child that sees to its own end, and to that of what it has started,
    /// when it is asked to.
    pub(crate) async fn spawn_orderly(command: Command) -> io::Result<Process> {
        Process::spawn_for(command, Signal::TERM).await
    }

    async fn spawn_for(mut command: Command, signal: Signal) -> io::Result<Process> {
        let (started, start) = oneshot::channel();
        let (exited, exit) = oneshot::channel();
        let wait = move || {
            let spawned = command.spawn().and_then(|child| {
                let pid = Pid::from_child(&child);
                // Not reaped before this thread waits: the pid is the child's.
                Ok((pidfd_open(pid, PidfdFlags::empty())?, child))
            });
            match spawned {
                Err(error) => drop(started.send(Err(error))),
                Ok((handle, child)) => {
                    let process = started.send(Ok((child.id(), handle)));
                    if let Err(Ok((_, handle))) = process {
                        let _ = pidfd_send_signal(handle, signal);
                    }
                    let _ = exited.send(child.wait_with_output());
                }
            }
        };
        std::thread::Builder::new()
            .name("child-waiter".into())
            .spawn(wait)?;
        let (id, handle) = start.await.map_err(io::Error::other)??;
        Ok(Process {
            id,
            handle,
            signal,
            exit,
        })
    }

    /// The process id, for people.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Ends it now.
    pub(crate) fn kill(&self) {
        // It fails only when the child is gone already.
        let _ = pidfd_send_signal(&self.handle, self.signal);
    }

    /// Its exit status and what it wrote to captured streams.
    pub(crate) async fn wait(&mut self) -> io::Result<Output> {
        (&mut self.exit).await.map_err(io::Error::other)?
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `was killed by signal 9`, `exited with code 1`.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, Some(code)) => format!("exited with code {code}"),
        (None, None) => format!("ended with {status}"),
    }
}

/// The first thing a child does: it dies with its parent and leaves no core
/// (a guest's memory does not belong on disk).
pub(super) fn become_child(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before that.
    let known = getppid().map(|pid| pid.as_raw_nonzero().get() as u32);
    if known != Some(parent) {
        return Err(io::Error::other("the supervisor is gone"));
    }
    rustix::thread::set_no_new_privs(true)?;
    limit(Resource::Core, 0)
}

/// Lowers a resource limit for good.
pub(super) fn limit(resource: Resource, value: u64) -> io::Result<()> {
    limits(resource, value, value)
}

/// The same, with more for a moment after a signal that says so.
pub(super) fn limits(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let most = rustix::process::getrlimit(resource).maximum;
    let within = |value: u64| Some(most.map_or(value, |most| most.min(value)));
    let limits = Rlimit {
        current: within(soft),
        maximum: within(hard),
    };
    Ok(setrlimit(resource, limits)?)
}

/// Closes what the supervisor's own parent left open, all but the standard streams.
#[allow(unsafe_code)]
pub(super) fn close_inherited() -> io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    // The folder's own descriptor is among them, and closed by now.
    let still = |fd: &i32| std::fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok();
    for fd in open.into_iter().filter(|fd| *fd > 2 && still(fd)) {
        // SAFETY: this process has just begun and runs one thread; nothing in
        // it owns a descriptor yet besides the standard streams.
        unsafe { rustix::io::close(fd) };
    }
    Ok(())
}
