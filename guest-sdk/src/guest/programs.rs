//! The platform's calls for programs.

use crate::bindings::wasmhost::task::programs as wit;
use crate::program::{ProgramEnd, ProgramError, ProgramSaid};

pub(super) fn start(name: &str, args: &[String]) -> Result<u32, ProgramError> {
    wit::start(name, args).map_err(error)
}

pub(super) fn write(program: u32, bytes: &[u8]) -> Result<(), ProgramError> {
    wit::write(program, bytes).map_err(error)
}

pub(super) fn close(program: u32) -> Result<(), ProgramError> {
    wit::close(program).map_err(error)
}

pub(super) fn read(program: u32, timeout_ms: u64) -> Result<ProgramSaid, ProgramError> {
    let said = wit::read(program, timeout_ms).map_err(error)?;
    Ok(ProgramSaid {
        stdout: said.stdout,
        stderr: said.stderr,
        end: said.end.map(|end| ProgramEnd {
            code: end.code,
            why: end.why,
        }),
    })
}

pub(super) fn kill(program: u32) -> Result<(), ProgramError> {
    wit::kill(program).map_err(error)
}

fn error(error: wit::Error) -> ProgramError {
    match error {
        wit::Error::NotGranted(why) => ProgramError::NotGranted(why),
        wit::Error::Invalid(why) => ProgramError::Invalid(why),
        wit::Error::Failed(why) => ProgramError::Failed(why),
        wit::Error::Stopped => ProgramError::Stopped,
    }
}
