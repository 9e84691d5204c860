//! The file system of a room: a folder in memory of a fixed size, in it what the attempt
//! reads, each mounted read-only. Made in a namespace of the process's own, as whoever runs
//! the worker: the kernel counts while a guest writes, and all of it goes with the process.

use super::kernel::{Mount, unshare};
use anyhow::{Context as _, bail};
use libc::{
    MS_BIND, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY,
    MS_REC, MS_RELATIME, MS_REMOUNT,
};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::{getgid, getuid};
use rustix::thread::UnshareFlags;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use wasmhost_proto::files::below_root;
use wasmhost_proto::limits::{
    MAX_FILE_DEPTH, MAX_SCRATCH_FILES, MIN_SCRATCH, SCRATCH_BYTES_PER_FILE,
};

/// Where a file is mounted to try it out.
pub(super) const TRIED: &str = "/tried/file";
/// Files of a scratch folder however small it is.
const MIN_FILES: u64 = 64;

/// What is to be where.
pub(super) struct Place<'a> {
    pub(super) mount: &'a Path,
    pub(super) scratch: Option<u64>,
    pub(super) tree: Option<&'a Path>,
    pub(super) at: Vec<&'a str>,
}

impl Place<'_> {
    /// Leaves the machine's mounts behind and makes the room's. Needs a process of one
    /// thread.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        separate().context("cannot make a file system of its own")?;
        let bytes = self.scratch.unwrap_or(MIN_SCRATCH);
        let files = (bytes / SCRATCH_BYTES_PER_FILE).clamp(MIN_FILES, MAX_SCRATCH_FILES);
        // Where something is mounted there is a file or folder, and those above it.
        let places = (self.at.len() * MAX_FILE_DEPTH) as u64;
        let options = format!("size={bytes},nr_inodes={},mode=0700", files + places);
        let scratch = Mount {
            from: Some(Path::new("scratch")),
            kind: Some(c"tmpfs"),
            flags: MS_NOSUID | MS_NODEV | MS_NOEXEC,
            options: &options,
        };
        let mounted = scratch.at(self.mount);
        mounted.context("cannot mount a folder in memory")?;
        if self.scratch.is_some() {
            fs::create_dir(self.mount.join("tmp"))?;
        }
        for (index, at) in self.at.iter().enumerate() {
            let read = || self.input(index, at);
            read().with_context(|| format!("cannot mount what is to be at {at}"))?;
        }
        if self.scratch.is_none() {
            read_only(self.mount)?;
        }
        Ok(())
    }

    fn input(&self, index: usize, at: &str) -> anyhow::Result<()> {
        let (Some(tree), Some(below)) = (self.tree, below_root(at)) else {
            bail!("there is nothing for it");
        };
        let from = tree.join(index.to_string());
        let to: PathBuf = self.mount.join(below);
        if from.metadata()?.is_dir() {
            fs::create_dir_all(&to)?;
        } else {
            to.parent().map_or(Ok(()), fs::create_dir_all)?;
            File::create_new(&to)?;
        }
        let bind = Mount {
            from: Some(&from),
            flags: MS_BIND,
            ..Mount::default()
        };
        bind.at(&to)?;
        read_only(&to)
    }

    /// Whether its bounds hold.
    pub(super) fn try_out(&self) -> anyhow::Result<()> {
        let input = self.mount.join(below_root(TRIED).unwrap_or_default());
        match File::options().write(true).open(&input) {
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {}
            other => bail!("a file that is only to be read can be written: {other:?}"),
        }
        fs::read(&input).context("a file cannot be read")?;
        let bytes = vec![0; usize::try_from(MIN_SCRATCH)?];
        let fill = |name: &str| File::create_new(self.mount.join(name))?.write_all(&bytes);
        match (fill("one"), fill("two")) {
            (_, Err(error)) if error.kind() == ErrorKind::StorageFull => Ok(()),
            (_, other) => bail!("a scratch folder has no bound: {other:?}"),
        }
    }
}

/// Mounts of its own, in a user namespace of its own where that can be had: then the
/// process has no rights on the machine, whoever runs it.
fn separate() -> anyhow::Result<()> {
    let (user, group) = (getuid(), getgid());
    match unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS) {
        Ok(()) => {
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("0 {} 1", user.as_raw()))?;
            fs::write("/proc/self/gid_map", format!("0 {} 1", group.as_raw()))?;
        }
        Err(_) if user.is_root() => unshare(UnshareFlags::NEWNS)?,
        Err(error) => {
            return Err(error).context(
                "the system refuses namespaces to this user (see user.max_user_namespaces, \
                 kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns)",
            );
        }
    }
    let private = Mount {
        flags: MS_REC | MS_PRIVATE,
        ..Mount::default()
    };
    let kept = private.at(Path::new("/"));
    kept.context("cannot keep its mounts to itself")
}

/// Makes a mount read-only, and keeps what else holds of it: a user namespace may not take
/// that away.
fn read_only(path: &Path) -> anyhow::Result<()> {
    let held = statvfs(path)?.f_flag;
    let kept = [
        (StatVfsMountFlags::NOSUID, MS_NOSUID),
        (StatVfsMountFlags::NODEV, MS_NODEV),
        (StatVfsMountFlags::NOEXEC, MS_NOEXEC),
        (StatVfsMountFlags::NOATIME, MS_NOATIME),
        (StatVfsMountFlags::NODIRATIME, MS_NODIRATIME),
        (StatVfsMountFlags::RELATIME, MS_RELATIME),
    ];
    let kept = kept
        .into_iter()
        .filter(|(held_by, _)| held.contains(*held_by));
    let flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
    let remount = Mount {
        flags: kept.fold(flags, |flags, (_, flag)| flags | flag),
        ..Mount::default()
    };
    Ok(remount.at(path)?)
}
