//! The stored modules by digest and name, and the libraries, for the compiler of
//! definitions and for everybody who names a module. Reads and writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use wasmhost_core::record::{LibraryRecord, ModuleRecord};
use wasmhost_jobc::compose::{Library, Parts, is_open};
use wasmhost_jobc::{Ambiguous, ModuleFacts};
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;

/// The fewest digits of a digest that count as its prefix: shorter texts are names.
pub(crate) const MIN_PREFIX: usize = 8;

/// Every module and library of the store.
#[derive(Default)]
pub(crate) struct Catalogue {
    modules: BTreeMap<Digest, ModuleRecord>,
    /// Modules by the digest of what was uploaded, where that differs.
    uploads: BTreeMap<Digest, Digest>,
    /// Modules that were composed, by what of.
    composed: BTreeMap<Parts, Digest>,
    /// Modules that need libraries.
    open: BTreeSet<Digest>,
    libraries: Vec<LibraryRecord>,
    /// The same as the compiler wants them.
    shelf: Vec<Library>,
}

impl Catalogue {
    /// A catalogue of these records.
    pub(crate) fn new(records: Vec<ModuleRecord>, libraries: Vec<LibraryRecord>) -> Catalogue {
        let uploads = records.iter().filter_map(|m| Some((m.uploaded?, m.digest)));
        let composed = records.iter().filter_map(|m| {
            let of = m.composed.as_ref()?;
            let parts = Parts {
                module: of.module,
                libraries: of.libraries.iter().map(|(_, digest)| *digest).collect(),
            };
            Some((parts, m.digest))
        });
        let open = records
            .iter()
            .filter(|m| m.imports.iter().any(|i| is_open(i)));
        let shelf = libraries.iter().map(|library| Library {
            name: library.name.clone(),
            digest: library.digest,
            len: library.len,
            exports: library.exports.clone(),
            imports: library.imports.clone(),
        });
        Catalogue {
            uploads: uploads.collect(),
            composed: composed.collect(),
            open: open.map(|m| m.digest).collect(),
            shelf: shelf.collect(),
            modules: records.into_iter().map(|m| (m.digest, m)).collect(),
            libraries,
        }
    }

    /// All libraries, by name.
    pub(crate) fn libraries(&self) -> &[LibraryRecord] {
        &self.libraries
    }

    /// What was composed of a module.
    pub(crate) fn composed_of(&self, module: Digest) -> Vec<Digest> {
        let made = self.composed.iter();
        made.filter(|(parts, _)| parts.module == module)
            .map(|(_, digest)| *digest)
            .collect()
    }

    /// All modules, latest pushed first.
    pub(crate) fn newest_first(&self) -> Vec<&ModuleRecord> {
        let mut all: Vec<_> = self.modules.values().collect();
        all.sort_by_key(|m| (std::cmp::Reverse(m.pushed), m.digest));
        all
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.modules.len()
    }

    /// The module of a digest: its own, or that of what was uploaded.
    pub(crate) fn get(&self, digest: Digest) -> Option<&ModuleRecord> {
        let stored = self.modules.get(&digest);
        stored.or_else(|| self.modules.get(self.uploads.get(&digest)?))
    }

    /// The module that carries exactly this `name:version`.
    pub(crate) fn named(&self, name: &str) -> Option<&ModuleRecord> {
        self.modules
            .values()
            .find(|m| m.names.iter().any(|n| n == name))
    }

    /// Every module that `reference` may mean: one for `name:version`, a digest,
    /// or a name (its newest); several for a digest's prefix that is not unique.
    pub(crate) fn matches(&self, reference: &str) -> Vec<&ModuleRecord> {
        if let Some(module) = self.named(reference) {
            return vec![module];
        }
        let newest = (self.modules.values())
            .filter(|m| m.names.iter().any(|n| base(n) == reference))
            .max_by_key(|m| (m.pushed, m.digest));
        if let Some(module) = newest {
            return vec![module];
        }
        let hex = reference.strip_prefix(Digest::PREFIX).unwrap_or(reference);
        if hex.len() < MIN_PREFIX || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Vec::new();
        }
        let hex = hex.to_ascii_lowercase();
        let fits = |digest: Digest| digest.hex().starts_with(&hex);
        self.modules
            .values()
            .filter(|m| fits(m.digest) || m.uploaded.is_some_and(fits))
            .collect()
    }
}

/// The name of a `name:version`.
fn base(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(name, _)| name)
}

pub(super) fn facts(module: &ModuleRecord) -> ModuleFacts {
    ModuleFacts {
        digest: module.digest,
        len: module.len,
        kind: module.kind,
    }
}

impl wasmhost_jobc::Catalogue for Catalogue {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        self.get(digest).map(facts)
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        match self.matches(reference).as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(facts(one))),
            several => Err(Ambiguous(
                several.iter().map(|m| m.digest.to_string()).collect(),
            )),
        }
    }

    fn imports(&self, digest: Digest) -> Vec<String> {
        self.get(digest)
            .map(|m| m.imports.clone())
            .unwrap_or_default()
    }

    fn is_open(&self, digest: Digest) -> bool {
        self.open.contains(&digest)
    }

    fn libraries(&self) -> &[Library] {
        &self.shelf
    }

    fn composed(&self, parts: &Parts) -> Option<Result<ModuleFacts, Vec<Diagnostic>>> {
        let module = self.modules.get(self.composed.get(parts)?)?;
        Some(Ok(facts(module)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost_proto::Timestamp;
    use wasmhost_proto::module::{Manifest, ModuleKind};

    fn module(first: u8, pushed: u64, names: &[&str]) -> ModuleRecord {
        let mut digest = [0xaa; 32];
        digest[31] = first;
        ModuleRecord {
            digest: Digest(digest),
            len: 1,
            kind: ModuleKind::Task,
            names: names.iter().map(|n| n.to_string()).collect(),
            pushed: Timestamp(pushed),
            manifest: Manifest::default(),
            imports: Vec::new(),
            exports: Vec::new(),
            uploaded: Some(Digest([first; 32])),
            composed: None,
        }
    }

    #[test]
    fn references() {
        let modules = vec![
            module(1, 10, &["count:0.1.0"]),
            module(2, 30, &["count:0.2.0", "tally:1"]),
            module(3, 20, &[]),
        ];
        let catalogue = Catalogue::new(modules, Vec::new());
        let full = Digest([0xaa; 32]).hex();
        let check = |reference: &str, want: &[u8]| {
            let got: Vec<u8> = catalogue
                .matches(reference)
                .iter()
                .map(|m| m.digest.0[31])
                .collect();
            assert_eq!(got, want, "{reference}");
        };
        check("count", &[2]);
        check("count:0.1.0", &[1]);
        check("tally", &[2]);
        check("tally:2", &[]);
        check("aaaaaaaa", &[1, 2, 3]);
        check("AAAAAAAA", &[1, 2, 3]);
        check("sha256:aaaaaaaa", &[1, 2, 3]);
        check("aaaaaaa", &[]);
        check("0202020202020202", &[2]);
        check(&format!("{}03", &full[..62]), &[3]);
        check("", &[]);
    }
}
