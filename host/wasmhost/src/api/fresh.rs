//! What is compiled for the first time: its scripts are looked at, where stored definitions
//! have been.

use std::io::Read;
use wasmhost_jobc::compose::{Library, Parts};
use wasmhost_jobc::{Ambiguous, Catalogue, ModuleFacts};
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::grants::Ceiling;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::MAX_SCRIPT;
use wasmhost_store::Blobs;

/// A catalogue, and the store of uploaded files.
pub(crate) struct Fresh<'a, C: ?Sized> {
    pub(crate) modules: &'a C,
    pub(crate) blobs: &'a Blobs,
}

impl<C: Catalogue + ?Sized> Catalogue for Fresh<'_, C> {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        self.modules.digest(digest)
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        self.modules.find(reference)
    }

    fn imports(&self, digest: Digest) -> Vec<String> {
        self.modules.imports(digest)
    }

    fn is_open(&self, digest: Digest) -> bool {
        self.modules.is_open(digest)
    }

    fn ceiling(&self) -> Option<&Ceiling> {
        self.modules.ceiling()
    }

    fn has_secret(&self, name: &str) -> bool {
        self.modules.has_secret(name)
    }

    fn libraries(&self) -> &[Library] {
        self.modules.libraries()
    }

    fn composed(&self, parts: &Parts) -> Option<Result<ModuleFacts, Vec<Diagnostic>>> {
        self.modules.composed(parts)
    }

    /// None of a file that is not there, which is told of all files together.
    fn script(&self, blob: &BlobRef) -> Option<Vec<u8>> {
        let (file, _) = self.blobs.open_file(blob.digest).ok()??;
        let mut content = Vec::new();
        let most = MAX_SCRIPT as u64 + 1;
        file.take(most).read_to_end(&mut content).ok()?;
        Some(content)
    }
}
