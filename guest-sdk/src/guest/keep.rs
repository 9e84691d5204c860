//! The platform's imports for what a task keeps.

use super::Platform;
use crate::bindings::wasmhost::task::{checkpoint, outputs};
use crate::keep::Keeper;

impl Keeper for Platform {
    fn checkpoint_save(&self, data: &[u8]) -> Result<(), String> {
        checkpoint::save(data)
    }

    fn checkpoint_load(&self) -> Result<Option<Vec<u8>>, String> {
        checkpoint::load()
    }

    fn output_create(&self, name: &str, content_type: &str) -> Result<u32, String> {
        outputs::create(name, content_type)
    }

    fn output_write(&self, output: u32, data: &[u8]) -> Result<(), String> {
        outputs::write(output, data)
    }

    fn output_flush(&self, output: u32) -> Result<(), String> {
        outputs::flush(output)
    }

    fn output_close(&self, output: u32) -> Result<(), String> {
        outputs::close(output)
    }
}
