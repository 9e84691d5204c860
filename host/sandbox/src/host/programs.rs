//! `wasmhost:task/programs`: calls on the worker's supervisor, which starts programs and
//! decides who may. A call that waits holds no thread.

use super::wasmhost::task::programs as guest;
use crate::calls::{Ask, Told};
use crate::state::State;
use wasmhost_proto::limits::{MAX_PROGRAM_CHUNK, MAX_PROGRAM_READ_MS};
use wasmhost_proto::program::{ProgramOp, ProgramRefusal, ProgramReply};

type Answer<T> = Result<T, guest::Error>;

impl State {
    async fn program(&mut self, op: ProgramOp) -> Answer<ProgramReply> {
        // What makes no sense does not travel.
        if let Some(why) = op.fault() {
            return Err(guest::Error::Invalid(why));
        }
        let reply = match self.controls.ask(Ask::Program(Box::new(op))).await {
            Some(Told::Program(reply)) => *reply,
            Some(Told::Data(_) | Told::Http(_)) => return Err(strange()),
            None => return Err(guest::Error::Stopped),
        };
        match reply {
            ProgramReply::Refused(kind, why) => Err(match kind {
                ProgramRefusal::NotGranted => guest::Error::NotGranted(why),
                ProgramRefusal::Invalid => guest::Error::Invalid(why),
                ProgramRefusal::Failed => guest::Error::Failed(why),
            }),
            reply => Ok(reply),
        }
    }

    async fn program_done(&mut self, op: ProgramOp) -> Answer<()> {
        match self.program(op).await? {
            ProgramReply::Done => Ok(()),
            _ => Err(strange()),
        }
    }
}

fn strange() -> guest::Error {
    guest::Error::Invalid("the worker gave another kind of answer".into())
}

impl guest::Host for State {
    async fn start(&mut self, name: String, args: Vec<String>) -> Answer<u32> {
        match self.program(ProgramOp::Start { name, args }).await? {
            ProgramReply::Started(program) => Ok(program),
            _ => Err(strange()),
        }
    }

    async fn write(&mut self, program: u32, bytes: Vec<u8>) -> Answer<()> {
        for chunk in bytes.chunks(MAX_PROGRAM_CHUNK) {
            let bytes = chunk.to_vec();
            self.program_done(ProgramOp::Write { program, bytes })
                .await?;
        }
        Ok(())
    }

    async fn close(&mut self, program: u32) -> Answer<()> {
        self.program_done(ProgramOp::Close { program }).await
    }

    async fn read(&mut self, program: u32, timeout_ms: u64) -> Answer<guest::Said> {
        let timeout_ms = timeout_ms.min(MAX_PROGRAM_READ_MS);
        let read = ProgramOp::Read {
            program,
            timeout_ms,
        };
        match self.program(read).await? {
            ProgramReply::Said(said) => Ok(guest::Said {
                stdout: said.stdout,
                stderr: said.stderr,
                end: said.end.map(|end| guest::End {
                    code: end.code,
                    why: end.why,
                }),
            }),
            _ => Err(strange()),
        }
    }

    async fn kill(&mut self, program: u32) -> Answer<()> {
        self.program_done(ProgramOp::Kill { program }).await
    }
}
