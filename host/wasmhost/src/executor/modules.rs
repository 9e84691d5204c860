//! The compiled modules that the pool knows: a bounded table from which the least
//! recently used one goes. Who was told of them is the seats' business.

use std::collections::HashMap;
use std::path::PathBuf;
use wasmhost_proto::Digest;
use wasmhost_proto::limits::MAX_LOADED_MODULES;
use wasmhost_proto::module::ModuleKind;

#[derive(Default)]
pub(super) struct Modules {
    known: HashMap<Digest, Module>,
    clock: u64,
}

pub(super) struct Module {
    pub(super) kind: ModuleKind,
    pub(super) path: PathBuf,
    used: u64,
}

impl Modules {
    /// Adds one. Returns one that had to go for it.
    pub(super) fn add(
        &mut self,
        digest: Digest,
        kind: ModuleKind,
        path: PathBuf,
    ) -> Option<Digest> {
        self.clock += 1;
        let used = self.clock;
        self.known.insert(digest, Module { kind, path, used });
        if self.known.len() <= MAX_LOADED_MODULES {
            return None;
        }
        let oldest = self.known.iter().min_by_key(|(_, m)| m.used);
        let digest = oldest.map(|(digest, _)| *digest)?;
        self.known.remove(&digest);
        Some(digest)
    }

    /// One that is wanted just now.
    pub(super) fn wanted(&mut self, digest: Digest) -> Option<&Module> {
        self.clock += 1;
        let module = self.known.get_mut(&digest)?;
        module.used = self.clock;
        Some(module)
    }
}
