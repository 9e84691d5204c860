//! What the compiler of definitions asks the store of modules.

use crate::compose::{Library, Parts, is_open};
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::grants::Ceiling;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::module::ModuleKind;

/// What a plan needs to know of a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModuleFacts {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub len: u64,
    /// How it is started.
    pub kind: ModuleKind,
}

/// A reference that fits several modules: their names or digests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ambiguous(pub Vec<String>);

/// The modules at hand.
pub trait Catalogue {
    /// The module of a digest.
    fn digest(&self, digest: Digest) -> Option<ModuleFacts>;
    /// The module that a reference means: `name`, `name:version`, `sha256:` and
    /// at least eight digits.
    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous>;
    /// What a module imports, as `package:interface@version` or `module.name`.
    fn imports(&self, digest: Digest) -> Vec<String>;
    /// The content of an uploaded script that is to be looked at before it runs; none when
    /// that has been done.
    fn script(&self, _: &BlobRef) -> Option<Vec<u8>> {
        None
    }
    /// Whether a module imports what it may get from libraries only. Asked for every
    /// submission.
    fn is_open(&self, digest: Digest) -> bool {
        self.imports(digest).iter().any(|import| is_open(import))
    }
    /// What the operator lets definitions ask for; none where that is not known.
    fn ceiling(&self) -> Option<&Ceiling> {
        None
    }
    /// Whether the operator keeps a secret of this name; where that is not known, every one.
    fn has_secret(&self, _: &str) -> bool {
        true
    }
    /// The libraries that modules may get imports from.
    fn libraries(&self) -> &[Library] {
        &[]
    }
    /// What came of composing a module with libraries: a module, or why there is none.
    /// None when it was not tried yet: the plan cannot be made before.
    fn composed(&self, _: &Parts) -> Option<Result<ModuleFacts, Vec<Diagnostic>>> {
        None
    }
}
