//! What a context stands on for what a task keeps with the primary.

/// The platform's imports, or a test's stand-in.
pub(crate) trait Keeper {
    fn checkpoint_save(&self, data: &[u8]) -> Result<(), String>;
    fn checkpoint_load(&self) -> Result<Option<Vec<u8>>, String>;
    fn output_create(&self, name: &str, content_type: &str) -> Result<u32, String>;
    fn output_write(&self, output: u32, data: &[u8]) -> Result<(), String>;
    fn output_flush(&self, output: u32) -> Result<(), String>;
    fn output_close(&self, output: u32) -> Result<(), String>;
}
