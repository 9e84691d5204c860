//! `wasmhost:task/script`: what an engine is to run.

use super::wasmhost::task::script::Host;
use crate::state::State;

impl Host for State {
    fn source(&mut self) -> String {
        let script = self.attempt.script.as_ref();
        script.map_or_else(String::new, |script| script.source.clone())
    }

    fn name(&mut self) -> String {
        let script = self.attempt.script.as_ref();
        script.map_or_else(String::new, |script| script.name.clone())
    }
}
