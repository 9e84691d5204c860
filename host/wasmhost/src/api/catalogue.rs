//! The stored modules by digest and name, for the compiler of definitions and
//! for everybody who names a module. Reads and writes nothing.

use std::collections::BTreeMap;
use wasmhost_core::record::ModuleRecord;
use wasmhost_jobc::{Ambiguous, ModuleFacts};
use wasmhost_proto::Digest;

/// The fewest digits of a digest that count as its prefix: shorter texts are names.
pub(crate) const MIN_PREFIX: usize = 8;

/// Every module of the store.
#[derive(Default)]
pub(crate) struct Catalogue {
    modules: BTreeMap<Digest, ModuleRecord>,
}

impl Catalogue {
    /// A catalogue of these records.
    pub(crate) fn new(records: Vec<ModuleRecord>) -> Catalogue {
        Catalogue {
            modules: records.into_iter().map(|m| (m.digest, m)).collect(),
        }
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

    /// The module of a digest.
    pub(crate) fn get(&self, digest: Digest) -> Option<&ModuleRecord> {
        self.modules.get(&digest)
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
        self.modules
            .values()
            .filter(|m| m.digest.hex().starts_with(&hex))
            .collect()
    }
}

/// The name of a `name:version`.
fn base(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(name, _)| name)
}

fn facts(module: &ModuleRecord) -> ModuleFacts {
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
        }
    }

    #[test]
    fn references() {
        let catalogue = Catalogue::new(vec![
            module(1, 10, &["count:0.1.0"]),
            module(2, 30, &["count:0.2.0", "tally:1"]),
            module(3, 20, &[]),
        ]);
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
        check(&format!("{}03", &full[..62]), &[3]);
        check("", &[]);
    }
}
