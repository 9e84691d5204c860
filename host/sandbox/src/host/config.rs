//! `wasi:config/store`: the texts that the attempt was configured with. Never fails:
//! they are here.

use super::wasi;
use crate::state::State;

/// One of the versions that components import.
macro_rules! version {
    ($store:path) => {
        const _: () = {
            use $store as store;

            impl store::Host for State {
                fn get(&mut self, key: String) -> Result<Option<String>, store::Error> {
                    let found = self.attempt.config.iter().find(|(known, _)| *known == key);
                    Ok(found.map(|(_, value)| value.clone()))
                }

                fn get_all(&mut self) -> Result<Vec<(String, String)>, store::Error> {
                    Ok(self.attempt.config.clone())
                }
            }
        };
    };
}

version!(wasi::config0_2_0_rc_1::store);
version!(wasi::config0_2_0_draft_2024_09_27::store);
