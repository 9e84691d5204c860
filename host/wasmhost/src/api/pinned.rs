//! The modules as a stored definition names them: what a name meant when a version was
//! stored it means for all jobs of that version.

use std::cell::RefCell;
use std::collections::BTreeMap;
use wasmhost_jobc::compose::{Library, Parts};
use wasmhost_jobc::{Ambiguous, Catalogue, ModuleFacts};
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::grants::Ceiling;

/// The catalogue as it is, with a note of every name that was asked for.
pub(crate) struct Noting<'a> {
    modules: &'a dyn Catalogue,
    found: RefCell<BTreeMap<String, Digest>>,
}

impl<'a> Noting<'a> {
    pub(crate) fn new(modules: &'a dyn Catalogue) -> Noting<'a> {
        Noting {
            modules,
            found: RefCell::default(),
        }
    }

    /// The names, and what they mean.
    pub(crate) fn found(self) -> BTreeMap<String, Digest> {
        self.found.into_inner()
    }
}

impl Catalogue for Noting<'_> {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        self.modules.digest(digest)
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        let found = self.modules.find(reference)?;
        if let Some(facts) = found {
            let mut noted = self.found.borrow_mut();
            noted.insert(reference.to_owned(), facts.digest);
        }
        Ok(found)
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
}

/// The catalogue with names that stand for what they stood for.
pub(crate) struct Pinned<'a> {
    pub(crate) modules: &'a dyn Catalogue,
    pub(crate) pins: &'a BTreeMap<String, Digest>,
}

impl Catalogue for Pinned<'_> {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        self.modules.digest(digest)
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        match self.pins.get(reference) {
            Some(digest) => Ok(self.digest(*digest)),
            None => self.modules.find(reference),
        }
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
}
