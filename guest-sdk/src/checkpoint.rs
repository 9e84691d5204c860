//! What one attempt leaves to the next: a task that saves where it is goes on from there,
//! on whatever worker, instead of beginning anew. Bounds are the platform's.

use crate::context::Context;
use crate::error::TaskError;
// Elsewhere the host is a trait object, whose methods need no import.
#[cfg(target_family = "wasm")]
use crate::keep::Keeper as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The checkpoint of a task: [`Context::checkpoint`].
pub struct Checkpoint<'a>(&'a Context);

impl Context {
    /// The task's checkpoint. Of several that were saved the last one counts; it goes when
    /// the task has ended.
    pub fn checkpoint(&self) -> Checkpoint<'_> {
        Checkpoint(self)
    }
}

impl Checkpoint<'_> {
    /// Saves a state. It is durable when this returns.
    ///
    /// # Errors
    /// It has more than 4 MiB as JSON, or could not be stored; the one before stays.
    pub fn save<T: Serialize + ?Sized>(&self, state: &T) -> Result<(), TaskError> {
        self.save_bytes(&serde_json::to_vec(state)?)
    }

    /// The state that was saved last, by this attempt or by one before it; none at first.
    ///
    /// # Errors
    /// It is no such state, or could not be fetched: better to fail than to begin anew.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, TaskError> {
        let state = self.load_bytes()?;
        let state = state.as_deref().map(serde_json::from_slice).transpose();
        state.map_err(|why| TaskError::permanent(format!("the checkpoint cannot be read: {why}")))
    }

    /// Saves bytes, as [`Checkpoint::save`] does a state.
    ///
    /// # Errors
    /// As there.
    pub fn save_bytes(&self, state: &[u8]) -> Result<(), TaskError> {
        let saved = self.0.host().checkpoint_save(state);
        saved.map_err(TaskError::retryable)
    }

    /// The bytes that were saved last.
    ///
    /// # Errors
    /// They could not be fetched.
    pub fn load_bytes(&self) -> Result<Option<Vec<u8>>, TaskError> {
        let loaded = self.0.host().checkpoint_load();
        loaded.map_err(TaskError::retryable)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::testing::Fake;

    #[test]
    fn the_last_one_is_for_every_later_attempt() {
        let fake = Fake::new();
        let first = fake.context();
        assert_eq!(first.checkpoint().load::<(u64, String)>(), Ok(None));
        first.checkpoint().save(&(1, "a")).unwrap();
        first.checkpoint().save(&(2, "b")).unwrap();
        let fake = fake.attempt(2);
        let second = fake.context();
        let state = second.checkpoint().load::<(u64, String)>();
        assert_eq!(state, Ok(Some((2, "b".into()))));
        assert!(second.checkpoint().load::<bool>().is_err());
        let large = vec![0; (4 << 20) + 1];
        assert!(second.checkpoint().save_bytes(&large).is_err());
        assert_eq!(fake.checkpoint().as_deref(), Some(&b"[2,\"b\"]"[..]));
    }
}
