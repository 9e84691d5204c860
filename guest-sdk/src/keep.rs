//! What a context stands on for what a task keeps with the primary.

/// The platform's imports, or a test's stand-in.
pub(crate) trait Keeper {
    fn checkpoint_save(&self, data: &[u8]) -> Result<(), String>;
    fn checkpoint_load(&self) -> Result<Option<Vec<u8>>, String>;
}
