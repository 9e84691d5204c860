//! Compiling in a child process: what it is given, what it may take, and what
//! its end means. A compiler can be made to take any amount of time and memory.

use super::process::{self, Process, become_child, close_inherited};
use rustix::process::Resource;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Duration;
use tokio::time::timeout;
use wasmhost_proto::limits::{
    MAX_ARTIFACT, MAX_COMPILE_MEMORY, MAX_COMPILE_MS, MAX_COMPILE_REASON, MAX_MODULE,
};
use wasmhost_proto::module::ModuleKind;
use wasmhost_sandbox::CompileError;

use super::cache::CompileFailure;

/// The child's exit code for a module that is at fault.
const REJECTED: u8 = 65;

/// Linux's signal numbers, as exit statuses carry them.
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;

fn kind_name(kind: ModuleKind) -> &'static str {
    match kind {
        ModuleKind::Task => "task",
        ModuleKind::Command => "command",
        ModuleKind::CoreCommand => "core-command",
    }
}

/// `wasmhost compile IN OUT KIND PARENT`: writes `OUT`, or says on standard
/// error why not.
pub(super) fn compile_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    match run(&args.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            match error.downcast_ref::<CompileError>() {
                Some(CompileError::Rejected(_)) => ExitCode::from(REJECTED),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(args: &[OsString]) -> anyhow::Result<()> {
    let usage = "this command is started by a worker, not by hand";
    let [input, output, kind, parent] = args else {
        anyhow::bail!(usage);
    };
    let kinds = [
        ModuleKind::Task,
        ModuleKind::Command,
        ModuleKind::CoreCommand,
    ];
    let kind = kinds.into_iter().find(|k| kind_name(*k) == kind);
    let parent = parent.to_str().and_then(|p| p.parse().ok());
    let (Some(kind), Some(parent)) = (kind, parent) else {
        anyhow::bail!(usage);
    };
    become_child(parent)?;
    close_inherited()?;
    process::limit(Resource::Data, MAX_COMPILE_MEMORY)?;
    process::limit(Resource::Fsize, MAX_ARTIFACT)?;
    // Of all threads together; the supervisor's clock is the real limit.
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    process::limit(Resource::Cpu, MAX_COMPILE_MS / 1000 * threads)?;
    let len = std::fs::metadata(input)?.len();
    if len > MAX_MODULE {
        let why = format!("the module is {len} bytes, over the limit of {MAX_MODULE}");
        return Err(CompileError::Rejected(why).into());
    }
    let wasm = std::fs::read(input)?;
    Ok(wasmhost_sandbox::compile(&wasm, kind, Path::new(output))?)
}

/// Compiles the file `wasm` to the file `out` in a child of `program`.
pub(super) async fn compile(
    program: &Path,
    wasm: &Path,
    out: &Path,
    kind: ModuleKind,
) -> Result<(), CompileFailure> {
    let fault = |e: std::io::Error| CompileFailure::Fault(format!("cannot run the compiler: {e}"));
    let mut command = Command::new(program);
    command
        .arg("compile")
        .args([wasm, out])
        .args([kind_name(kind), &std::process::id().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .env_clear()
        .env("RUST_BACKTRACE", "0");
    let mut child = Process::spawn(command).await.map_err(fault)?;
    let result = match timeout(Duration::from_millis(MAX_COMPILE_MS), child.wait()).await {
        Err(_) => Err(CompileFailure::Rejected(format!(
            "compiling takes longer than the limit of {MAX_COMPILE_MS} ms"
        ))),
        Ok(output) => judge(&output.map_err(fault)?),
    };
    if result.is_err() {
        for left in [PathBuf::from(out), out.with_extension("tmp")] {
            // Most often there is none.
            let _ = std::fs::remove_file(left);
        }
    }
    result
}

/// What the child's end says of the module.
fn judge(output: &Output) -> Result<(), CompileFailure> {
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let said: String = text.trim().chars().take(MAX_COMPILE_REASON / 4).collect();
    let how = process::describe(output.status);
    let rejected = match (output.status.code(), output.status.signal()) {
        (Some(code), _) if code == i32::from(REJECTED) => said,
        (_, Some(SIGXCPU)) => "compiling takes too much processor time".into(),
        (_, Some(SIGXFSZ)) => format!("its native code is over the limit of {MAX_ARTIFACT} bytes"),
        (_, Some(SIGABRT | SIGSEGV)) => format!(
            "the compiler {how}, perhaps for want of memory (the limit is {MAX_COMPILE_MEMORY} bytes): {said}"
        ),
        _ => return Err(CompileFailure::Fault(format!("the compiler {how}: {said}"))),
    };
    Err(CompileFailure::Rejected(rejected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    fn check(raw: i32, want: Option<bool>) {
        let output = Output {
            status: ExitStatus::from_raw(raw),
            stdout: Vec::new(),
            stderr: b"why".to_vec(),
        };
        let rejected = match judge(&output) {
            Ok(()) => None,
            Err(CompileFailure::Rejected(_)) => Some(true),
            Err(CompileFailure::Fault(_)) => Some(false),
        };
        assert_eq!(rejected, want, "wait status {raw}");
    }

    #[test]
    fn ends_are_told_apart() {
        check(0, None);
        check(i32::from(REJECTED) << 8, Some(true));
        for signal in [SIGABRT, SIGSEGV, SIGXCPU, SIGXFSZ] {
            check(signal, Some(true));
        }
        // Somebody's kill, or a full disk, says nothing of the module.
        check(9, Some(false));
        check(1 << 8, Some(false));
    }
}
