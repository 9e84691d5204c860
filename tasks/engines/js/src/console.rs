//! `console`, whose lines go to the log of the attempt.

use boa_engine::{Context, Finalize, JsResult, Trace};
use boa_runtime::{Console, ConsoleState, Logger};
use wasmhost_engine::{Level, log};

pub(crate) fn register(context: &mut Context) -> JsResult<()> {
    Console::register_with_logger(AttemptLog, context)
}

#[derive(Trace, Finalize)]
struct AttemptLog;

impl AttemptLog {
    fn write(level: Level, message: &str, state: &ConsoleState) -> JsResult<()> {
        match state.indent() {
            0 => log(level, message),
            indent => log(level, &format!("{:indent$}{message}", "")),
        }
        Ok(())
    }
}

impl Logger for AttemptLog {
    fn debug(&self, message: String, state: &ConsoleState, _: &mut Context) -> JsResult<()> {
        AttemptLog::write(Level::Debug, &message, state)
    }

    fn log(&self, message: String, state: &ConsoleState, _: &mut Context) -> JsResult<()> {
        AttemptLog::write(Level::Info, &message, state)
    }

    fn info(&self, message: String, state: &ConsoleState, _: &mut Context) -> JsResult<()> {
        AttemptLog::write(Level::Info, &message, state)
    }

    fn warn(&self, message: String, state: &ConsoleState, _: &mut Context) -> JsResult<()> {
        AttemptLog::write(Level::Warn, &message, state)
    }

    fn error(&self, message: String, state: &ConsoleState, _: &mut Context) -> JsResult<()> {
        AttemptLog::write(Level::Error, &message, state)
    }
}
