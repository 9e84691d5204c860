//! Names how an attempt ended. Kinds are never mixed up: retries, views and
//! exit codes hang on them.

use crate::board::{Board, Halt};
use crate::host::TaskError;
use crate::limits::Meter;
use crate::text::clip;
use wasmhost_proto::limits::MAX_FAILURE_TEXT;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::wire::AttemptLimits;
use wasmtime::component::ResourceTableError;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// A message's share of a failure's text.
const MAX_MESSAGE: usize = MAX_FAILURE_TEXT / 2;

/// Between the message of a task's error and the first frame of its stack.
const STACK: &str = "\n    at ";

/// What a guest's call came to when it returned.
pub(crate) enum End {
    /// A task's own result.
    Task(Result<Vec<u8>, TaskError>),
    /// A command's exit code.
    Exit(i32),
}

/// Whether a guest has done what it was for.
pub(crate) fn is_success(end: &wasmtime::Result<End>) -> bool {
    match end {
        Ok(End::Task(result)) => result.is_ok(),
        Ok(End::Exit(code)) => *code == 0,
        Err(error) => error
            .downcast_ref::<I32Exit>()
            .is_some_and(|exit| exit.0 == 0),
    }
}

/// The output of a task on success, none for a command; or the failure.
pub(crate) fn judge(
    end: Result<wasmtime::Result<End>, Halt>,
    board: &Board,
    meter: &Meter,
    limits: &AttemptLimits,
    kind: ModuleKind,
) -> Result<Option<Vec<u8>>, Failure> {
    let end = match end {
        Ok(end) => end,
        Err(halt) if halt.kind == FailureKind::TimeLimit => {
            let message = format!("ran longer than its time limit of {} ms", limits.wall_ms);
            return Err(Failure::new(halt.kind, message));
        }
        Err(halt) => return Err(halt.into()),
    };
    // What the host stopped it for counts, whatever the guest made of it.
    if let Some(halt) = board.halt() {
        let backtrace = end.err().as_ref().and_then(backtrace);
        return Err(Failure {
            backtrace,
            ..halt.into()
        });
    }
    match end {
        Ok(End::Task(Ok(output))) if output.len() as u64 > limits.output => Err(too_large(limits)),
        Ok(End::Task(Ok(output))) => Ok(Some(output)),
        Ok(End::Task(Err(error))) => Err(guest_error(error)),
        Ok(End::Exit(code)) => exit(code, meter, limits),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) if kind == ModuleKind::Task => Err(early_exit(*code)),
            Some(I32Exit(code)) => exit(*code, meter, limits),
            None => Err(broken(&error, board, meter, limits)),
        },
    }
}

fn too_large(limits: &AttemptLimits) -> Failure {
    let message = format!("the result passed the limit of {} bytes", limits.output);
    Failure::new(FailureKind::OutputLimit, message)
}

fn guest_error(error: TaskError) -> Failure {
    let kind = match error.retryable {
        true => FailureKind::GuestRetryable,
        false => FailureKind::GuestError,
    };
    // A stack of the guest's own follows the message.
    let (message, stack) = match error.message.split_once(STACK) {
        Some((message, stack)) => (message.to_owned(), Some(format!("    at {stack}"))),
        None => (error.message, None),
    };
    Failure {
        backtrace: stack.map(|stack| clip(stack, MAX_FAILURE_TEXT - MAX_MESSAGE)),
        ..Failure::new(kind, clip(message, MAX_MESSAGE))
    }
}

fn exit(code: i32, meter: &Meter, limits: &AttemptLimits) -> Result<Option<Vec<u8>>, Failure> {
    if code == 0 {
        return Ok(None);
    }
    let mut message = format!("exited with code {code}");
    if meter.refused() {
        message.push_str(&format!(
            " after it was refused memory beyond its limit of {} bytes",
            limits.memory
        ));
    }
    Err(Failure {
        exit_code: Some(code),
        ..Failure::new(FailureKind::ExitCode, message)
    })
}

/// A task has a result to return, whatever code it leaves with.
fn early_exit(code: i32) -> Failure {
    let message = format!("exited with code {code} before it returned a result");
    Failure {
        exit_code: Some(code),
        ..Failure::new(FailureKind::ExitCode, message)
    }
}

/// A trap, or the host's refusal of what the guest gave.
fn broken(
    error: &wasmtime::Error,
    board: &Board,
    meter: &Meter,
    limits: &AttemptLimits,
) -> Failure {
    let backtrace = backtrace(error);
    let (kind, message) = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => (FailureKind::StackOverflow, "the stack overflowed".into()),
        _ if meter.refused() => {
            let message = format!(
                "failed after it was refused memory beyond its limit of {} bytes",
                limits.memory
            );
            (FailureKind::MemoryLimit, message)
        }
        Some(
            trap @ (Trap::InvalidChar
            | Trap::StringOutOfBounds
            | Trap::ListOutOfBounds
            | Trap::InvalidDiscriminant
            | Trap::UnalignedPointer),
        ) => (
            FailureKind::InvalidData,
            format!("passed invalid data to the host: {trap}"),
        ),
        Some(Trap::UnreachableCodeReached) if let Some(panic) = board.panic() => {
            (FailureKind::Trap, panic)
        }
        Some(_) => (FailureKind::Trap, causes(error)),
        None => untrapped(error, backtrace.is_some(), limits),
    };
    Failure {
        backtrace,
        ..Failure::new(kind, clip(message, MAX_MESSAGE))
    }
}

/// Errors that are no traps of the guest's code: in a host call when there are
/// frames of the guest, while its result was read when there are none.
fn untrapped(
    error: &wasmtime::Error,
    in_guest: bool,
    limits: &AttemptLimits,
) -> (FailureKind, String) {
    let full = error.downcast_ref::<ResourceTableError>();
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return (FailureKind::HostFault, causes(error));
    }
    if matches!(full, Some(ResourceTableError::Full)) {
        return (
            FailureKind::HostCallLimit,
            "too many resource handles open at once".into(),
        );
    }
    // Wasmtime keeps the type of this error to itself.
    let exhausted = error.root_cause().to_string().contains("hostcall");
    match (exhausted, in_guest) {
        (true, true) => (FailureKind::HostCallLimit, causes(error)),
        (true, false) => {
            let failure = too_large(limits);
            (failure.kind, failure.message)
        }
        (false, _) => (FailureKind::InvalidData, causes(error)),
    }
}

/// The error and its causes in one line, without the backtrace.
fn causes(error: &wasmtime::Error) -> String {
    let parts = error.chain().map(ToString::to_string);
    let parts: Vec<String> = parts.filter(|p| !p.starts_with(BACKTRACE_HEAD)).collect();
    parts.join(": ").replace('\n', " ")
}

/// How the text of a [`WasmBacktrace`] begins.
const BACKTRACE_HEAD: &str = "error while executing at wasm backtrace:";

fn backtrace(error: &wasmtime::Error) -> Option<String> {
    let trace = error.downcast_ref::<WasmBacktrace>()?.to_string();
    let frames = trace.strip_prefix(BACKTRACE_HEAD).unwrap_or(&trace);
    let frames = frames.trim_matches('\n').to_owned();
    (!frames.is_empty()).then(|| clip(frames, MAX_FAILURE_TEXT - MAX_MESSAGE))
}
