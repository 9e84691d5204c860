//! From "prepare this module" to "it is ready": fetch, compile in a process of
//! its own, tell the executors. Each digest at most once at a time.

use super::driver::Cause;
use super::files::{FileCache, Uplinks};
use crate::executor::{CompileCache, CompileFailure};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use wasmhost_core::worker::Event;
use wasmhost_proto::Digest;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::wire::NodeSpec;

/// What became of a module.
pub(super) struct Prepared {
    pub(super) digest: Digest,
    pub(super) kind: ModuleKind,
    pub(super) result: Result<PathBuf, NotPrepared>,
}

/// Why there is no compiled module.
pub(super) enum NotPrepared {
    /// It cannot run here.
    Rejected(String),
    /// Not now.
    Unavailable(String),
}

/// Modules on their way.
pub(super) struct Modules {
    compiled: Arc<CompileCache>,
    files: Arc<FileCache>,
    uplinks: Uplinks,
    causes: mpsc::Sender<Cause>,
    under_way: HashSet<Digest>,
}

impl Modules {
    pub(super) fn new(
        compiled: Arc<CompileCache>,
        files: Arc<FileCache>,
        uplinks: Uplinks,
        causes: mpsc::Sender<Cause>,
    ) -> Modules {
        Modules {
            compiled,
            files,
            uplinks,
            causes,
            under_way: HashSet::new(),
        }
    }

    /// Begins, unless it has begun; answered by [`Cause::Prepared`].
    pub(super) fn prepare(&mut self, spec: &NodeSpec) {
        if !self.under_way.insert(spec.module) {
            return;
        }
        let blob = BlobRef {
            digest: spec.module,
            len: spec.module_len,
        };
        let kind = spec.kind;
        let (compiled, files, causes) = (
            self.compiled.clone(),
            self.files.clone(),
            self.causes.clone(),
        );
        let mut uplinks = self.uplinks.clone();
        tokio::spawn(async move {
            let result = prepare(&blob, kind, &compiled, &files, &mut uplinks, &causes).await;
            let _ = causes
                .send(Cause::Prepared(Prepared {
                    digest: blob.digest,
                    kind,
                    result,
                }))
                .await;
        });
    }

    /// Notes the end of a preparation.
    pub(super) fn ended(&mut self, digest: Digest) {
        self.under_way.remove(&digest);
    }
}

async fn prepare(
    blob: &BlobRef,
    kind: ModuleKind,
    compiled: &CompileCache,
    files: &Arc<FileCache>,
    uplinks: &mut Uplinks,
    causes: &mpsc::Sender<Cause>,
) -> Result<PathBuf, NotPrepared> {
    let held = files
        .get(blob, uplinks)
        .await
        .map_err(|error| NotPrepared::Unavailable(error.to_string()))?;
    let compiling = causes.clone();
    let digest = blob.digest;
    let note = move || {
        // Only for display: a full queue may lose it.
        let _ = compiling.try_send(Cause::Core(Event::ModuleCompiling(digest)));
    };
    compiled
        .get(&held.path(), digest, kind, note)
        .await
        .map_err(|failure| match failure {
            CompileFailure::Rejected(why) => NotPrepared::Rejected(why),
            CompileFailure::Fault(why) => NotPrepared::Unavailable(why),
        })
}
