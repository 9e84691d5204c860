//! How an attempt ended, and what it used. The kinds are never mixed up: each
//! has its own place in retry policies, views and exit codes.

use serde::{Deserialize, Serialize};

/// What ended an attempt other than success.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum FailureKind {
    /// The guest returned an error and says that another attempt will not help.
    GuestError,
    /// The guest returned an error and says that another attempt may help.
    GuestRetryable,
    /// A command ended with an exit code other than 0.
    ExitCode,
    /// The guest trapped: unreachable, division by zero, out of bounds, a panic.
    Trap,
    /// Its stack overflowed.
    StackOverflow,
    /// It ran longer than its time limit.
    TimeLimit,
    /// It asked for more memory than its limit and then failed for want of it.
    MemoryLimit,
    /// Its result or standard output passed the limit.
    OutputLimit,
    /// It flooded the host with logs, status or handles.
    HostCallLimit,
    /// It filled its scratch folder and then failed for want of room.
    ScratchLimit,
    /// What it returned does not fit: not UTF-8 where text is required, malformed JSON.
    InvalidData,
    /// Somebody cancelled it.
    Cancelled,
    /// It, or its job, was not started or finished within the queue or total time limit.
    Expired,
    /// The worker was lost while it held the task.
    LostWorker,
    /// The executor process died under it.
    LostExecutor,
    /// The module cannot be compiled or linked on the worker.
    ModuleRejected,
    /// The input could not be made: a placeholder without value, a blob that is gone.
    BadInput,
    /// The host failed: disk, memory, a bug of ours.
    HostFault,
}

/// Which counter of the retry policy an ended attempt is charged to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryClass {
    /// Never tried again.
    Never,
    /// The guest's own failures.
    Guest,
    /// Failures of workers, executors and hosts.
    Infrastructure,
}

impl FailureKind {
    /// Every kind, for tables and tests.
    pub const ALL: [FailureKind; 18] = [
        FailureKind::GuestError,
        FailureKind::GuestRetryable,
        FailureKind::ExitCode,
        FailureKind::Trap,
        FailureKind::StackOverflow,
        FailureKind::TimeLimit,
        FailureKind::MemoryLimit,
        FailureKind::OutputLimit,
        FailureKind::HostCallLimit,
        FailureKind::ScratchLimit,
        FailureKind::InvalidData,
        FailureKind::Cancelled,
        FailureKind::Expired,
        FailureKind::LostWorker,
        FailureKind::LostExecutor,
        FailureKind::ModuleRejected,
        FailureKind::BadInput,
        FailureKind::HostFault,
    ];

    /// Whether and on whose account the task may be tried again. Exit codes
    /// count as the guest's retryable failures, as users of batch systems expect.
    pub fn retry_class(self) -> RetryClass {
        match self {
            FailureKind::GuestRetryable | FailureKind::ExitCode => RetryClass::Guest,
            FailureKind::LostWorker | FailureKind::LostExecutor | FailureKind::HostFault => {
                RetryClass::Infrastructure
            }
            _ => RetryClass::Never,
        }
    }

    /// The snake-case name that JSON, metrics and the CLI use.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::GuestError => "guest_error",
            FailureKind::GuestRetryable => "guest_retryable",
            FailureKind::ExitCode => "exit_code",
            FailureKind::Trap => "trap",
            FailureKind::StackOverflow => "stack_overflow",
            FailureKind::TimeLimit => "time_limit",
            FailureKind::MemoryLimit => "memory_limit",
            FailureKind::OutputLimit => "output_limit",
            FailureKind::HostCallLimit => "host_call_limit",
            FailureKind::ScratchLimit => "scratch_limit",
            FailureKind::InvalidData => "invalid_data",
            FailureKind::Cancelled => "cancelled",
            FailureKind::Expired => "expired",
            FailureKind::LostWorker => "lost_worker",
            FailureKind::LostExecutor => "lost_executor",
            FailureKind::ModuleRejected => "module_rejected",
            FailureKind::BadInput => "bad_input",
            FailureKind::HostFault => "host_fault",
        }
    }
}

/// A failure as it is kept for the user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// One line for people: the guest's message, the trap, the limit and its value.
    pub message: String,
    /// The exit code of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The guest's backtrace, innermost first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
}

impl Failure {
    /// A failure with nothing but a message.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure {
            kind,
            message: message.into(),
            exit_code: None,
            backtrace: None,
        }
    }
}

/// What an attempt used.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Default,
    serde_tuple::Serialize_tuple,
    serde_tuple::Deserialize_tuple,
)]
pub struct Usage {
    /// From instantiation to end, microseconds.
    pub wall_us: u64,
    /// Processor time of the guest and its host calls, microseconds.
    pub cpu_us: u64,
    /// The largest sum of all linear memories and tables, bytes.
    pub peak_memory: u64,
}
