//! What the task of a [`Fake`] keeps: in memory, for every attempt that the test makes.

use crate::keep::Keeper;
use crate::testing::{Fake, State};
use std::cell::RefCell;

/// As the platform has it.
const MAX_CHECKPOINT: usize = 4 << 20;

#[derive(Default)]
pub(crate) struct FakeKept {
    checkpoint: RefCell<Option<Vec<u8>>>,
}

impl Keeper for State {
    fn checkpoint_save(&self, data: &[u8]) -> Result<(), String> {
        if data.len() > MAX_CHECKPOINT {
            let len = data.len();
            return Err(format!(
                "the checkpoint has {len} bytes, and may have {MAX_CHECKPOINT}"
            ));
        }
        *self.kept.checkpoint.borrow_mut() = Some(data.to_vec());
        Ok(())
    }

    fn checkpoint_load(&self) -> Result<Option<Vec<u8>>, String> {
        Ok(self.kept.checkpoint.borrow().clone())
    }
}

impl Fake {
    /// What the task has saved last.
    pub fn checkpoint(&self) -> Option<Vec<u8>> {
        self.state().kept.checkpoint.borrow().clone()
    }
}
