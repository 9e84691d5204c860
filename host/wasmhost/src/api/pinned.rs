//! The modules as a stored definition names them: what a name meant when a version was
//! stored it means for all jobs of that version.

use super::catalogue::Catalogue;
use std::cell::RefCell;
use std::collections::BTreeMap;
use wasmhost_jobc::{Ambiguous, ModuleFacts};
use wasmhost_proto::Digest;

/// The catalogue as it is, with a note of every name that was asked for.
pub(crate) struct Noting<'a> {
    modules: &'a Catalogue,
    found: RefCell<BTreeMap<String, Digest>>,
}

impl<'a> Noting<'a> {
    pub(crate) fn new(modules: &'a Catalogue) -> Noting<'a> {
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

impl wasmhost_jobc::Catalogue for Noting<'_> {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        wasmhost_jobc::Catalogue::digest(self.modules, digest)
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        let found = wasmhost_jobc::Catalogue::find(self.modules, reference)?;
        if let Some(facts) = found {
            let mut noted = self.found.borrow_mut();
            noted.insert(reference.to_owned(), facts.digest);
        }
        Ok(found)
    }

    fn imports(&self, digest: Digest) -> Vec<String> {
        wasmhost_jobc::Catalogue::imports(self.modules, digest)
    }
}

/// The catalogue with names that stand for what they stood for.
pub(crate) struct Pinned<'a> {
    pub(crate) modules: &'a Catalogue,
    pub(crate) pins: &'a BTreeMap<String, Digest>,
}

impl wasmhost_jobc::Catalogue for Pinned<'_> {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        wasmhost_jobc::Catalogue::digest(self.modules, digest)
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        match self.pins.get(reference) {
            Some(digest) => Ok(self.digest(*digest)),
            None => wasmhost_jobc::Catalogue::find(self.modules, reference),
        }
    }

    fn imports(&self, digest: Digest) -> Vec<String> {
        wasmhost_jobc::Catalogue::imports(self.modules, digest)
    }
}
