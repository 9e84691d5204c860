//! Programs of a worker's machine, as a task that was granted them uses them: between an
//! executor and its supervisor, which starts them.

use crate::limits::{MAX_NAME, MAX_PROGRAM_ARGS, MAX_PROGRAM_ARGS_BYTES, MAX_PROGRAM_CHUNK};
use serde::{Deserialize, Serialize};

/// What a run asks for. A program that was started has a number, from 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramOp {
    /// To start one.
    Start {
        /// Its name in the worker's settings.
        name: String,
        /// Arguments, after those that the settings have.
        args: Vec<String>,
    },
    /// To write to its standard input; done once it has taken the bytes.
    Write {
        /// Which one.
        program: u32,
        /// Up to [`MAX_PROGRAM_CHUNK`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// To end its standard input.
    Close {
        /// Which one.
        program: u32,
    },
    /// The next thing that it says or that becomes of it.
    Read {
        /// Which one.
        program: u32,
        /// How long to wait, milliseconds; never more than
        /// [`crate::limits::MAX_PROGRAM_READ_MS`].
        timeout_ms: u64,
    },
    /// To end it and all that it has started.
    Kill {
        /// Which one.
        program: u32,
    },
}

impl ProgramOp {
    /// Whether its answer may be long in coming.
    pub fn waits(&self) -> bool {
        !matches!(self, ProgramOp::Close { .. } | ProgramOp::Kill { .. })
    }

    /// What is wrong with it; none when nothing is.
    pub fn fault(&self) -> Option<String> {
        match self {
            ProgramOp::Start { name, .. } if name.len() > MAX_NAME => Some(format!(
                "the name of a program has at most {MAX_NAME} bytes"
            )),
            ProgramOp::Start { args, .. } => {
                let bytes: usize = args.iter().map(|arg| arg.len() + 1).sum();
                let long = args.len() > MAX_PROGRAM_ARGS || bytes > MAX_PROGRAM_ARGS_BYTES;
                long.then(|| {
                    format!(
                        "a program takes {MAX_PROGRAM_ARGS} arguments of {MAX_PROGRAM_ARGS_BYTES} \
                         bytes in all"
                    )
                })
            }
            ProgramOp::Write { bytes, .. } if bytes.len() > MAX_PROGRAM_CHUNK => {
                Some(format!("more than {MAX_PROGRAM_CHUNK} bytes at once"))
            }
            _ => None,
        }
    }
}

/// Why a call was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramRefusal {
    /// The task was not granted this program, or these arguments.
    NotGranted,
    /// The call makes no sense: its message says why.
    Invalid,
    /// The program could not be started.
    Failed,
}

/// How a program ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProgramEnd {
    /// Its exit code; none when it was killed.
    pub code: Option<i32>,
    /// What became of it, for people: `exited with code 1`.
    pub why: String,
}

/// What a program has said since the last time.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ProgramSaid {
    /// On its standard output, up to [`MAX_PROGRAM_CHUNK`] bytes.
    #[serde(with = "serde_bytes")]
    pub stdout: Vec<u8>,
    /// On its standard error, likewise.
    #[serde(with = "serde_bytes")]
    pub stderr: Vec<u8>,
    /// How it ended, once everything that it said was told.
    pub end: Option<ProgramEnd>,
}

/// What came of a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramReply {
    /// It runs, and has this number.
    Started(u32),
    /// That is done.
    Done,
    /// What it has said since the last time; empty when the time is over.
    Said(ProgramSaid),
    /// Nothing was done, and why.
    Refused(ProgramRefusal, String),
}
