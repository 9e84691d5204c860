//! The texts of scripts: fetched like input files, read once, and kept at hand up to a
//! bound, so that each attempt after the first of a node finds its script here.

use super::files::{FileCache, TransferError, Uplinks};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmhost_proto::Digest;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{MAX_SCRIPT, SCRIPTS_AT_HAND};

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScriptError {
    /// It could not be fetched.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// It cannot be a script.
    #[error("{0}")]
    Bad(String),
    /// The file that was just fetched cannot be read.
    #[error("cannot read the script's file: {0}")]
    Read(std::io::Error),
}

/// Texts by digest.
#[derive(Default)]
pub(super) struct Scripts {
    table: Mutex<Table>,
    /// Whoever holds it reads a file; the others find the text there afterwards.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Table {
    texts: HashMap<Digest, Arc<str>>,
    /// Oldest first.
    order: VecDeque<Digest>,
    bytes: usize,
}

impl Scripts {
    /// A text that is at hand.
    pub(super) fn at_hand(&self, digest: Digest) -> Option<Arc<str>> {
        self.table().texts.get(&digest).cloned()
    }

    /// A text, wherever it is.
    pub(super) async fn get(
        &self,
        blob: &BlobRef,
        files: &Arc<FileCache>,
        uplinks: &mut Uplinks,
    ) -> Result<Arc<str>, ScriptError> {
        if blob.len > MAX_SCRIPT as u64 {
            let len = blob.len;
            let message = format!("the script has {len} bytes, over the limit of {MAX_SCRIPT}");
            return Err(ScriptError::Bad(message));
        }
        if blob.len == 0 {
            return Err(ScriptError::Bad("the script is empty".into()));
        }
        let held = files.get(blob, uplinks).await?;
        let _one = self.reading.lock().await;
        if let Some(text) = self.at_hand(blob.digest) {
            return Ok(text);
        }
        let bytes = tokio::fs::read(held.path())
            .await
            .map_err(ScriptError::Read)?;
        let text: Arc<str> = String::from_utf8(bytes)
            .map_err(|_| ScriptError::Bad("the script is not UTF-8".into()))?
            .into();
        self.table().keep(blob.digest, text.clone());
        Ok(text)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it holds the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn keep(&mut self, digest: Digest, text: Arc<str>) {
        self.bytes += text.len();
        self.order.push_back(digest);
        self.texts.insert(digest, text);
        while self.bytes > SCRIPTS_AT_HAND
            && let Some(text) = self.order.pop_front().and_then(|d| self.texts.remove(&d))
        {
            self.bytes -= text.len();
        }
    }
}
