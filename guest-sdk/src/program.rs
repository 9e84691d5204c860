//! Programs of the machine that a task runs on, for a task that was granted them
//! (`programs = ["gzip"]` in its definition). Owns how they are started, fed and listened
//! to; who may, and with what arguments, is the platform's.
//!
//! A program runs in a folder of its own, with nothing of the worker's environment. It ends
//! with the attempt at the latest, with all that it has started.

use crate::context::Context;
// Elsewhere the host is a trait object, whose methods need no import.
#[cfg(target_family = "wasm")]
use crate::context::Host as _;
use std::time::Duration;

/// The longest wait of one call to the platform.
const WAIT: Duration = Duration::from_secs(60);

/// Why a call came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProgramError {
    /// The program or one of the arguments is not granted.
    NotGranted(String),
    /// There is no such program, or the call makes no sense.
    Invalid(String),
    /// The program could not be started.
    Failed(String),
    /// Somebody asked this task to stop.
    Stopped,
}

impl std::fmt::Display for ProgramError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProgramError::Stopped => f.write_str("stopped while a program ran"),
            ProgramError::NotGranted(why)
            | ProgramError::Invalid(why)
            | ProgramError::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ProgramError {}

/// How a program ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramEnd {
    /// Its exit code; none when it was killed.
    pub code: Option<i32>,
    /// What became of it, for people: `exited with code 1`.
    pub why: String,
}

impl ProgramEnd {
    /// Whether it exited with code 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

/// What a program has said since the last time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProgramSaid {
    /// On its standard output.
    pub stdout: Vec<u8>,
    /// On its standard error.
    pub stderr: Vec<u8>,
    /// How it ended, once everything that it said was read.
    pub end: Option<ProgramEnd>,
}

/// A program that has ended, with all that it said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramOutput {
    /// How it ended.
    pub end: ProgramEnd,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// A program to be started: [`Context::program`].
pub struct Command<'a> {
    context: &'a Context,
    name: String,
    args: Vec<String>,
    stdin: Vec<u8>,
}

impl Context {
    /// A program of the machine, by the name that the worker's settings give it.
    ///
    /// ```no_run
    /// # use wasmhost::{Context, ProgramError};
    /// # fn f(ctx: &Context, text: &[u8]) -> Result<(), ProgramError> {
    /// let packed = ctx.program("gzip").arg("-c").stdin(text).output()?;
    /// if packed.end.succeeded() {
    ///     ctx.set("bytes", packed.stdout.len() as u64);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn program(&self, name: &str) -> Command<'_> {
        Command {
            context: self,
            name: name.to_owned(),
            args: Vec::new(),
            stdin: Vec::new(),
        }
    }
}

impl<'a> Command<'a> {
    /// Adds an argument, after those that the worker's settings have.
    pub fn arg(mut self, arg: impl Into<String>) -> Command<'a> {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Command<'a> {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// What it is given as its standard input by [`output`](Command::output).
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Command<'a> {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// Starts it, waiting while as many of it run as may at once.
    ///
    /// # Errors
    /// It is not granted, or cannot be started.
    pub fn start(self) -> Result<Program<'a>, ProgramError> {
        let number = self.context.host().program_start(&self.name, &self.args)?;
        Ok(Program {
            context: self.context,
            number,
            over: false,
        })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It is not granted, or cannot be started. That it failed is no error: see
    /// [`ProgramEnd::succeeded`].
    pub fn output(mut self) -> Result<ProgramOutput, ProgramError> {
        let stdin = std::mem::take(&mut self.stdin);
        let mut program = self.start()?;
        program.write(&stdin)?;
        program.close()?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            let said = program.read(WAIT)?;
            stdout.extend(said.stdout);
            stderr.extend(said.stderr);
            if let Some(end) = said.end {
                return Ok(ProgramOutput {
                    end,
                    stdout,
                    stderr,
                });
            }
        }
    }
}

/// A running program. It is killed when this is dropped before its end was read.
pub struct Program<'a> {
    context: &'a Context,
    number: u32,
    over: bool,
}

impl Program<'_> {
    /// Writes to its standard input, and returns once it has taken the bytes or has ended.
    ///
    /// # Errors
    /// Its end was read, or this task is asked to stop.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ProgramError> {
        self.context.host().program_write(self.number, bytes)
    }

    /// Ends its standard input.
    ///
    /// # Errors
    /// Its end was read.
    pub fn close(&mut self) -> Result<(), ProgramError> {
        self.context.host().program_close(self.number)
    }

    /// What it says next, or its end; nothing of both when the time is over.
    ///
    /// # Errors
    /// Its end was read, or this task is asked to stop.
    pub fn read(&mut self, time: Duration) -> Result<ProgramSaid, ProgramError> {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let said = self.context.host().program_read(self.number, time)?;
        self.over |= said.end.is_some();
        Ok(said)
    }

    /// Ends it, and all that it has started. Its end is read all the same.
    ///
    /// # Errors
    /// Its end was read.
    pub fn kill(&mut self) -> Result<(), ProgramError> {
        self.context.host().program_kill(self.number)
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        if !self.over {
            // Nobody is left who could be told.
            let _ = self.kill();
        }
    }
}
