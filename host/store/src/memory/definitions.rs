//! Stored definitions in memory.

use crate::named;
use std::collections::BTreeMap;
use wasmhost_core::record::{DefinitionHead, DefinitionRecord};
use wasmhost_proto::Digest;

/// A definition: its versions, and the highest that there ever was.
#[derive(Default)]
struct Definition {
    versions: BTreeMap<u32, DefinitionRecord>,
    last: u32,
}

/// All of them, by name; those without versions were taken away.
#[derive(Default)]
pub(super) struct Definitions(BTreeMap<String, Definition>);

impl Definitions {
    pub(super) fn put(&mut self, record: &DefinitionRecord) {
        let head = &record.head;
        let definition = self.0.entry(head.name.clone()).or_default();
        definition.last = definition.last.max(head.version);
        definition.versions.insert(head.version, record.clone());
    }

    pub(super) fn remove(&mut self, name: &str, before: Option<u32>) {
        if let Some(definition) = self.0.get_mut(name) {
            let versions = &mut definition.versions;
            versions.retain(|version, _| before.is_some_and(|before| *version >= before));
        }
    }

    pub(super) fn latest(&self) -> Vec<DefinitionHead> {
        let latest = self.0.values().filter_map(|d| d.versions.values().last());
        latest.map(|record| record.head.clone()).collect()
    }

    pub(super) fn versions(&self, name: &str) -> Vec<DefinitionHead> {
        let versions = self.0.get(name).into_iter().flat_map(|d| &d.versions);
        versions.map(|(_, record)| record.head.clone()).collect()
    }

    pub(super) fn get(&self, name: &str, version: Option<u32>) -> Option<DefinitionRecord> {
        let versions = &self.0.get(name)?.versions;
        match version {
            Some(version) => versions.get(&version).cloned(),
            None => versions.values().last().cloned(),
        }
    }

    pub(super) fn last(&self, name: &str) -> u32 {
        self.0.get(name).map_or(0, |definition| definition.last)
    }

    pub(super) fn with(&self, module: Digest) -> Option<DefinitionHead> {
        let names = |record: &&DefinitionRecord| named::in_head(&record.head).any(|d| d == module);
        self.records().find(names).map(|record| record.head.clone())
    }

    /// Every blob that a version names.
    pub(super) fn named(&self) -> impl Iterator<Item = Digest> + '_ {
        self.records()
            .flat_map(|record| named::in_head(&record.head).chain(named::in_body(&record.body)))
    }

    fn records(&self) -> impl Iterator<Item = &DefinitionRecord> {
        self.0.values().flat_map(|d| d.versions.values())
    }
}
