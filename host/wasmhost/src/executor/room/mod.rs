//! A room: an executor process for one attempt that has files. Before it runs any thread it
//! makes a file system of its own, which the kernel bounds and which goes with the process,
//! and gives up all of the machine's files but those that it needs.

mod fence;
mod kernel;
mod place;

use super::launch;
use super::process::{self, become_child, close_inherited};
use anyhow::{Context as _, bail};
use place::Place;
use rustix::process::Resource;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use wasmhost_proto::limits::{EXECUTOR_START_MS, MAX_ROOM_DESCRIPTORS, MIN_SCRATCH};
use wasmhost_sandbox::Root;

/// In the place of what there is none of.
const NONE: &str = "-";

/// What a run sees of files, as its supervisor has prepared it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Room {
    /// A folder with what it reads: `0`, `1`, … for each path of `at`.
    pub tree: Option<PathBuf>,
    /// Where it finds them: absolute, none below another.
    pub at: Vec<String>,
    /// Bytes that it may write; none for none.
    pub scratch: Option<u64>,
}

/// What a room's process is to make.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// An empty folder, which the room's own file system covers for the room alone.
    pub mount: PathBuf,
    /// The compiled module.
    pub code: PathBuf,
    /// The files.
    pub room: Room,
}

impl Plan {
    /// Adds what [`Plan::read`] reads.
    pub(super) fn write(&self, command: &mut Command) {
        let scratch = self.room.scratch.map(|bytes| bytes.to_string());
        command
            .arg(std::process::id().to_string())
            .arg(&self.mount)
            .arg(&self.code)
            .arg(scratch.as_deref().unwrap_or(NONE))
            .arg(self.room.tree.as_deref().unwrap_or(Path::new(NONE)))
            .args(&self.room.at);
    }

    /// The parent that named it, and the plan.
    fn read(mut args: impl Iterator<Item = OsString>) -> Option<(u32, Plan)> {
        let parent = args.next()?.to_str()?.parse().ok()?;
        let (mount, code) = (args.next()?.into(), args.next()?.into());
        let scratch = match args.next()?.to_str()? {
            NONE => None,
            bytes => Some(bytes.parse().ok()?),
        };
        let tree = Some(args.next()?).filter(|tree| tree != NONE);
        let at: Option<Vec<String>> = args.map(|at| at.into_string().ok()).collect();
        let room = Room {
            tree: tree.map(PathBuf::from),
            at: at?,
            scratch,
        };
        Some((parent, Plan { mount, code, room }))
    }

    fn place(&self) -> Place<'_> {
        let at = self.room.at.iter().map(String::as_str);
        Place {
            mount: &self.mount,
            scratch: self.room.scratch,
            tree: self.room.tree.as_deref(),
            at: at.collect(),
        }
    }
}

/// `wasmhost room PARENT MOUNT CODE SCRATCH TREE AT…`.
pub(super) fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("room {}: {error:#}", std::process::id());
            ExitCode::FAILURE
        }
    }
}

fn run(args: impl Iterator<Item = OsString>) -> anyhow::Result<()> {
    let plan = enter(args)?;
    fence::restrict(&plan.mount, &plan.code).context("cannot give up the machine's files")?;
    if let Some(bytes) = plan.room.scratch {
        process::limit(Resource::Fsize, bytes)?;
    }
    let root = Root {
        path: plan.mount,
        scratch: plan.room.scratch,
    };
    launch::serve(1, Some(root))
}

/// Bounds itself and makes its file system.
fn enter(args: impl Iterator<Item = OsString>) -> anyhow::Result<Plan> {
    let Some((parent, plan)) = Plan::read(args) else {
        bail!("this command is started by a worker, not by hand");
    };
    become_child(parent)?;
    close_inherited()?;
    process::limit(Resource::Nofile, MAX_ROOM_DESCRIPTORS)?;
    plan.place().make()?;
    // The kernel may have forgotten it when rights changed.
    become_child(parent)?;
    Ok(plan)
}

/// Whether this machine lets a worker make rooms: one is made as an attempt would have it,
/// and its bounds are tried. `dir` is a folder for it alone.
pub(crate) async fn check(program: &Path, dir: &Path) -> Result<(), String> {
    let (tree, mount) = (dir.join("tree"), dir.join("mount"));
    let prepare = || {
        std::fs::create_dir_all(&mount)?;
        std::fs::create_dir_all(&tree)?;
        std::fs::write(tree.join("0"), b"checked")
    };
    prepare().map_err(|error| format!("cannot use {}: {error}", dir.display()))?;
    let plan = Plan {
        mount,
        code: program.to_owned(),
        room: Room {
            tree: Some(tree),
            at: vec![place::TRIED.to_owned()],
            scratch: Some(MIN_SCRATCH),
        },
    };
    let mut command = Command::new(program);
    command.arg("room-check");
    plan.write(&mut command);
    command
        .env_clear()
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let run = async {
        let mut child = process::Process::spawn(command).await?;
        child.wait().await
    };
    let limit = std::time::Duration::from_millis(EXECUTOR_START_MS);
    match tokio::time::timeout(limit, run).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(match said.trim() {
                "" => format!("the check {}", process::describe(output.status)),
                said => said.to_owned(),
            })
        }
        Ok(Err(error)) => Err(format!("cannot start the check: {error}")),
        Err(_) => Err(format!("the check took longer than {EXECUTOR_START_MS} ms")),
    }
}

/// `wasmhost room-check PARENT MOUNT CODE SCRATCH TREE AT…`.
pub(super) fn check_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let tried = enter(args).and_then(|plan| {
        plan.place().try_out()?;
        fence::restrict(&plan.mount, &plan.code)
    });
    match tried {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
