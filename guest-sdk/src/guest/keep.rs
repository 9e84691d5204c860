//! The platform's imports for what a task keeps.

use super::Platform;
use crate::bindings::wasmhost::task::checkpoint;
use crate::keep::Keeper;

impl Keeper for Platform {
    fn checkpoint_save(&self, data: &[u8]) -> Result<(), String> {
        checkpoint::save(data)
    }

    fn checkpoint_load(&self) -> Result<Option<Vec<u8>>, String> {
        checkpoint::load()
    }
}
