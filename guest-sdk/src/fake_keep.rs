//! What the task of a [`Fake`] keeps: in memory, for every attempt that the test makes.

use crate::keep::Keeper;
use crate::testing::{Fake, State};
use std::cell::RefCell;

/// As the platform has it.
const MAX_CHECKPOINT: usize = 4 << 20;

#[derive(Default)]
pub(crate) struct FakeKept {
    checkpoint: RefCell<Option<Vec<u8>>>,
    /// Names, bytes, and whether each is closed.
    outputs: RefCell<Vec<(String, Vec<u8>, bool)>>,
}

impl FakeKept {
    fn output(&self, number: u32, act: impl FnOnce(&mut Vec<u8>)) -> Result<(), String> {
        match self.outputs.borrow_mut().get_mut(number as usize) {
            Some((_, bytes, false)) => {
                act(bytes);
                Ok(())
            }
            Some((name, _, true)) => Err(format!("'{name}' is closed")),
            None => Err(format!("there is no output {number}")),
        }
    }
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

    fn output_create(&self, name: &str, _: &str) -> Result<u32, String> {
        let mut outputs = self.kept.outputs.borrow_mut();
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '"']) {
            return Err(format!("'{name}' is no name for an output"));
        }
        if outputs.iter().any(|(known, ..)| known == name) {
            return Err(format!("there is an output '{name}' already"));
        }
        outputs.push((name.to_owned(), Vec::new(), false));
        Ok(outputs.len() as u32 - 1)
    }

    fn output_write(&self, output: u32, data: &[u8]) -> Result<(), String> {
        self.kept
            .output(output, |bytes| bytes.extend_from_slice(data))
    }

    fn output_flush(&self, output: u32) -> Result<(), String> {
        self.kept.output(output, |_| {})
    }

    fn output_close(&self, output: u32) -> Result<(), String> {
        self.kept.output(output, |_| {})?;
        if let Some(of) = self.kept.outputs.borrow_mut().get_mut(output as usize) {
            of.2 = true;
        }
        Ok(())
    }
}

impl Fake {
    /// What the task has saved last.
    pub fn checkpoint(&self) -> Option<Vec<u8>> {
        self.state().kept.checkpoint.borrow().clone()
    }

    /// What the task has written to the output of this name.
    pub fn output(&self, name: &str) -> Option<Vec<u8>> {
        let outputs = self.state().kept.outputs.borrow();
        let found = outputs.iter().find(|(known, ..)| known == name);
        found.map(|(_, bytes, _)| bytes.clone())
    }
}
