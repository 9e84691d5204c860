//! `wasmhost:task/log`: lines for people.

use super::wasmhost::task::log::{Host, Level};
use crate::state::State;
use wasmtime::Result;

impl Host for State {
    fn write(&mut self, level: Level, message: String) -> Result<()> {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        Ok(self.board.log_line(level, &message)?)
    }
}
