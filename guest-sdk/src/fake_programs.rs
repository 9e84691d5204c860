//! The programs of a [`Fake`](crate::testing::Fake): functions that stand for them, run
//! when somebody first reads what they say.

use crate::program::{ProgramEnd, ProgramError, ProgramOutput, ProgramSaid};
use std::collections::BTreeMap;

type StandIn = dyn FnMut(&[String], &[u8]) -> ProgramOutput;

#[derive(Default)]
pub(crate) struct FakePrograms {
    granted: BTreeMap<String, Box<StandIn>>,
    last: u32,
    open: BTreeMap<u32, Open>,
}

struct Open {
    name: String,
    args: Vec<String>,
    stdin: Vec<u8>,
    /// What is read of one that was killed.
    killed: Option<ProgramSaid>,
}

impl FakePrograms {
    pub(crate) fn grant(
        &mut self,
        name: &str,
        stand_in: impl FnMut(&[String], &[u8]) -> ProgramOutput + 'static,
    ) {
        self.granted.insert(name.to_owned(), Box::new(stand_in));
    }

    pub(crate) fn start(&mut self, name: &str, args: &[String]) -> Result<u32, ProgramError> {
        if !self.granted.contains_key(name) {
            let why = format!("the task does not ask for the program '{name}'");
            return Err(ProgramError::NotGranted(why));
        }
        self.last += 1;
        let open = Open {
            name: name.to_owned(),
            args: args.to_vec(),
            stdin: Vec::new(),
            killed: None,
        };
        self.open.insert(self.last, open);
        Ok(self.last)
    }

    fn open(&mut self, program: u32) -> Result<&mut Open, ProgramError> {
        let open = self.open.get_mut(&program);
        open.ok_or_else(|| {
            ProgramError::Invalid(format!(
                "there is no program {program}, or its end was read"
            ))
        })
    }

    pub(crate) fn write(&mut self, program: u32, bytes: &[u8]) -> Result<(), ProgramError> {
        self.open(program)?.stdin.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn close(&mut self, program: u32) -> Result<(), ProgramError> {
        self.open(program).map(drop)
    }

    pub(crate) fn read(&mut self, program: u32) -> Result<ProgramSaid, ProgramError> {
        self.open(program)?;
        let Some(mut of) = self.open.remove(&program) else {
            return Ok(ProgramSaid::default());
        };
        if let Some(end) = of.killed.take() {
            return Ok(end);
        }
        let Some(stand_in) = self.granted.get_mut(&of.name) else {
            return Ok(ProgramSaid::default());
        };
        let output = stand_in(&of.args, &of.stdin);
        Ok(ProgramSaid {
            stdout: output.stdout,
            stderr: output.stderr,
            end: Some(output.end),
        })
    }

    pub(crate) fn kill(&mut self, program: u32) -> Result<(), ProgramError> {
        let end = ProgramEnd {
            code: None,
            why: "was killed by its task".into(),
        };
        self.open(program)?.killed = Some(ProgramSaid {
            end: Some(end),
            ..ProgramSaid::default()
        });
        Ok(())
    }
}
