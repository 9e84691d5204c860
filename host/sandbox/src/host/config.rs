//! `wasi:config/store`: the texts that the attempt was configured with. Never fails:
//! they are here.

use super::wasi::config::store::{Error, Host};
use crate::state::State;

impl Host for State {
    fn get(&mut self, key: String) -> Result<Option<String>, Error> {
        let found = self.attempt.config.iter().find(|(known, _)| *known == key);
        Ok(found.map(|(_, value)| value.clone()))
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, Error> {
        Ok(self.attempt.config.clone())
    }
}
