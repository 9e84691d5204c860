//! What an attempt waits for before it can begin: its script, its input and its files, as
//! far as they are not at hand. All of it is fetched once and kept in the worker's cache.

use super::files::{FileCache, Held, TransferError, Uplinks};
use super::scripts::{ScriptError, Scripts};
use super::trees::{Tree, Trees};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;
use wasmhost_core::worker::Start;
use wasmhost_link::BlobError;
use wasmhost_proto::input::{BlobRef, Rendered};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::wire::NodeSpec;

/// Files of one attempt that are fetched at once: others fetch, too.
const AT_ONCE: usize = 4;

/// What an attempt has to wait for.
pub(super) struct Wants {
    script: Option<BlobRef>,
    input: Option<BlobRef>,
    /// The node, if it reads files.
    files: Option<Arc<NodeSpec>>,
}

/// What it waited for.
#[derive(Default)]
pub(super) struct Gathered {
    /// Its input, if that is a blob.
    pub(super) input: Option<Held>,
    /// The text of its script, if it has one.
    pub(super) script: Option<Arc<str>>,
    /// The files that it reads.
    pub(super) tree: Option<Tree>,
}

/// Why an attempt cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotGathered {
    #[error("the input could not be fetched: {0}")]
    Input(TransferError),
    #[error("the script could not be had: {0}")]
    Script(ScriptError),
    #[error("a file could not be fetched: {0}")]
    File(TransferError),
    #[error("the files cannot be laid out on this worker: {0}")]
    Tree(std::io::Error),
}

impl NotGathered {
    /// Whose fault it is.
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            NotGathered::Input(TransferError::Blob(BlobError::Missing(_)))
            | NotGathered::File(TransferError::Blob(BlobError::Missing(_)))
            | NotGathered::Script(
                ScriptError::Transfer(TransferError::Blob(BlobError::Missing(_)))
                | ScriptError::Bad(_),
            ) => FailureKind::BadInput,
            _ => FailureKind::HostFault,
        }
    }
}

/// Where all of it is and comes from.
#[derive(Clone)]
pub(super) struct Stock {
    pub(super) files: Arc<FileCache>,
    pub(super) scripts: Arc<Scripts>,
    pub(super) trees: Arc<Trees>,
    pub(super) uplinks: Uplinks,
}

impl Stock {
    /// What of an attempt's things is at hand, and what it has to wait for.
    pub(super) fn look(&self, start: &Start) -> (Gathered, Option<Wants>) {
        let source = start.spec.script.as_ref().map(|script| &script.source);
        let script = source.and_then(|source| self.scripts.at_hand(source.digest));
        let reads = |spec: &NodeSpec| spec.files.as_ref().is_some_and(|f| !f.inputs.is_empty());
        let wants = Wants {
            script: source.filter(|_| script.is_none()).cloned(),
            input: match &start.input {
                Rendered::Bytes(_) => None,
                Rendered::Blob(blob) => Some(blob.clone()),
            },
            files: Some(&start.spec).filter(|spec| reads(spec)).cloned(),
        };
        let gathered = Gathered {
            script,
            ..Gathered::default()
        };
        let none = wants.script.is_none() && wants.input.is_none() && wants.files.is_none();
        (gathered, (!none).then_some(wants))
    }

    /// Fetches what is missing.
    pub(super) async fn gather(
        mut self,
        mut gathered: Gathered,
        wants: Wants,
    ) -> Result<Gathered, NotGathered> {
        if let Some(source) = wants.script {
            let text = self.scripts.get(&source, &self.files, &mut self.uplinks);
            gathered.script = Some(text.await.map_err(NotGathered::Script)?);
        }
        if let Some(blob) = wants.input {
            let held = self.files.get(&blob, &mut self.uplinks).await;
            gathered.input = Some(held.map_err(NotGathered::Input)?);
        }
        if let Some(files) = wants.files.as_ref().and_then(|spec| spec.files.as_ref()) {
            let fetch = |blob: BlobRef| {
                let (cache, mut uplinks) = (self.files.clone(), self.uplinks.clone());
                async move { cache.get(&blob, &mut uplinks).await }
            };
            // Each once: contents may be the same.
            let blobs: std::collections::HashSet<BlobRef> = files.blobs().cloned().collect();
            let held = stream::iter(blobs).map(fetch).buffer_unordered(AT_ONCE);
            let held: Vec<Held> = held.try_collect().await.map_err(NotGathered::File)?;
            let tree = self.trees.lay(files.clone(), held).await;
            gathered.tree = Some(tree.map_err(NotGathered::Tree)?);
        }
        Ok(gathered)
    }
}
