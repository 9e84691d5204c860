//! `wasmhost:task/status`: progress, values and events. A refused value ends
//! the attempt: the interface gives the guest no other way to hear of it.

use super::wasmhost::task::status::{Host, Value as Guest};
use crate::state::State;
use wasmhost_proto::status::Value;
use wasmtime::Result;

impl Host for State {
    fn progress(&mut self, done: u64, total: Option<u64>, message: Option<String>) -> Result<()> {
        Ok(self.board.progress(done, total, message)?)
    }

    fn set(&mut self, name: String, value: Guest) -> Result<()> {
        Ok(self.board.set(name, value.into())?)
    }

    fn event(&mut self, name: String, value: Option<Guest>) -> Result<()> {
        Ok(self.board.event(name, value.map(Value::from))?)
    }
}

impl From<Guest> for Value {
    fn from(value: Guest) -> Value {
        match value {
            Guest::Text(text) => Value::Text(text),
            Guest::Int(number) => Value::Int(number),
            Guest::Float(number) => Value::Float(number),
            Guest::Flag(flag) => Value::Flag(flag),
            Guest::Json(json) => Value::Json(json),
        }
    }
}
